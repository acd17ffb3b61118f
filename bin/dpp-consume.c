/* dpp-consume: events of topics to standard output.
 *
 * With a group it keeps a position and speaks the protocol: the position goes
 * down with each mark and is stored in the group when the receipt comes. When
 * the group's members change it drains, ends the run, and begins another one
 * with what it owns then. Without a group it writes plain events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/event.h"
#include "record/json.h"
#include "record/pos.h"
#include "stage/source.h"
#include "topic/options.h"
#include "topic/topic.h"

enum { TOPICS = 16, BALANCE_US = 1000 * 1000 };

struct consume {
    struct topic_store_conf broker;
    const char *topic_list;
    const char *group;
    const char *from;
    const char *partitions;
    bool stop_at_end;
    bool raw;
    bool no_receipts;
    uint64_t count; /* -m; 0: no limit */

    char *names; /* topic_list, cut at the commas */
    const char *topics[TOPICS];
    struct topic_reader_conf conf;
    struct topic_store *store;
    struct topic_reader *reader;
    struct source *source;
    uint64_t taken;
    uint64_t balance_due_us;
    bool unbalanced;
    struct buf value;
    struct buf pos;
};

/* --- arguments ------------------------------------------------------------ */

static int parse_topics(struct consume *c, struct err *e)
{
    char *rest = NULL;

    if (c->topic_list == NULL) {
        return err_set(e, STATUS_USAGE, "-t TOPIC is missing (try -h)");
    }
    c->names = mem_strdup(c->topic_list);
    for (char *t = strtok_r(c->names, ",", &rest); t != NULL;
         t = strtok_r(NULL, ",", &rest)) {
        if (c->conf.n == TOPICS) {
            return err_set(e, STATUS_USAGE, "-t: more than %d topics", TOPICS);
        }
        if (topic_name_check(t, e) < 0) {
            return -1;
        }
        c->topics[c->conf.n++] = t;
    }
    return c->conf.n > 0 ? 0
                         : err_set(e, STATUS_USAGE, "-t: no topic in \"%s\"",
                                   c->topic_list);
}

static int parse_partitions(struct consume *c, struct err *e)
{
    unsigned low;
    unsigned high;
    int used = 0;

    c->conf.partition_max = UINT32_MAX;
    if (c->partitions == NULL) {
        return 0;
    }
    if (sscanf(c->partitions, "%9u%n", &low, &used) == 1 &&
        c->partitions[used] == '\0') {
        high = low;
    } else if (sscanf(c->partitions, "%9u-%9u%n", &low, &high, &used) != 2 ||
               c->partitions[used] != '\0' || high < low) {
        return err_set(e, STATUS_USAGE, "-p \"%s\": not N or N-M",
                       c->partitions);
    }
    c->conf.partition_min = low;
    c->conf.partition_max = high;
    return 0;
}

static int setup(void *ctx, int argc, char **argv, struct err *e)
{
    struct consume *c = ctx;

    if (argc > 0) {
        return err_set(e, STATUS_USAGE, "what is \"%s\"? (try -h)", argv[0]);
    }
    if (parse_topics(c, e) < 0 || parse_partitions(c, e) < 0) {
        return -1;
    }
    if (c->group != NULL && topic_name_check(c->group, e) < 0) {
        return err_wrap(e, "-g");
    }
    if (c->group != NULL && c->partitions != NULL) {
        return err_set(e, STATUS_USAGE,
                       "-p and -g: a group shares out the partitions itself");
    }
    if (c->raw && c->group != NULL && !c->no_receipts) {
        return err_set(e, STATUS_USAGE,
                       "-r carries no control lines, so -g could not know "
                       "what arrived: leave out -r, or take at most once "
                       "with --no-receipts");
    }
    c->conf.topics = c->topics;
    c->conf.group = c->group;
    c->conf.from = c->from;
    c->conf.stop_at_end = c->stop_at_end;
    return 0;
}

/* --- the source ------------------------------------------------------------
 */

static int open_reader(void *ctx, struct source *s, struct err *e)
{
    struct consume *c = ctx;
    struct buf keys;

    c->source = s;
    if (c->reader == NULL) {
        c->store = topic_store_open(&c->broker, e);
        if (c->store == NULL) {
            return -1;
        }
        c->reader = topic_reader_open(c->store, &c->conf, e);
        if (c->reader == NULL) {
            return -1;
        }
    }
    buf_init(&keys);
    const int rc = topic_reader_assign(c->reader, &keys, e);
    if (rc == 0 && c->group != NULL && !c->no_receipts) {
        source_identify(s, c->group, buf_slice(&keys));
    }
    buf_release(&keys);
    c->unbalanced = false;
    c->balance_due_us = clock_mono_us() + BALANCE_US;
    return rc;
}

static int start(void *ctx, struct slice pos, struct err *e)
{
    struct consume *c = ctx;

    return topic_reader_start(c->reader, pos, e);
}

/* The value alone, on one line. */
static void put_value(struct consume *c, struct buf *line, struct slice text)
{
    struct event ev;
    struct err e;
    bool reordered;

    buf_clear(&c->value);
    if (event_parse(&ev, text, &reordered, &e) < 0 ||
        event_value(&ev, &c->value) <= 0) {
        return;
    }
    if (c->value.n > 0 && (memchr(c->value.p, '\n', c->value.n) != NULL ||
                           memchr(c->value.p, '\r', c->value.n) != NULL)) {
        if (!json_valid(buf_slice(&c->value))) {
            json_encode(line, buf_slice(&c->value));
            return;
        }
        for (size_t i = 0; i < c->value.n; i++) {
            if (c->value.p[i] == '\n' || c->value.p[i] == '\r') {
                c->value.p[i] = ' '; /* between tokens: never in a string */
            }
        }
    }
    buf_append_slice(line, buf_slice(&c->value));
}

static int take_one(struct consume *c, struct source *s, struct err *e)
{
    struct topic_record r;
    const int rc = topic_reader_next(c->reader, &r, e);

    if (rc == 1) {
        struct buf *line = source_line(s);
        if (c->raw) {
            put_value(c, line, r.line);
        } else {
            event_add_origin(line, r.line, r.topic, r.partition, r.offset);
        }
        source_line_done(s);
        c->taken++;
    }
    return rc;
}

/* At most once: what take() gave out before was written when it is called
 * again. */
static int store_written(struct consume *c, struct err *e)
{
    if (!c->no_receipts || c->group == NULL) {
        return 0;
    }
    buf_clear(&c->pos);
    topic_reader_position(c->reader, &c->pos);
    pos_seal(&c->pos);
    return c->pos.n > 0 ? topic_reader_commit(c->reader, buf_slice(&c->pos), e)
                        : 0;
}

static int take(void *ctx, struct source *s, struct err *e)
{
    struct consume *c = ctx;
    int rc = 1;

    if (store_written(c, e) < 0) {
        return -1;
    }
    if (c->unbalanced) {
        return SOURCE_AGAIN;
    }
    while (rc == 1 && !source_full(s) &&
           (c->count == 0 || c->taken < c->count)) {
        rc = take_one(c, s, e);
        if (rc < 0) {
            return -1;
        }
    }
    if ((c->count > 0 && c->taken >= c->count) ||
        (rc == 0 && topic_reader_ended(c->reader))) {
        return SOURCE_END;
    }
    return rc == 1 ? SOURCE_MORE : SOURCE_IDLE;
}

static void position(void *ctx, struct buf *pos)
{
    struct consume *c = ctx;

    topic_reader_position(c->reader, pos);
}

static int receipt(void *ctx, uint64_t seq, struct slice pos, struct err *e)
{
    struct consume *c = ctx;

    (void)seq;
    return pos.n > 0 ? topic_reader_commit(c->reader, pos, e) : 0;
}

static size_t fds(void *ctx, struct pollfd *v, size_t max, int *timeout_ms)
{
    struct consume *c = ctx;

    const int due = topic_reader_due(c->reader);
    const int most = due >= 0 && due < 1000 ? due : 1000;

    if (*timeout_ms < 0 || *timeout_ms > most) {
        *timeout_ms = most;
    }
    return topic_reader_fds(c->reader, v, max);
}

static int woken(void *ctx, const struct pollfd *v, size_t n, struct err *e)
{
    struct consume *c = ctx;

    for (size_t i = 0; i < n; i++) {
        if (v[i].revents != 0) {
            topic_reader_woken(c->reader);
            break;
        }
    }
    const uint64_t now = clock_mono_us();
    if ((now >= c->balance_due_us || topic_reader_due(c->reader) == 0) &&
        source_started(c->source)) {
        const int rc = topic_reader_unbalanced(c->reader, e);
        if (rc < 0) {
            return -1;
        }
        c->unbalanced |= rc == 1;
        c->balance_due_us = now + BALANCE_US;
        source_stats(c->source)->lag = topic_reader_lag(c->reader);
    }
    return 0;
}

static void close_reader(void *ctx)
{
    struct consume *c = ctx;
    struct err ignored;

    if (c->reader != NULL) {
        (void)store_written(c, &ignored);
    }
    topic_reader_close(c->reader);
    topic_store_close(c->store);
    buf_release(&c->value);
    buf_release(&c->pos);
    free(c->names);
}

int main(int argc, char **argv)
{
    static struct consume c;
    const struct opt options[] = {
        TOPIC_STORE_OPTIONS(c.broker),
        TOPIC_SECRET_OPTION(c.broker),
        {'t', "topic", "T[,T]", "read these topics", OPT_STRING, &c.topic_list,
         0, 0},
        {'g', "group", "GROUP", "keep a position; share the partitions",
         OPT_STRING, &c.group, 0, 0},
        {'o', "from", "FROM", "beginning, end, N, -N or a time", OPT_STRING,
         &c.from, 0, 0},
        {'e', "end", NULL, "stop at the end as seen at the start", OPT_FLAG,
         &c.stop_at_end, 0, 0},
        {'m', "count", "N", "stop after N events", OPT_NUMBER, &c.count, 1, 0},
        {'p', "partitions", "N[-M]", "only these partitions", OPT_STRING,
         &c.partitions, 0, 0},
        {'r', "raw", NULL, "values only, one a line", OPT_FLAG, &c.raw, 0, 0},
        {0, "no-receipts", NULL, "with -g: plain events, at most once",
         OPT_FLAG, &c.no_receipts, 0, 0},
        {0},
    };
    const struct stage_program program = {
        .name = "dpp-consume",
        .synopsis = "[-b BROKER] -t TOPIC[,TOPIC] [-g GROUP] [-o FROM] [-e] "
                    "[-m N]\n[-p N[-M]] [-r] [--no-receipts] [-X NAME=VALUE] "
                    "[-k REF]",
        .about = "Write the events of topics to standard output.",
        .options = options,
        .setup = setup,
    };
    static const struct source_ops ops = {
        .open = open_reader,
        .start = start,
        .take = take,
        .position = position,
        .receipt = receipt,
        .fds = fds,
        .woken = woken,
        .close = close_reader,
    };

    return source_main(&program, &ops, &c, argc, argv);
}
