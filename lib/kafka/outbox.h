/* Records that wait to be sent, in order, up to a cut. The headers of a record
 * are the library's from the beginning: it is looked at once, however long it
 * waits. */
#ifndef KAFKA_OUTBOX_H
#define KAFKA_OUTBOX_H

#include "kafka/record.h"

struct err;
struct kafka_batch;
struct kafka_producer;
struct kafka_waiting;
struct rd_kafka_topic_s;

/* Zeroed is empty. */
struct kafka_outbox {
    struct buf bytes; /* keys and values */
    struct kafka_waiting *v;
    size_t n;
    size_t cap;
    size_t sent; /* of these, by a send that found no room for all */
    size_t size; /* of these in bytes, with their headers */
    bool was_cut;
    size_t cut; /* records before the last cut */
};

void kafka_outbox_release(struct kafka_outbox *);

/* It is copied. The remainder of hash is its partition; -1: its key says. */
void kafka_outbox_add(struct kafka_outbox *, const struct kafka_record *,
                      int64_t hash);

/* What comes after this waits for another cut. Bytes before it. */
size_t kafka_outbox_cut(struct kafka_outbox *);

/* Records up to the last cut; all, without one. */
size_t kafka_outbox_ready(const struct kafka_outbox *);

/* Send those, and with them the cut is over. 0; 1 no room for all of them: call
 * again; -1 as kafka_producer_send(). */
int kafka_outbox_send(struct kafka_outbox *, struct kafka_producer *,
                      struct rd_kafka_topic_s *, uint32_t partitions,
                      struct kafka_batch *, struct err *);

/* Forget all. */
void kafka_outbox_drop(struct kafka_outbox *);

#endif
