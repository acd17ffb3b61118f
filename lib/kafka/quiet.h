/* When a member may commit its offsets.
 *
 * A commit that reaches the coordinator behind the member's own JoinGroup is of
 * an older generation, and librdkafka (2.0.2) then takes the whole assignment
 * for lost: a rebalance in good order would become one that repeats events. It
 * does not tell when it joins, but what it sends can be seen: from a JoinGroup
 * until the answer to the SyncGroup nothing is committed, nor for a moment
 * behind a heartbeat, whose answer may be what makes it join. What is in
 * librdkafka's queue before that answer is sent before the JoinGroup too. */
#ifndef KAFKA_QUIET_H
#define KAFKA_QUIET_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct kafka_quiet;

/* Watches the handle that conf will make; freed after that is destroyed. */
struct kafka_quiet *kafka_quiet_new(rd_kafka_conf_t *);
void kafka_quiet_free(struct kafka_quiet *);

bool kafka_quiet_now(const struct kafka_quiet *);

#endif
