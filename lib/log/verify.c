/* Every byte of a topic, without changing anything but what opening it does
 * anyway (a torn tail is cut). Where a batch is damaged the walk goes on at the
 * next good head: the damage behind it shall be known as well. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/little.h"
#include "base/mem.h"
#include "log/shared.h"

struct verify {
    void (*report)(void *, const char *);
    void *arg;
    uint32_t partitions;
    const struct cipher *cipher;
    struct buf plain;
    int faults;
    uint64_t records;
};

static void fault(struct verify *v, const struct err *e)
{
    v->faults++;
    v->report(v->arg, e->text);
}

/* What is wrong with the batch at `at`, or NULL. */
static const char *look(struct verify *v, const struct segment *s, uint64_t at,
                        uint64_t limit, uint64_t offset, struct batch *b)
{
    const struct cipher_key *key = cipher_find(v->cipher, s->head.key);
    struct slice rest;
    struct slice data;
    uint32_t partition;

    if (batch_read(s->map + at, limit - at, at, s->head.tag, b) != 1) {
        return "no batch begins here";
    }
    if (!batch_body_good(b)) {
        return "a batch with a wrong checksum";
    }
    if (b->base != offset) {
        return "a batch with a wrong offset";
    }
    if (s->head.key != 0 && key == NULL) {
        return NULL; /* its checksum is all that can be said */
    }
    if (!cipher_open(key, b, &v->plain, &rest)) {
        return "a batch that its key does not open";
    }
    for (uint32_t i = 0; i < b->count; i++) {
        if (!batch_entry_next(&rest, &partition, &data) ||
            partition >= v->partitions) {
            return "a batch with a wrong entry";
        }
    }
    return rest.n < 8 ? NULL : "a batch with bytes behind its entries";
}

/* The next place with a good head, or limit. */
static uint64_t resume(const struct segment *s, uint64_t at, uint64_t limit,
                       uint64_t *offset)
{
    struct batch b;

    for (at += 8; at + FORMAT_HEAD <= limit; at += 8) {
        if (get64(s->map + at) == s->head.tag &&
            batch_read(s->map + at, limit - at, at, s->head.tag, &b) == 1) {
            *offset = b.base;
            return at;
        }
    }
    return limit;
}

static bool blank(const struct segment *s, uint64_t at)
{
    static const char zeros[FORMAT_HEAD];
    const uint64_t n = s->len - at < FORMAT_HEAD ? s->len - at : FORMAT_HEAD;

    return memcmp(s->map + at, zeros, n) == 0;
}

/* `next` is the base of the segment behind, or UINT64_MAX; limit the synced
 * end of the last one, or UINT64_MAX where it is not known. */
static void walk(struct verify *v, struct segment *s, uint64_t next,
                 uint64_t limit)
{
    const bool open_end = next == UINT64_MAX && limit == UINT64_MAX;
    uint64_t at = FORMAT_SEGMENT;
    uint64_t offset = s->head.base;
    struct batch b;
    struct err e;

    if (limit == UINT64_MAX) {
        limit = segment_size(s);
    }
    if (segment_map(s, limit, &e) < 0) {
        fault(v, &e);
        if (segment_map(s, FORMAT_SEGMENT, &e) < 0) {
            return;
        }
        limit = s->len;
    }
    while (at < limit && offset != next) {
        const char *what = look(v, s, at, limit, offset, &b);
        if (what == NULL) {
            v->records += b.count;
            offset += b.count;
            at = b.next;
            continue;
        }
        if (open_end && blank(s, at)) {
            return;
        }
        (void)segment_damage(s, at, what, &e);
        fault(v, &e);
        at = resume(s, at, limit, &offset);
    }
    if (next != UINT64_MAX && offset != next) {
        err_set(&e, STATUS_IO,
                "%s: ends with record %" PRIu64 ", the next file begins with "
                "%" PRIu64,
                s->path, offset, next);
        fault(v, &e);
    }
}

static void walk_all(struct verify *v, const char *dir, const char id[33],
                     const struct mark *end, const uint64_t *base, size_t n)
{
    for (size_t i = 0; i < n && (end == NULL || base[i] <= end->base); i++) {
        const bool last = end != NULL ? base[i] == end->base : i + 1 == n;
        const uint64_t next = last ? UINT64_MAX : base[i + 1];
        const uint64_t limit = last && end != NULL ? end->byte : UINT64_MAX;
        struct segment s;
        struct err e;
        const int rc = segment_open(&s, dir, base[i], id, &e);
        if (rc < 0) {
            fault(v, &e);
        } else if (rc == 1) {
            walk(v, &s, next, limit);
        }
        segment_close(&s);
    }
}

int log_topic_verify(struct log *log, const char *topic,
                     void (*report)(void *, const char *line), void *arg,
                     uint64_t *records, struct err *e)
{
    struct verify v = {.report = report, .arg = arg};
    struct log_topic meta;
    struct shared s;
    struct mark end;
    uint64_t *base = NULL;
    size_t n;

    const int found = log_topic_load(log, topic, &meta, e);
    if (found <= 0) {
        return found < 0 ? -1
                         : err_set(e, STATUS_UNREACHABLE,
                                   "there is no topic \"%s\"", topic);
    }
    v.partitions = meta.partitions;
    struct cipher cipher = {0};
    cipher_derive(&log->keys, meta.id, &cipher);
    v.cipher = &cipher;
    /* Damage at the end keeps it from being opened: then by the files alone. */
    const bool open = shared_open(&s, log, topic, e) == 0;
    if (!open && e->status != STATUS_IO) {
        return -1;
    }
    if (open) {
        shared_synced(&s, &end);
    }
    char *dir = store_path(log, "topics", topic);
    int rc = segment_list(dir, &base, &n, e);
    if (rc == 0 && n == 0) {
        rc = err_set(e, STATUS_IO, "%s: has no segment", dir);
    }
    if (rc == 0) {
        const int before = v.faults;
        const struct err opening = *e;
        walk_all(&v, dir, meta.id, open ? &end : NULL, base, n);
        if (!open && v.faults == before) {
            fault(&v, &opening);
        }
        rc = v.faults;
    }
    *records = v.records;
    buf_release(&v.plain);
    cipher_release(&cipher);
    free(base);
    free(dir);
    shared_close(&s);
    return rc;
}
