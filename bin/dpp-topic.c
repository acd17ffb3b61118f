/* dpp-topic: list, create, show, lag, verify, reset, rm. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/msg.h"
#include "stage/tool.h"
#include "topic/admin.h"
#include "topic/options.h"
#include "topic/topic.h"

struct options {
    struct topic_store_conf broker;
    const char *group;
    const char *from;
    struct topic_conf conf;
};

/* One call of a verb: what the callbacks of the library need. */
struct call {
    const struct options *o;
    struct topic_store *store;
    const char *topic;
    bool head; /* the table's first line is out */
    uint64_t faults;
    int rc;
    struct err *e;
};

/* --- list, show ------------------------------------------------------------
 */

static void print_topic(void *arg, const char *topic,
                        const struct topic_info *i)
{
    struct call *c = arg;

    if (!c->head) {
        (void)printf("%-30s %10s %12s %14s\n", "TOPIC", "PARTITIONS", "EVENTS",
                     "BYTES");
        c->head = true;
    }
    (void)printf("%-30s %10" PRIu64 " %12" PRIu64 " %14" PRIu64 "\n", topic,
                 i->conf.partitions, i->end - i->begin, i->bytes);
}

static int verb_list(struct call *c)
{
    if (topic_list(c->store, print_topic, c, c->e) < 0) {
        return -1;
    }
    if (!c->head) {
        msg_info("no topics yet in %s", topic_store_name(c->store));
    }
    return 0;
}

/* What a store does not know of a topic is 0. */
static void print_number(const char *name, uint64_t n, const char *unit)
{
    if (n > 0) {
        (void)printf("%s %" PRIu64 "%s\n", name, n, unit);
    }
}

static int verb_show(struct call *c)
{
    struct topic_info i;

    if (topic_show(c->store, c->topic, &i, c->e) < 0) {
        return -1;
    }
    (void)printf("topic        %s\nbroker       %s\n", c->topic,
                 topic_store_name(c->store));
    if (i.id[0] != '\0') {
        (void)printf("id           %s\n", i.id);
    }
    print_number("partitions  ", i.conf.partitions, "");
    print_number("replicas    ", i.conf.replicas, "");
    print_number("min-insync  ", i.conf.min_in_sync, "");
    (void)printf("offsets      %" PRIu64 " to %" PRIu64 "\n", i.begin, i.end);
    print_number("bytes       ", i.bytes, "");
    print_number("segments    ", i.segments, "");
    print_number("retain-bytes", i.conf.retain_bytes, "");
    print_number("retain-time ", i.conf.retain_ms, "ms");
    if (i.conf.retain_bytes > 0 || i.conf.retain_ms > 0) {
        print_number("group-expiry", i.conf.group_expiry_ms, "ms");
    }
    return 0;
}

/* --- lag -------------------------------------------------------------------
 */

static void print_group(void *arg, const struct topic_group_pos *p)
{
    struct call *c = arg;

    if (!c->head) {
        (void)printf("%-24s %-24s %9s %12s %12s %12s\n", "GROUP", "TOPIC",
                     "PARTITION", "POSITION", "END", "LAG");
        c->head = true;
    }
    (void)printf("%-24s %-24s %9" PRIu32, p->group, c->topic, p->partition);
    if (p->has_offset) {
        (void)printf(" %12" PRIu64 " %12" PRIu64 " %12" PRIu64, p->offset,
                     p->end, p->end > p->offset ? p->end - p->offset : 0);
    } else {
        (void)printf(" %12s %12" PRIu64 " %12s", "none", p->end, "-");
    }
    (void)printf("%s%.*s\n", p->owner.n > 0 ? "  " : "", (int)p->owner.n,
                 p->owner.p != NULL ? p->owner.p : "");
}

static void lag_of(void *arg, const char *topic, const struct topic_info *i)
{
    struct call *c = arg;

    (void)i;
    if (c->rc == 0) {
        c->topic = topic;
        c->rc = topic_groups(c->store, topic, print_group, c, c->e);
    }
}

static int verb_lag(struct call *c)
{
    if (c->topic != NULL) {
        lag_of(c, c->topic, NULL);
    } else if (topic_list(c->store, lag_of, c, c->e) < 0) {
        return -1;
    }
    if (c->rc == 0 && !c->head) {
        msg_info("no group reads here yet");
    }
    return c->rc;
}

/* --- verify ----------------------------------------------------------------
 */

static void print_fault(void *arg, const char *line)
{
    (void)arg;
    (void)printf("%s\n", line);
}

static void verify_one(void *arg, const char *topic, const struct topic_info *i)
{
    struct call *c = arg;
    uint64_t records = 0;

    (void)i;
    if (c->rc < 0) {
        return;
    }
    const int faults =
        topic_verify(c->store, topic, print_fault, NULL, &records, c->e);
    if (faults < 0) {
        c->rc = -1;
        return;
    }
    c->faults += (uint64_t)faults;
    (void)printf("%s: %" PRIu64 " events, %d faults\n", topic, records, faults);
}

static int verb_verify(struct call *c)
{
    if (c->topic != NULL) {
        verify_one(c, c->topic, NULL);
    } else if (topic_list(c->store, verify_one, c, c->e) < 0) {
        return -1;
    }
    if (c->rc == 0 && c->faults > 0) {
        return err_set(c->e, STATUS_IO, "%s: %" PRIu64 " faults",
                       topic_store_name(c->store), c->faults);
    }
    return c->rc;
}

/* --- changes ---------------------------------------------------------------
 */

static int verb_create(struct call *c)
{
    return topic_create(c->store, c->topic, &c->o->conf, c->e);
}

static int verb_remove(struct call *c)
{
    return topic_remove(c->store, c->topic, c->e);
}

static int verb_reset(struct call *c)
{
    uint64_t offset = 0;

    if (c->o->group == NULL) {
        return err_set(c->e, STATUS_USAGE, "reset: -g GROUP is missing");
    }
    if (topic_reset(c->store, c->topic, c->o->group, c->o->from, &offset,
                    c->e) < 0) {
        return -1;
    }
    if (offset == UINT64_MAX) {
        msg_info("group %s goes on at %s of each partition of %s", c->o->group,
                 c->o->from != NULL ? c->o->from : "the beginning", c->topic);
    } else {
        msg_info("group %s goes on at offset %" PRIu64 " of %s", c->o->group,
                 offset, c->topic);
    }
    return 0;
}

static const struct verb {
    const char *name;
    enum { NO_TOPIC, MAY_TOPIC, NEEDS_TOPIC } topic;
    int (*run)(struct call *);
} verbs[] = {
    {"list", NO_TOPIC, verb_list},      {"create", NEEDS_TOPIC, verb_create},
    {"show", NEEDS_TOPIC, verb_show},   {"lag", MAY_TOPIC, verb_lag},
    {"verify", MAY_TOPIC, verb_verify}, {"reset", NEEDS_TOPIC, verb_reset},
    {"rm", NEEDS_TOPIC, verb_remove},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int run(const struct options *o, const char *name, int argc, char **argv,
               struct err *e)
{
    const struct verb *verb = find_verb(name);
    struct call c = {.o = o, .topic = argc > 0 ? argv[0] : NULL, .e = e};

    if (verb == NULL) {
        return err_set(e, STATUS_USAGE, "unknown verb \"%s\" (try -h)", name);
    }
    if (argc > (verb->topic == NO_TOPIC ? 0 : 1) ||
        argc < (verb->topic == NEEDS_TOPIC ? 1 : 0)) {
        return err_set(e, STATUS_USAGE, "%s takes %s (try -h)", name,
                       verb->topic == NO_TOPIC      ? "no topic"
                       : verb->topic == NEEDS_TOPIC ? "one topic"
                                                    : "at most one topic");
    }
    if (c.topic != NULL && topic_name_check(c.topic, e) < 0) {
        return -1;
    }
    c.store = topic_store_open(&o->broker, e);
    if (c.store == NULL) {
        return -1;
    }
    const int rc = verb->run(&c);
    topic_store_close(c.store);
    return rc;
}

int main(int argc, char **argv)
{
    static struct options o = {.conf = {.partitions = 1}};
    static const struct opt options[] = {
        TOPIC_STORE_OPTIONS(o.broker),
        TOPIC_SECRET_OPTION(o.broker),
        {'p', "partitions", "N", "create: partitions (1)", OPT_NUMBER,
         &o.conf.partitions, 1, 10000},
        TOPIC_COPIES_OPTIONS(o.conf),
        {0, "retain-bytes", "SIZE", "create: keep at most this much", OPT_SIZE,
         &o.conf.retain_bytes, 1, 0},
        {0, "retain-time", "DUR", "create: keep at least this long",
         OPT_DURATION, &o.conf.retain_ms, 1, 0},
        {0, "group-expiry", "DUR",
         "create: how long a group that does not run is waited for (7d)",
         OPT_DURATION, &o.conf.group_expiry_ms, 1, 100ULL * 365 * 86400 * 1000},
        {'g', "group", "GROUP", "reset: this group", OPT_STRING, &o.group, 0,
         0},
        {'o', "from", "FROM", "reset: beginning, end, N, -N or a time",
         OPT_STRING, &o.from, 0, 0},
        {0},
    };
    const struct tool tool = {
        .name = "dpp-topic",
        .synopsis = "[-b BROKER] [list]\n"
                    "[-b BROKER] show TOPIC\n"
                    "[-b BROKER] lag [TOPIC]\n"
                    "[-b BROKER] verify [TOPIC]\n"
                    "[-b BROKER] create [-p N] [--replicas N] "
                    "[--min-insync N] [--retain-bytes SIZE] "
                    "[--retain-time DUR] [--group-expiry DUR] TOPIC\n"
                    "[-b BROKER] reset -g GROUP [-o FROM] TOPIC\n"
                    "[-b BROKER] rm TOPIC",
        .about = "Look after topics.",
        .options = options,
    };
    struct err e = {0};
    int rc = tool_begin(&tool, argc, argv, &e);

    if (rc <= 0) {
        return tool_end(rc, &e);
    }
    const char *verb = rc < argc ? argv[rc] : "list";
    if (rc < argc) { /* options may follow the verb as well */
        argc -= rc;
        argv += rc;
        rc = tool_begin(&tool, argc, argv, &e);
        if (rc <= 0) {
            return tool_end(rc, &e);
        }
    }
    return tool_end(run(&o, verb, argc - rc, argv + rc, &e), &e);
}
