#include "kafka/quiet.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum { JOIN_GROUP = 11, HEARTBEAT = 12, SYNC_GROUP = 14 };
enum { MOMENT_US = 20 * 1000 };

/* Written by librdkafka's threads. */
struct kafka_quiet {
    _Atomic bool joining;
    _Atomic uint64_t beat_us; /* the last answer to a heartbeat */
};

/* What an interceptor is told and need not know. */
#define UNUSED __attribute__((unused))

static rd_kafka_resp_err_t sent(UNUSED rd_kafka_t *rk, UNUSED int fd,
                                UNUSED const char *broker, UNUSED int32_t id,
                                int16_t api, UNUSED int16_t version,
                                UNUSED int32_t correlation, UNUSED size_t size,
                                void *arg)
{
    struct kafka_quiet *q = arg;

    if (api == JOIN_GROUP) {
        q->joining = true;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
received(UNUSED rd_kafka_t *rk, UNUSED int fd, UNUSED const char *broker,
         UNUSED int32_t id, int16_t api, UNUSED int16_t version,
         UNUSED int32_t correlation, UNUSED size_t size, UNUSED int64_t took,
         UNUSED rd_kafka_resp_err_t err, void *arg)
{
    struct kafka_quiet *q = arg;

    if (api == HEARTBEAT) {
        q->beat_us = clock_mono_us();
    } else if (api == SYNC_GROUP) {
        q->joining = false;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t watch(rd_kafka_t *rk, const rd_kafka_conf_t *conf,
                                 void *arg, char *why, size_t size)
{
    (void)conf;
    (void)why;
    (void)size;
    const rd_kafka_resp_err_t err =
        rd_kafka_interceptor_add_on_request_sent(rk, "dpp", sent, arg);
    return err != RD_KAFKA_RESP_ERR_NO_ERROR
               ? err
               : rd_kafka_interceptor_add_on_response_received(rk, "dpp",
                                                               received, arg);
}

struct kafka_quiet *kafka_quiet_new(rd_kafka_conf_t *conf)
{
    struct kafka_quiet *q = mem_new(sizeof *q);

    (void)rd_kafka_conf_interceptor_add_on_new(conf, "dpp", watch, q);
    return q;
}

void kafka_quiet_free(struct kafka_quiet *q)
{
    free(q);
}

bool kafka_quiet_now(const struct kafka_quiet *q)
{
    return !q->joining && clock_mono_us() >= q->beat_us + MOMENT_US;
}
