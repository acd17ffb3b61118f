/* What a reader does about errors in the place of records.
 *
 * Damage is a batch that fails its checksum, or a record that comes behind a
 * later one: Kafka's checksum is over all of a batch but its offset and its
 * length. What came before it goes out first, and may be receipted; then the
 * reader ends with 74. A length that is wrong shows itself in nothing but
 * silence, to which the broker's word of what there is does not fit. */
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "kafka/part.h"

enum {
    SECOND_US = 1000 * 1000,
    AWAIT_US = 10 * SECOND_US,
    HELD_US = 600 * SECOND_US,
};

static int lost(const struct kafka_reader *r, const char *topic,
                int32_t partition, const struct kafka_part *part, struct err *e)
{
    if (r->group == NULL) {
        (void)err_set(e, STATUS_CONFIG, "-o beginning");
    } else {
        (void)err_set(e, STATUS_CONFIG, "dpp-topic reset -g %s -o beginning %s",
                      r->group + r->space, topic + r->space);
    }
    return err_wrap(e,
                    "%s/%d: the records at offset %llu are gone, or not there "
                    "yet; choose where to go on",
                    topic, partition,
                    (unsigned long long)(part != NULL ? part->next : 0));
}

/* What the checks of librdkafka, or of the broker, say of a batch; or NULL. */
static const char *damage(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR__BAD_MSG:
        return "its checksum is wrong";
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
        return "it cannot be decompressed";
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        return "nobody knows its format or codec";
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        return "the broker says so";
    default:
        return NULL;
    }
}

/* The error is kept: what came before it is whole, and goes out first. */
static void damaged(struct kafka_reader *r, const rd_kafka_message_t *m,
                    const char *why)
{
    const char *topic = rd_kafka_topic_name(m->rkt);
    struct err *e = &r->damage;

    r->damaged_us = clock_mono_us();
    if (r->group == NULL) {
        (void)err_set(e, STATUS_IO, "-o OFFSET");
    } else {
        (void)err_set(e, STATUS_IO, "dpp-topic reset -g %s -o OFFSET %s",
                      r->group + r->space, topic + r->space);
    }
    (void)err_wrap(e,
                   "%s/%d: what broker %d has at offset %lld is damaged (%s): "
                   "stop that broker, so that another copy leads, or go on "
                   "behind it",
                   topic, m->partition, rd_kafka_message_broker_id(m),
                   (long long)m->offset, why);
}

int kafka_trouble_take(struct kafka_reader *r, const rd_kafka_message_t *m,
                       struct err *e)
{
    const char *topic = m->rkt != NULL ? rd_kafka_topic_name(m->rkt) : "topic";
    struct kafka_part *part = kafka_part_find(r, topic, m->partition);

    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (part != NULL && part->active) {
            /* behind the marks of transactions, so that the lag becomes 0 */
            part->next = (uint64_t)m->offset > part->next ? (uint64_t)m->offset
                                                          : part->next;
            part->end = part->next + 1;
            part->ended = true;
        }
        return 0;
    }
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        return lost(r, topic, m->partition, part, e);
    }
    if (damage(m->err) != NULL && part != NULL) {
        if (part->active) {
            damaged(r, m, damage(m->err));
        }
        return 0;
    }
    (void)kafka_fail(e, m->err, rd_kafka_message_errstr(m));
    return err_wrap(e, "%s/%d", topic, m->partition);
}

void kafka_trouble_backward(struct kafka_reader *r, const rd_kafka_message_t *m)
{
    damaged(r, m, "it comes behind a later one");
}

/* Whether receipts may come yet for what was given out before the damage. */
static bool is_awaited(const struct kafka_reader *r)
{
    bool awaited = false;

    for (size_t i = 0; r->group != NULL && i < r->n; i++) {
        for (uint32_t p = 0; p < r->v[i].partitions; p++) {
            const struct kafka_part *part = &r->v[i].part[p];
            awaited |= part->active && part->done < part->next;
        }
    }
    return awaited && clock_mono_us() < r->damaged_us + AWAIT_US;
}

/* Whether it has stood still for long, though there is more of it; true once.
 * *high is the end of what is there, open transactions too. */
static bool stands(struct kafka_reader *r, const struct kafka_topic *t,
                   uint32_t p, bool asked, int64_t *high)
{
    struct kafka_part *part = &t->part[p];
    int64_t low;
    const bool still = part->active && part->stood == part->next && asked &&
                       !(r->stop_at_end && part->ended) &&
                       rd_kafka_get_watermark_offsets(
                           r->h.rk, t->name, (int32_t)p, &low, high) == 0 &&
                       *high > (int64_t)part->next;

    part->stood = part->next;
    return kafka_stall_is_long(&part->stall, still);
}

/* Where the brokers have said that nothing is behind it for us, and something
 * is, it is not committed. Not said each time: a writer may be slow. */
static bool is_held(struct kafka_reader *r, const struct kafka_part *part,
                    bool *quiet)
{
    const uint64_t now = clock_mono_us();
    const bool held = part->end == part->next + 1;

    *quiet = held && r->held_us > 0 && now < r->held_us + HELD_US;
    if (held && !*quiet) {
        r->held_us = now;
    }
    return held;
}

/* The first of n partitions that stand. */
static void tell(struct kafka_reader *r, const struct kafka_topic *t,
                 uint32_t p, int64_t high, unsigned n)
{
    const struct kafka_part *part = &t->part[p];
    char more[48] = "";
    bool quiet;
    const char *why = is_held(r, part, &quiet)
                          ? "a transaction is open there; waiting until it is "
                            "committed or aborted"
                          : "is a broker cut off, a copy damaged? waiting";

    if (n > 1) {
        (void)snprintf(more, sizeof more, " (so it is with %u partitions)", n);
    }
    if (!quiet) {
        msg_warn("%s/%u: nothing comes from offset %llu on, and there is more, "
                 "up to %lld: %s%s",
                 t->name, p, (unsigned long long)part->next, (long long)high,
                 why, more);
    }
}

int kafka_trouble_watch(struct kafka_reader *r, struct err *e)
{
    const struct kafka_topic *first = NULL;
    uint32_t at = 0;
    int64_t top = 0;
    int64_t high;
    unsigned n = 0;

    if (r->damaged_us > 0 && !is_awaited(r)) {
        *e = r->damage;
        return -1;
    }
    const uint64_t now = clock_mono_us();
    if (now < r->watched_us + SECOND_US) {
        return 0;
    }
    r->watched_us = now;
    /* who does not ask, or is behind, gets nothing */
    const bool asked = now < r->empty_us + 2 * SECOND_US && !r->h.away;
    for (size_t i = 0; i < r->n; i++) {
        for (uint32_t p = 0; p < r->v[i].partitions; p++) {
            if (stands(r, &r->v[i], p, asked, &high) && n++ == 0) {
                first = &r->v[i];
                at = p;
                top = high;
            }
        }
    }
    if (first != NULL) {
        tell(r, first, at, top, n);
    }
    return 0;
}
