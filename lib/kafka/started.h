/* Which positions were ever kept: a group that nobody uses expires with its
 * offsets (seven days by default), and "no position" must not be taken for a
 * first start then. So the first claim of a key leaves a record in the
 * compacted topic dpp.cursors, which stays. */
#ifndef KAFKA_STARTED_H
#define KAFKA_STARTED_H

#include "kafka/claim.h"

struct err;
struct kafka_admin;
struct kafka_client;
struct kafka_producer;

/* Makes the topic where it is missing. */
int kafka_started_prepare(struct kafka_admin *, struct err *);

/* 0, or 78 if a key that has no position now was started before. */
int kafka_started_check(const struct kafka_claims *,
                        const struct kafka_client *, struct err *);

/* Into the open transaction of the producer: those that have no position are
 * started now. */
int kafka_started_mark(const struct kafka_claims *, struct kafka_producer *,
                       struct err *);

#endif
