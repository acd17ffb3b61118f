#include "kafka/offsets.h"

#include <poll.h>

#include "base/err.h"

enum { STABLE_MS = 200 };

/* 1: not stable yet. */
static int hand_out(const rd_kafka_topic_partition_list_t *list,
                    const char *group, kafka_offset_fn *fn, void *arg,
                    struct err *e)
{
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_resp_err_t err = list->elems[i].err;
        if (err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT) {
            return 1;
        }
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_fail(e, err, group);
        }
    }
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        if (p->offset >= 0 &&
            fn(arg, p->topic, (uint32_t)p->partition, (uint64_t)p->offset,
               (struct slice){p->metadata != NULL ? p->metadata : "",
                              p->metadata_size},
               e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int ask(rd_kafka_t *rk, const char *group, bool stable,
               kafka_offset_fn *fn, void *arg, struct err *e)
{
    rd_kafka_ListConsumerGroupOffsets_t *g =
        rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(
        rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    char why[200];
    size_t n = 0;
    int rc = -1;

    rd_kafka_error_t *error =
        rd_kafka_AdminOptions_set_require_stable_offsets(o, stable);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, KAFKA_START_MS, why,
                                                    sizeof why);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
    rd_kafka_ListConsumerGroupOffsets(rk, &g, 1, o, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, -1);
    if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)kafka_fail(e, rd_kafka_event_error(ev), group);
    } else {
        const rd_kafka_group_result_t **result =
            rd_kafka_ListConsumerGroupOffsets_result_groups(
                rd_kafka_event_ListConsumerGroupOffsets_result(ev), &n);
        rc = n == 1 ? hand_out(rd_kafka_group_result_partitions(result[0]),
                               group, fn, arg, e)
                    : 0;
    }
    rd_kafka_event_destroy(ev);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_queue_destroy(q);
    rd_kafka_ListConsumerGroupOffsets_destroy(g);
    return rc;
}

int kafka_offsets_read(rd_kafka_t *rk, const char *group, bool stable,
                       kafka_offset_fn *fn, void *arg, struct err *e)
{
    int rc;

    while ((rc = ask(rk, group, stable, fn, arg, e)) == 1) {
        (void)poll(NULL, 0, STABLE_MS);
    }
    return rc;
}
