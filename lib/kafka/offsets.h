/* A group's offsets, read from outside. */
#ifndef KAFKA_OFFSETS_H
#define KAFKA_OFFSETS_H

#include "kafka/admin.h"
#include "kafka/handle.h"

/* All of them. stable: waits until none is part of an open transaction. rk is
 * a consumer's: a producer's crashes where the coordinator is not ready
 * (librdkafka issue 5040). */
int kafka_offsets_read(rd_kafka_t *rk, const char *group, bool stable,
                       kafka_offset_fn *, void *, struct err *);

#endif
