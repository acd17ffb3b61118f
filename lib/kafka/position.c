/* Where partitions stand: the positions that go down the stream and come back
 * in hi and receipts, and what of them the group gets. */
#include <stdio.h>

#include "kafka/part.h"
#include "kafka/place.h"
#include "record/pos.h"

void kafka_part_key(const struct kafka_reader *r, const struct kafka_topic *t,
                    uint32_t p, char out[KAFKA_KEY])
{
    (void)snprintf(out, KAFKA_KEY, "%s/%u@%.*s", t->name, p, KAFKA_CLUSTER,
                   r->h.cluster);
}

/* OFFSET@EPOCH, and what hi of a sink has that keeps it in our group:
 * OFFSET@EPOCH! or, where it has none yet, -@EPOCH!. */
struct value {
    bool known;
    bool kept;
    uint64_t offset;
    uint64_t epoch;
};

static struct value read_value(struct slice v)
{
    char text[64];
    unsigned long long offset = 0;
    unsigned long long epoch = 0;
    char mark = '\0';
    struct value out = {0};

    if (v.p == NULL || v.n >= sizeof text) {
        return out;
    }
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    out.known = sscanf(text, "%20llu@%20llu%c", &offset, &epoch, &mark) >= 2;
    if (!out.known) {
        (void)sscanf(text, "-@%20llu%c", &epoch, &mark);
    }
    out.kept = mark == '!';
    out.offset = offset;
    out.epoch = epoch;
    return out;
}

int kafka_part_start(struct kafka_reader *r, struct kafka_topic *t, uint32_t p,
                     struct slice pos, rd_kafka_topic_partition_list_t *list,
                     struct err *e)
{
    struct kafka_part *part = &t->part[p];
    const uint64_t before = part->next;
    char key[KAFKA_KEY];
    uint64_t begin;

    if (r->group == NULL &&
        kafka_place_find(&r->h, t->name, p, &r->start, &part->next, e) < 0) {
        return -1;
    }
    kafka_part_key(r, t, p, key);
    const struct value v = read_value(pos_find(pos, slice_of(key)));
    if (v.known && (v.kept || v.epoch >= part->epoch)) {
        part->next = v.offset;
        part->epoch = v.epoch;
    }
    part->kept = v.kept;
    part->done = part->next;
    part->pulled = 0;
    part->reported = v.kept && !v.known ? UINT64_MAX : part->next;
    part->active = true;
    part->ended = false;
    if (r->stop_at_end) {
        if (kafka_place_bounds(&r->h, t->name, p, &begin, &part->stop_at, e) <
            0) {
            return -1;
        }
        part->ended = part->next >= part->stop_at;
    }
    if (r->group == NULL || part->next != before) {
        rd_kafka_topic_partition_list_add(list, t->name, (int32_t)p)->offset =
            (int64_t)part->next;
    }
    return 0;
}

void kafka_reader_position(struct kafka_reader *r, struct buf *pos)
{
    char key[KAFKA_KEY];
    char value[64];

    for (size_t i = 0; i < r->n; i++) {
        struct kafka_topic *t = &r->v[i];
        for (uint32_t p = 0; p < t->partitions; p++) {
            struct kafka_part *part = &t->part[p];
            if (part->active && part->next != part->reported) {
                part->reported = part->next;
                kafka_part_key(r, t, p, key);
                (void)snprintf(value, sizeof value, "%llu@%llu",
                               (unsigned long long)part->next,
                               (unsigned long long)part->epoch);
                pos_put(pos, slice_of(key), slice_of(value));
            }
        }
    }
}

int kafka_reader_commit(struct kafka_reader *r, struct slice pos, struct err *e)
{
    char key[KAFKA_KEY];

    for (size_t i = 0; i < r->n; i++) {
        struct kafka_topic *t = &r->v[i];
        for (uint32_t p = 0; p < t->partitions; p++) {
            struct kafka_part *part = &t->part[p];
            kafka_part_key(r, t, p, key);
            const struct value v = read_value(pos_find(pos, slice_of(key)));
            if (part->owned && v.known && v.epoch == part->epoch &&
                v.offset > part->done) {
                part->done = v.offset;
            }
        }
    }
    return kafka_group_store(r, false, e);
}

uint64_t kafka_reader_lag(const struct kafka_reader *r)
{
    uint64_t lag = 0;
    int64_t low;
    int64_t high;

    for (size_t i = 0; i < r->n; i++) {
        for (uint32_t p = 0; p < r->v[i].partitions; p++) {
            const struct kafka_part *part = &r->v[i].part[p];
            if (part->active &&
                rd_kafka_get_watermark_offsets(r->h.rk, r->v[i].name,
                                               (int32_t)p, &low, &high) == 0 &&
                high > (int64_t)part->next) {
                lag += (uint64_t)high - part->next;
            }
        }
    }
    return lag;
}
