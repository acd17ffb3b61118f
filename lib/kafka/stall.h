/* What goes on for long without a word: somebody waits, and wants to know for
 * what. */
#ifndef KAFKA_STALL_H
#define KAFKA_STALL_H

#include <stdbool.h>
#include <stdint.h>

struct kafka_handle;
struct map;

struct kafka_stall {
    uint64_t since_us; /* 0: it goes on */
    bool told;
};

/* Whether it is time to tell: once, until it has gone on again. */
bool kafka_stall_is_long(struct kafka_stall *, bool stands);

/* Milliseconds until it may be; -1: it was told. */
int kafka_stall_due(const struct kafka_stall *);

/* Warn that nothing that was sent is acknowledged, and say why, as far as the
 * brokers know: topics (name -> rd_kafka_topic_t) and the last error of the
 * handle. Asks them, for some seconds at most. */
void kafka_stall_tell(struct kafka_handle *, const struct map *topics);

#endif
