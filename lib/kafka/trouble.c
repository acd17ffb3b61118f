/* What a reader does about errors in the place of records.
 *
 * Damage is a batch that fails its checksum, or a record that comes behind a
 * later one: Kafka's checksum is over all of a batch but its offset and its
 * length. What came before it goes out first, and may be receipted; then the
 * reader ends with 74. A length that is wrong shows itself in nothing but
 * silence, to which the broker's word of what there is does not fit. */
#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "kafka/part.h"

enum { SECOND_US = 1000 * 1000, AWAIT_US = 10 * SECOND_US };

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

/* A partition that has more, and does not give it. */
static const struct kafka_topic *behind(struct kafka_reader *r, uint32_t *p,
                                        int64_t *high)
{
    int64_t low;

    for (size_t i = 0; i < r->n; i++) {
        for (*p = 0; *p < r->v[i].partitions; (*p)++) {
            const struct kafka_part *part = &r->v[i].part[*p];
            if (part->active && !part->ended &&
                rd_kafka_get_watermark_offsets(r->h.rk, r->v[i].name,
                                               (int32_t)*p, &low, high) == 0 &&
                *high > (int64_t)part->next) {
                return &r->v[i];
            }
        }
    }
    return NULL;
}

int kafka_trouble_watch(struct kafka_reader *r, struct err *e)
{
    uint32_t p = 0;
    int64_t high = 0;

    if (r->damaged_us > 0 && !is_awaited(r)) {
        *e = r->damage;
        return -1;
    }
    /* who does not ask gets nothing */
    const bool asked = clock_mono_us() < r->empty_us + 2 * SECOND_US;
    const struct kafka_topic *t =
        asked && !r->h.away ? behind(r, &p, &high) : NULL;
    if (kafka_stall_is_long(&r->stall, t != NULL)) {
        msg_warn("%s/%u: nothing comes from offset %llu on, and there is more, "
                 "up to %lld: is a transaction open, a broker cut off, a copy "
                 "damaged? waiting",
                 t->name, p, (unsigned long long)t->part[p].next,
                 (long long)high);
    }
    return 0;
}
