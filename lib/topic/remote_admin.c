#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "kafka/through.h"
#include "record/start.h"
#include "topic/remote.h"

static struct kafka_admin *admin_of(struct topic_store *base, struct err *e)
{
    struct remote_store *s = (struct remote_store *)base;

    if (s->admin == NULL) {
        s->admin = kafka_admin_open(s->client, e);
    }
    return s->admin;
}

/* A topic that must be there; *real is its name in the cluster, the caller's
 * to free in any case. */
static struct kafka_admin *load(struct topic_store *s, const char *topic,
                                char **real, uint32_t *partitions,
                                uint32_t *replicas, struct err *e)
{
    struct kafka_admin *a = admin_of(s, e);

    *real = remote_name((struct remote_store *)s, topic);
    const int rc =
        a == NULL ? -1 : kafka_admin_topic(a, *real, partitions, replicas, e);

    if (rc == 0) {
        (void)remote_unknown(s, topic, e);
    }
    return rc == 1 ? a : NULL;
}

/* --- list, show ------------------------------------------------------------
 */

struct listing {
    const struct remote_store *store;
    struct kafka_admin *admin;
    topic_show_fn *fn;
    void *arg;
};

/* Offsets are added up over the partitions. */
static int add_bounds(struct kafka_admin *a, const char *topic,
                      uint32_t partitions, struct topic_info *info,
                      struct err *e)
{
    uint64_t begin;
    uint64_t end;

    for (uint32_t p = 0; p < partitions; p++) {
        if (kafka_admin_bounds(a, topic, p, &begin, &end, e) < 0) {
            return -1;
        }
        info->begin += begin;
        info->end += end;
    }
    return 0;
}

static int list_one(void *arg, const char *topic, uint32_t partitions,
                    uint32_t replicas, struct err *e)
{
    const struct listing *l = arg;
    struct topic_info info = {.conf.partitions = partitions,
                              .conf.replicas = replicas};

    const char *name = remote_own_name(l->store, topic);
    if (name == NULL) {
        return 0;
    }
    if (add_bounds(l->admin, topic, partitions, &info, e) < 0) {
        return -1;
    }
    l->fn(l->arg, name, &info);
    return 0;
}

int remote_list(struct topic_store *s, topic_show_fn *fn, void *arg,
                struct err *e)
{
    struct listing l = {(struct remote_store *)s, admin_of(s, e), fn, arg};

    return l.admin == NULL ? -1 : kafka_admin_topics(l.admin, list_one, &l, e);
}

int remote_show(struct topic_store *s, const char *topic,
                struct topic_info *info, struct err *e)
{
    char *real;
    uint32_t partitions = 0;
    uint32_t replicas = 0;
    struct kafka_topic_conf conf = {0};
    struct kafka_admin *a = load(s, topic, &real, &partitions, &replicas, e);
    int rc = -1;

    *info = (struct topic_info){0};
    if (a != NULL && kafka_admin_conf(a, real, &conf, e) == 0) {
        rc = add_bounds(a, real, partitions, info, e);
    }
    info->conf = (struct topic_conf){
        .partitions = partitions,
        .replicas = replicas,
        .min_in_sync = conf.min_in_sync,
        .retain_bytes = conf.retain_bytes,
        .retain_ms = conf.retain_ms,
    };
    free(real);
    return rc;
}

/* --- create, remove --------------------------------------------------------
 */

int remote_create(struct topic_store *s, const char *topic,
                  const struct topic_conf *conf, struct err *e)
{
    if (conf->min_in_sync > conf->replicas) {
        return err_set(e, STATUS_USAGE,
                       "--min-insync %llu: give --replicas as well, at least "
                       "as many (one more, so that one may be away)",
                       (unsigned long long)conf->min_in_sync);
    }
    struct kafka_admin *a = admin_of(s, e);
    const struct kafka_topic_conf kafka = {
        .partitions = (uint32_t)conf->partitions,
        .replicas = (uint32_t)conf->replicas,
        .min_in_sync = (uint32_t)conf->min_in_sync,
        .retain_bytes = conf->retain_bytes,
        .retain_ms = conf->retain_ms,
    };

    char *real = remote_name((struct remote_store *)s, topic);
    const int rc = a == NULL ? -1 : kafka_admin_create(a, real, &kafka, e);
    free(real);
    return rc;
}

int remote_remove(struct topic_store *s, const char *topic, struct err *e)
{
    char *real;
    uint32_t partitions;
    uint32_t replicas;
    struct kafka_admin *a = load(s, topic, &real, &partitions, &replicas, e);
    const int rc = a == NULL ? -1 : kafka_admin_remove(a, real, e);

    free(real);
    return rc;
}

/* --- groups ----------------------------------------------------------------
 */

struct grouping {
    const struct remote_store *store;
    struct kafka_admin *admin;
    char *topic; /* in the cluster */
    uint64_t *end;
    uint32_t partitions;
    const char *group;
    topic_group_fn *fn;
    void *arg;
};

/* "… o=OWNER …" (kafka/claim.c) */
static struct slice owner_of(struct slice metadata)
{
    const char *p = memmem(metadata.p, metadata.n, " o=", 3);

    if (p == NULL) {
        return (struct slice){"", 0};
    }
    p += 3;
    const size_t left = metadata.n - (size_t)(p - metadata.p);
    const char *end = memchr(p, ' ', left);
    return (struct slice){p, end != NULL ? (size_t)(end - p) : left};
}

static int one_offset(void *arg, const char *topic, uint32_t partition,
                      uint64_t offset, struct slice metadata, struct err *e)
{
    const struct grouping *g = arg;
    const struct topic_group_pos pos = {
        .group = g->group,
        .partition = partition,
        .has_offset = 1,
        .offset = offset,
        .end = partition < g->partitions ? g->end[partition] : offset,
        .owner = owner_of(metadata),
    };

    (void)e;
    if (strcmp(topic, g->topic) == 0) {
        g->fn(g->arg, &pos);
    }
    return 0;
}

static int one_group(void *arg, const char *group, struct err *e)
{
    struct grouping *g = arg;

    g->group = remote_own_name(g->store, group);
    return g->group == NULL
               ? 0
               : kafka_admin_offsets(g->admin, group, false, one_offset, g, e);
}

int remote_groups(struct topic_store *s, const char *topic, topic_group_fn *fn,
                  void *arg, struct err *e)
{
    uint32_t replicas;
    uint64_t begin;
    struct grouping g = {
        .store = (struct remote_store *)s, .fn = fn, .arg = arg};
    int rc = 0;

    g.admin = load(s, topic, &g.topic, &g.partitions, &replicas, e);
    if (g.admin == NULL) {
        free(g.topic);
        return -1;
    }
    g.end = mem_new(g.partitions * sizeof *g.end);
    for (uint32_t p = 0; rc == 0 && p < g.partitions; p++) {
        rc = kafka_admin_bounds(g.admin, g.topic, p, &begin, &g.end[p], e);
    }
    if (rc == 0) {
        rc = kafka_admin_groups(g.admin, one_group, &g, e);
    }
    free(g.end);
    free(g.topic);
    return rc;
}

/* --- reset -----------------------------------------------------------------
 */

static int resolve(struct kafka_admin *a, const char *topic, uint32_t p,
                   const struct start *from, uint64_t *offset, struct err *e)
{
    uint64_t begin;
    uint64_t end;

    if (kafka_admin_find(a, topic, p, from, offset, e) < 0) {
        return -1;
    }
    if (from->from != START_OFFSET) {
        return 0;
    }
    if (kafka_admin_bounds(a, topic, p, &begin, &end, e) < 0) {
        return -1;
    }
    return *offset < begin || *offset > end
               ? err_set(e, STATUS_USAGE,
                         "-o %llu: %s/%u holds offsets %llu to %llu",
                         (unsigned long long)*offset, topic, p,
                         (unsigned long long)begin, (unsigned long long)end)
               : 0;
}

struct epochs {
    const char *topic;
    unsigned long long highest;
};

static int read_epoch(void *arg, const char *topic, uint32_t partition,
                      uint64_t offset, struct slice metadata, struct err *e)
{
    struct epochs *x = arg;
    unsigned long long epoch;
    char text[32] = "";

    (void)partition;
    (void)offset;
    (void)e;
    if (strcmp(topic, x->topic) == 0 && metadata.n < sizeof text) {
        memcpy(text, metadata.p, metadata.n);
        if (sscanf(text, "e=%20llu", &epoch) == 1 && epoch > x->highest) {
            x->highest = epoch;
        }
    }
    return 0;
}

/* Each partition's place, and the epoch behind all that were. */
static int reset(struct kafka_admin *a, const char *topic, const char *group,
                 const struct start *start, uint32_t partitions,
                 uint64_t *offsets, struct err *e)
{
    struct epochs x = {.topic = topic};
    char metadata[32];

    if (kafka_admin_offsets(a, group, true, read_epoch, &x, e) < 0) {
        return -1;
    }
    for (uint32_t p = 0; p < partitions; p++) {
        if (resolve(a, topic, p, start, &offsets[p], e) < 0) {
            return -1;
        }
    }
    (void)snprintf(metadata, sizeof metadata, "e=%llu", x.highest + 1);
    return kafka_admin_set_offsets(a, group, topic, offsets, partitions,
                                   metadata, e);
}

int remote_reset(struct topic_store *s, const char *topic, const char *group,
                 const char *from, uint64_t *offset, struct err *e)
{
    struct start start;
    uint32_t partitions;
    uint32_t replicas;
    char *real;
    int rc = -1;

    if (start_parse(&start, from, e) < 0) {
        return -1;
    }
    struct kafka_admin *a = load(s, topic, &real, &partitions, &replicas, e);
    char *real_group = remote_name((struct remote_store *)s, group);
    if (a != NULL) {
        uint64_t *v = mem_new(partitions * sizeof *v);
        rc = reset(a, real, real_group, &start, partitions, v, e);
        *offset = partitions == 1 ? v[0] : UINT64_MAX;
        free(v);
    }
    free(real);
    free(real_group);
    return rc;
}

static int count(void *arg, const struct kafka_reader_record *r, struct err *e)
{
    uint64_t *records = arg;

    (void)r;
    (void)e;
    (*records)++;
    return 0;
}

/* Everything is read; the client checks the sum of each batch. */
int remote_verify(struct topic_store *s, const char *topic, topic_fault_fn *fn,
                  void *arg, uint64_t *records, struct err *e)
{
    char *real;
    uint32_t partitions;
    uint32_t replicas;
    int rc = -1;

    if (load(s, topic, &real, &partitions, &replicas, e) != NULL) {
        rc = kafka_through(((struct remote_store *)s)->client, real, count,
                           records, e);
        if (rc == 1) { /* found, not failed: what was read tells */
            fn(arg, e->text);
        }
    }
    free(real);
    return rc;
}
