#include "kafka/place.h"

#include <poll.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"

enum { ASK_MS = 10000, AGAIN_MS = 20, MS = 1000 };

/* A partition that is new, or has a new leader, is not known to all brokers for
 * a moment. */
static bool is_moving(rd_kafka_resp_err_t err, uint64_t since_us)
{
    if ((err != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION &&
         err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) ||
        clock_mono_us() - since_us > (uint64_t)ASK_MS * MS) {
        return false;
    }
    (void)poll(NULL, 0, AGAIN_MS);
    return true;
}

int kafka_place_bounds(const struct kafka_handle *h, const char *topic,
                       uint32_t partition, uint64_t *begin, uint64_t *end,
                       struct err *e)
{
    const uint64_t start_us = clock_mono_us();
    int64_t low;
    int64_t high;
    rd_kafka_resp_err_t err;

    do {
        err = rd_kafka_query_watermark_offsets(h->rk, topic, (int32_t)partition,
                                               &low, &high, ASK_MS);
    } while (is_moving(err, start_us));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)kafka_fail(e, err, topic);
        return err_wrap(e, "partition %u", partition);
    }
    *begin = (uint64_t)low;
    *end = (uint64_t)high;
    return 0;
}

/* The first record at or behind a time; none is the end. */
static int find_time(const struct kafka_handle *h, const char *topic,
                     uint32_t partition, uint64_t ms, uint64_t end,
                     uint64_t *offset, struct err *e)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)partition);

    at->offset = (int64_t)ms;
    const rd_kafka_resp_err_t err =
        rd_kafka_offsets_for_times(h->rk, list, ASK_MS);
    *offset = at->offset < 0 ? end : (uint64_t)at->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return err != RD_KAFKA_RESP_ERR_NO_ERROR ? kafka_fail(e, err, topic) : 0;
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
