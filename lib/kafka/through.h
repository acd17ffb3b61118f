/* A topic, read through once: all partitions, as far as they go now, and
 * without a group. */
#ifndef KAFKA_THROUGH_H
#define KAFKA_THROUGH_H

struct err;
struct kafka_client;
struct kafka_reader_record;

/* The record is there until it returns; -1 ends the reading. */
typedef int kafka_record_fn(void *, const struct kafka_reader_record *,
                            struct err *);

/* 0; -1 it could not be begun (69, 77); 1 it could not be read to its end, and
 * the error says why. Waits for brokers that are away. */
int kafka_through(const struct kafka_client *, const char *topic,
                  kafka_record_fn *, void *, struct err *);

#endif
