#include "kafka/spread.h"

#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "kafka/handle.h"

enum { LOOK_MS = 10, EACH_MS = 2000, MS = 1000, SPREAD_MS = 10000 };

/* By the brokers that this handle asks. */
static int await(struct kafka_handle *h, const char *topic, bool there,
                 int patience_ms, uint64_t until, struct err *e)
{
    uint32_t partitions;

    do {
        if (kafka_handle_partitions(h, topic, &partitions, patience_ms, e) <
            0) {
            return -1;
        }
        if ((partitions > 0) == there) {
            return 0;
        }
        (void)poll(NULL, 0, LOOK_MS);
    } while (clock_mono_us() < until);
    return 0;
}

/* A handle asks whom it is connected to, and that is where it begins. */
static void await_one(const struct kafka_client *client,
                      const struct rd_kafka_metadata_broker *b,
                      const char *topic, bool there, uint64_t until)
{
    char address[300];
    struct kafka_handle own;
    struct err ignored;
    const struct kafka_setting only[] = {{"bootstrap.servers", address},
                                         {NULL, NULL}};

    (void)snprintf(address, sizeof address, "%s:%d", b->host, b->port);
    if (kafka_handle_open(&own, client, RD_KAFKA_PRODUCER, 0, only, &ignored) <
        0) {
        return;
    }
    (void)await(&own, topic, there, EACH_MS, until, &ignored);
    kafka_handle_close(&own);
}

int kafka_spread_await(struct kafka_handle *h, const char *topic, bool there,
                       struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)SPREAD_MS * MS;
    const struct rd_kafka_metadata *m;

    if (await(h, topic, there, KAFKA_START_MS, until, e) < 0) {
        return -1;
    }
    if (rd_kafka_metadata(h->rk, 0, NULL, &m, EACH_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    for (int i = 0; m->broker_cnt > 1 && i < m->broker_cnt; i++) {
        await_one(h->client, &m->brokers[i], topic, there, until);
    }
    rd_kafka_metadata_destroy(m);
    return 0;
}
