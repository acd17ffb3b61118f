#include "kafka/place.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    ASK_MS = 15000,
    TRY_MS = 1000,
    KNOW_MS = 2000,
    AGAIN_MS = 20,
    MS = 1000
};

/* --- who does not answer -------------------------------------------------
 */

static const char *address(const struct rd_kafka_metadata *m, int32_t id,
                           char *out, size_t size)
{
    out[0] = '\0';
    for (int i = 0; i < m->broker_cnt; i++) {
        if (m->brokers[i].id == id) {
            (void)snprintf(out, size, " (%s:%d)", m->brokers[i].host,
                           m->brokers[i].port);
        }
    }
    return out;
}

static int blame(const struct rd_kafka_metadata *m, const char *topic,
                 uint32_t partition, struct err *e)
{
    const struct rd_kafka_metadata_topic *t = &m->topics[0];
    int32_t leader = -1;
    char at[280];

    for (int i = 0; i < t->partition_cnt; i++) {
        if (t->partitions[i].id == (int32_t)partition) {
            leader = t->partitions[i].leader;
        }
    }
    return leader < 0
               ? err_set(e, STATUS_UNREACHABLE,
                         "%s/%u: no broker leads it; are those that have a "
                         "copy of it running? (dpp-topic show)",
                         topic, partition)
               : err_set(e, STATUS_UNREACHABLE,
                         "%s/%u: broker %d%s leads it, and does not answer; is "
                         "it running, and within reach?",
                         topic, partition, leader,
                         address(m, leader, at, sizeof at));
}

/* An answer did not come, though brokers were there a moment ago. */
static int no_answer(const struct kafka_handle *h, const char *topic,
                     uint32_t partition, rd_kafka_resp_err_t err, struct err *e)
{
    const struct rd_kafka_metadata *m = NULL;
    rd_kafka_topic_t *t = rd_kafka_topic_new(h->rk, topic, NULL);
    int rc;

    if (t != NULL &&
        rd_kafka_metadata(h->rk, 0, t, &m, KNOW_MS) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        m->topic_cnt == 1) {
        rc = blame(m, topic, partition, e);
    } else {
        (void)kafka_fail(e, err, topic);
        rc = err_wrap(e, "partition %u", partition);
    }
    if (m != NULL) {
        rd_kafka_metadata_destroy(m);
    }
    if (t != NULL) {
        rd_kafka_topic_destroy(t);
    }
    return rc;
}

/* --- questions ------------------------------------------------------------
 */

/* A leader that cannot be reached, or is none any more: there may be another
 * one soon. A partition that is new, or has a new leader, is not known to all
 * brokers for a moment. */
static bool may_pass(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: /* nobody leads it */
        return true;
    default:
        return false;
    }
}

/* The question of the library that is made for the bounds never gives up
 * (rd_kafka_query_watermark_offsets(), before 2.3.0); this one does, and asks
 * the same of the broker, for the bounds are times to it. */
static rd_kafka_resp_err_t try(const struct kafka_handle *h, const char *topic,
                               uint32_t partition, int64_t time, int ms,
                               int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)partition);

    at->offset = time;
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(h->rk, list, ms);
    err = err != RD_KAFKA_RESP_ERR_NO_ERROR ? err : at->err;
    *offset = at->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

/* The first record at or behind a time, -1: none; or one of the bounds, if it
 * is RD_KAFKA_OFFSET_BEGINNING or _END. Each try may take twice as long as the
 * one before, because it keeps to the leader that it has begun with. */
static int ask(const struct kafka_handle *h, const char *topic,
               uint32_t partition, int64_t time, int64_t *offset, struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)ASK_MS * MS;
    rd_kafka_resp_err_t err;
    int ms = TRY_MS;

    while (may_pass(err = try(h, topic, partition, time, ms, offset)) &&
           clock_mono_us() < until) {
        ms *= err == RD_KAFKA_RESP_ERR__TIMED_OUT ? 2 : 1;
        (void)poll(NULL, 0, AGAIN_MS);
    }
    if (may_pass(err)) {
        return no_answer(h, topic, partition, err, e);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)kafka_fail(e, err, topic);
        return err_wrap(e, "partition %u", partition);
    }
    return 0;
}

int kafka_place_bounds(const struct kafka_handle *h, const char *topic,
                       uint32_t partition, uint64_t *begin, uint64_t *end,
                       struct err *e)
{
    int64_t low;
    int64_t high;

    if (ask(h, topic, partition, RD_KAFKA_OFFSET_BEGINNING, &low, e) < 0 ||
        ask(h, topic, partition, RD_KAFKA_OFFSET_END, &high, e) < 0) {
        return -1;
    }
    *begin = (uint64_t)low;
    *end = (uint64_t)high;
    return 0;
}

/* None is the end. */
static int find_time(const struct kafka_handle *h, const char *topic,
                     uint32_t partition, uint64_t ms, uint64_t end,
                     uint64_t *offset, struct err *e)
{
    int64_t at;

    if (ask(h, topic, partition, (int64_t)ms, &at, e) < 0) {
        return -1;
    }
    *offset = at < 0 ? end : (uint64_t)at;
    return 0;
}

int kafka_place_find(const struct kafka_handle *h, const char *topic,
                     uint32_t partition, const struct start *from,
                     uint64_t *offset, struct err *e)
{
    uint64_t begin;
    uint64_t end;

    if (kafka_place_bounds(h, topic, partition, &begin, &end, e) < 0) {
        return -1;
    }
    switch (from->from) {
    case START_BEGINNING:
        *offset = begin;
        break;
    case START_END:
        *offset = end;
        break;
    case START_OFFSET:
        *offset = from->value;
        break;
    case START_BACK:
        *offset = end - begin > from->value ? end - from->value : begin;
        break;
    case START_TIME:
        return find_time(h, topic, partition, from->value, end, offset, e);
    }
    return 0;
}
