/* Reading topics of the local log.
 *
 * A topic is one physical log for all its partitions, read once; records of
 * partitions that are not ours, or that lie before where a partition goes on,
 * are skipped. So everything before the reader's place is done for every
 * partition that is ours, and that place is the position of each of them: a
 * quiet partition moves on with the others and holds up no retention.
 *
 * A position is "OFFSET@EPOCH.ID" under the key "TOPIC/PARTITION": the
 * group's epoch and the first eight digits of the topic's id, so that neither
 * a reset nor a topic made anew is mistaken for the old one. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/pos.h"
#include "topic/local.h"

enum { ID = 8 };

struct part {
    bool active;   /* started: records are given out */
    uint64_t next; /* where it goes on, from start() */
};

struct one_topic {
    char *name;
    struct log_topic conf;
    struct log_reader *log;
    struct log_group *group; /* or NULL */
    bool *owned;
    struct part *part;
    uint32_t surplus;
    uint64_t reported; /* the place of the last position */
    uint64_t stop_at;
    uint64_t begin;
};

struct local_reader {
    struct topic_reader base;
    struct local_store *store;
    struct one_topic *v;
    size_t n;
    size_t current;
    struct start from;
    uint32_t partition_min;
    uint32_t partition_max;
    bool stop_at_end;
};

static void free_topic(struct one_topic *t)
{
    if (t->log != NULL) {
        log_reader_close(t->log);
    }
    if (t->group != NULL) {
        log_group_close(t->group);
    }
    free(t->owned);
    free(t->part);
    free(t->name);
}

static int open_topic(struct local_reader *r, struct one_topic *t,
                      const char *name, const char *group, struct err *e)
{
    struct log *log = r->store->log;
    struct log_stat stat;

    t->name = mem_strdup(name);
    if (local_load(&r->store->base, name, &t->conf, e) < 0) {
        return -1;
    }
    t->owned = mem_new(t->conf.partitions * sizeof *t->owned);
    t->part = mem_new(t->conf.partitions * sizeof *t->part);
    t->log = log_reader_open(log, name, e);
    if (t->log == NULL || log_topic_stat(log, name, &stat, e) < 0) {
        return -1;
    }
    t->stop_at = stat.end;
    t->begin = stat.begin;
    if (group != NULL) {
        t->group = log_group_open(log, group, name, e);
        return t->group == NULL ? -1 : 0;
    }
    for (uint32_t p = 0; p < t->conf.partitions; p++) {
        t->owned[p] = p >= r->partition_min && p <= r->partition_max;
    }
    return 0;
}

struct topic_reader *local_reader_open(struct topic_store *store,
                                       const struct topic_reader_conf *conf,
                                       struct err *e)
{
    struct local_reader *r = mem_new(sizeof *r);

    r->base.backend = &topic_log;
    r->store = (struct local_store *)store;
    r->partition_min = conf->partition_min;
    r->partition_max = conf->partition_max;
    r->stop_at_end = conf->stop_at_end;
    r->v = mem_new(conf->n * sizeof *r->v);
    if (start_parse(&r->from, conf->from, e) < 0) {
        goto fail;
    }
    for (size_t i = 0; i < conf->n; i++) {
        r->n = i + 1;
        if (open_topic(r, &r->v[i], conf->topics[i], conf->group, e) < 0) {
            goto fail;
        }
    }
    return &r->base;
fail:
    local_reader_close(&r->base);
    return NULL;
}

void local_reader_close(struct topic_reader *base)
{
    struct local_reader *r = (struct local_reader *)base;

    for (size_t i = 0; i < r->n; i++) {
        free_topic(&r->v[i]);
    }
    free(r->v);
    free(r);
}

/* --- assignment ---------------------------------------------------------- */

static void key_of(const struct one_topic *t, uint32_t p, char out[256])
{
    (void)snprintf(out, 256, "%s/%u", t->name, p);
}

int local_reader_assign(struct topic_reader *base, struct buf *keys,
                        struct err *e)
{
    struct local_reader *r = (struct local_reader *)base;
    char key[256];

    for (size_t i = 0; i < r->n; i++) {
        struct one_topic *t = &r->v[i];
        if (t->group != NULL &&
            log_group_balance(t->group, t->owned, &t->surplus, e) < 0) {
            return -1;
        }
        for (uint32_t p = t->conf.partitions; p > 0 && t->surplus > 0; p--) {
            if (t->owned[p - 1]) {
                if (log_group_release(t->group, p - 1, e) < 0) {
                    return -1;
                }
                t->owned[p - 1] = false;
                t->surplus--;
            }
        }
        for (uint32_t p = 0; p < t->conf.partitions; p++) {
            t->part[p].active = false;
            if (t->owned[p]) {
                key_of(t, p, key);
                buf_printf(keys, "%s%s", keys->n > 0 ? " " : "", key);
            }
        }
    }
    return 0;
}

int local_reader_unbalanced(struct topic_reader *base, struct err *e)
{
    struct local_reader *r = (struct local_reader *)base;
    bool want = false;

    for (size_t i = 0; i < r->n; i++) {
        struct one_topic *t = &r->v[i];
        if (t->group == NULL) {
            continue;
        }
        const int rc = log_group_balance(t->group, t->owned, &t->surplus, e);
        if (rc < 0) {
            return -1;
        }
        want |= rc == 1 || t->surplus > 0;
    }
    return want;
}

/* --- where to start ------------------------------------------------------ */

/* The offset in a position's value if it is of this topic; its epoch. */
static bool read_value(const struct one_topic *t, struct slice v,
                       uint64_t *offset, uint64_t *epoch)
{
    char text[80];
    char id[ID + 1] = "";
    unsigned long long o;
    unsigned long long ep;

    if (v.p == NULL || v.n >= sizeof text) {
        return false;
    }
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    if (sscanf(text, "%20llu@%20llu.%8[0-9a-f]", &o, &ep, id) != 3 ||
        strncmp(id, t->conf.id, ID) != 0) {
        return false;
    }
    *offset = o;
    *epoch = ep;
    return true;
}

/* What the sink keeps wins within the epoch, then what the group keeps, then
 * -o. 1: it is a stored position. */
static int start_of(struct local_reader *r, struct one_topic *t, uint32_t p,
                    struct slice pos, uint64_t *offset, struct err *e)
{
    char key[256];
    uint64_t epoch = 0;
    struct log_stat stat;

    key_of(t, p, key);
    if (t->group != NULL) {
        if (read_value(t, pos_find(pos, slice_of(key)), offset, &epoch) &&
            epoch >= log_group_epoch(t->group)) {
            return 1;
        }
        const int rc = log_group_read(t->group, p, offset, e);
        if (rc != 0) {
            return rc;
        }
    }
    return log_topic_stat(r->store->log, t->name, &stat, e) < 0 ||
                   local_resolve(t->log, &stat, &r->from, offset, e) < 0
               ? -1
               : 0;
}

/* The group keeps where it starts. What the sink keeps is done; and a group
 * that begins at -o end must begin there again when it is killed before its
 * first receipt. It never moves backwards. */
static int start_at(struct local_reader *r, struct one_topic *t, uint32_t p,
                    struct slice pos, struct err *e)
{
    struct log_group_pos at = {.partition = p};
    const int rc = start_of(r, t, p, pos, &at.offset, e);

    t->part[p].next = at.offset;
    return rc >= 0 && t->group != NULL ? log_group_commit(t->group, &at, 1, e)
                                       : rc;
}

int local_reader_start(struct topic_reader *base, struct slice pos,
                       struct err *e)
{
    struct local_reader *r = (struct local_reader *)base;

    for (size_t i = 0; i < r->n; i++) {
        struct one_topic *t = &r->v[i];
        uint64_t lowest = UINT64_MAX;
        for (uint32_t p = 0; p < t->conf.partitions; p++) {
            if (!t->owned[p]) {
                continue;
            }
            if (start_at(r, t, p, pos, e) < 0) {
                return err_wrap(e, "topic %s", t->name);
            }
            t->part[p].active = true;
            if (t->part[p].next < lowest) {
                lowest = t->part[p].next;
            }
        }
        if (lowest < UINT64_MAX && log_reader_seek(t->log, lowest, e) < 0) {
            return -1;
        }
        t->reported = lowest;
    }
    return 0;
}

/* --- records ------------------------------------------------------------- */

static int next_of(struct local_reader *r, struct one_topic *t,
                   struct topic_record *out, struct err *e)
{
    struct log_record rec;
    int rc;

    if (r->stop_at_end && log_reader_tell(t->log) >= t->stop_at) {
        return 0;
    }
    while ((rc = log_reader_next(t->log, &rec, e)) == 1) {
        if (r->stop_at_end && rec.offset >= t->stop_at) {
            return 0;
        }
        if (rec.partition < t->conf.partitions &&
            t->part[rec.partition].active &&
            rec.offset >= t->part[rec.partition].next) {
            *out = (struct topic_record){t->name, rec.partition, rec.offset,
                                         rec.data};
            return 1;
        }
    }
    return rc;
}

static bool is_active(const struct one_topic *t)
{
    for (uint32_t p = 0; p < t->conf.partitions; p++) {
        if (t->part[p].active) {
            return true;
        }
    }
    return false;
}

int local_reader_next(struct topic_reader *base, struct topic_record *out,
                      struct err *e)
{
    struct local_reader *r = (struct local_reader *)base;

    for (size_t i = 0; i < r->n; i++) {
        struct one_topic *t = &r->v[r->current];
        const int rc = is_active(t) ? next_of(r, t, out, e) : 0;
        if (rc != 0) {
            return rc;
        }
        r->current = (r->current + 1) % r->n;
    }
    return 0;
}

bool local_reader_ended(const struct topic_reader *base)
{
    const struct local_reader *r = (const struct local_reader *)base;

    if (!r->stop_at_end) {
        return false;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (is_active(&r->v[i]) &&
            log_reader_tell(r->v[i].log) < r->v[i].stop_at) {
            return false;
        }
    }
    return true;
}

void local_reader_position(struct topic_reader *base, struct buf *pos)
{
    struct local_reader *r = (struct local_reader *)base;
    char key[256];
    char value[80];

    for (size_t i = 0; i < r->n; i++) {
        struct one_topic *t = &r->v[i];
        const uint64_t at = log_reader_tell(t->log);
        if (t->group == NULL || at <= t->reported) {
            continue;
        }
        t->reported = at;
        for (uint32_t p = 0; p < t->conf.partitions; p++) {
            if (t->part[p].active) {
                const uint64_t next =
                    at > t->part[p].next ? at : t->part[p].next;
                key_of(t, p, key);
                (void)snprintf(value, sizeof value, "%llu@%llu.%.8s",
                               (unsigned long long)next,
                               (unsigned long long)log_group_epoch(t->group),
                               t->conf.id);
                pos_put(pos, slice_of(key), slice_of(value));
            }
        }
    }
}

int local_reader_store(struct topic_reader *base, struct slice pos,
                       struct err *e)
{
    struct local_reader *r = (struct local_reader *)base;
    char key[256];

    for (size_t i = 0; i < r->n; i++) {
        struct one_topic *t = &r->v[i];
        struct log_group_pos *v = mem_alloc(t->conf.partitions * sizeof *v);
        size_t n = 0;
        for (uint32_t p = 0; p < t->conf.partitions; p++) {
            uint64_t epoch;
            key_of(t, p, key);
            if (t->owned[p] && read_value(t, pos_find(pos, slice_of(key)),
                                          &v[n].offset, &epoch)) {
                v[n++].partition = p;
            }
        }
        const int rc = n > 0 ? log_group_commit(t->group, v, n, e) : 0;
        free(v);
        if (rc < 0) {
            return -1;
        }
    }
    return 0;
}

uint64_t local_reader_lag(const struct topic_reader *base)
{
    const struct local_reader *r = (const struct local_reader *)base;
    uint64_t lag = 0;
    struct err ignored;
    struct log_stat stat;

    for (size_t i = 0; i < r->n; i++) {
        const struct one_topic *t = &r->v[i];
        const uint64_t at = log_reader_tell(t->log);
        if (log_topic_stat(r->store->log, t->name, &stat, &ignored) == 0 &&
            stat.end > at) {
            lag += stat.end - at;
        }
    }
    return lag;
}

size_t local_reader_fds(const struct topic_reader *base, struct pollfd *fds,
                        size_t max)
{
    const struct local_reader *r = (const struct local_reader *)base;
    size_t n = 0;

    for (; n < r->n && n < max; n++) {
        fds[n] = (struct pollfd){log_reader_fd(r->v[n].log), POLLIN, 0};
    }
    return n;
}

void local_reader_woken(struct topic_reader *base)
{
    struct local_reader *r = (struct local_reader *)base;

    for (size_t i = 0; i < r->n; i++) {
        log_reader_woken(r->v[i].log);
    }
}
