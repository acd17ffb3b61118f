/* Writing records to topics of a cluster.
 *
 * At least once: a record is safe when its delivery report says so; the
 * library repeats it until then, without a limit of time, and never twice
 * (idempotent producer). Records are sent under a batch, which tells when all
 * of them are safe.
 *
 * In transactions (kafka/exact.h) no report comes for a record: the commit
 * stands for all. */
#ifndef KAFKA_PRODUCER_H
#define KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct kafka_client;
struct kafka_handle;
struct kafka_producer;
struct kafka_record;
struct rd_kafka_headers_s;
struct rd_kafka_topic_s;

/* A record that was sent, and where it stands when it is safe. */
struct kafka_sent {
    struct kafka_batch *batch;
    int64_t offset; /* negative: the broker knew it already, and not where */
    int32_t partition;
};

/* Records that are safe together. The caller's; it must live until left is 0
 * or the producer is closed. */
struct kafka_batch {
    uint64_t left; /* records without a report */
    size_t n;      /* records sent */
    struct kafka_sent any;
    struct kafka_sent *sent; /* NULL, or room for one for each record */
};

/* transactional: NULL, or the transactional.id. */
struct kafka_producer *kafka_producer_open(const struct kafka_client *,
                                           const char *transactional,
                                           struct err *);
void kafka_producer_close(struct kafka_producer *);
struct kafka_handle *kafka_producer_handle(struct kafka_producer *);

/* Partitions of a topic to write to: 0 if there is no such topic. -1: 69, 77.
 */
int kafka_producer_topic(struct kafka_producer *, const char *topic,
                         uint32_t *partitions, struct err *);

/* It lives as long as the producer; NULL if kafka_producer_topic() was not
 * asked for it. */
struct rd_kafka_topic_s *kafka_producer_find(struct kafka_producer *,
                                             const char *topic);

/* partition -1: the key chooses it. 0; 1 no room: what is under way must become
 * safe first; -1: 78 if the record is too large. It is copied. */
int kafka_producer_send(struct kafka_producer *, struct rd_kafka_topic_s *,
                        const struct kafka_record *, int32_t partition,
                        struct kafka_batch *, struct err *);

/* A record whose headers are the library's already: with 0 they are no longer
 * the caller's. */
struct kafka_parcel {
    struct slice key; /* p == NULL is null */
    struct slice value;
    int64_t time_ms; /* below 0: now */
    int32_t partition;
    struct rd_kafka_headers_s *headers;
};
int kafka_producer_send_parcel(struct kafka_producer *,
                               struct rd_kafka_topic_s *,
                               const struct kafka_parcel *,
                               struct kafka_batch *, struct err *);
struct rd_kafka_headers_s *kafka_headers_of(const struct kafka_record *);
void kafka_headers_free(struct rd_kafka_headers_s *);

/* Take the reports that are there. -1 a record is lost to us (75: a new run
 * repeats it), or the producer is at its end. */
int kafka_producer_poll(struct kafka_producer *, struct err *);

/* While something is under way: stands, if nothing became safe. Warns, once,
 * where that goes on for long; it asks the brokers why, for some seconds. */
void kafka_producer_watch(struct kafka_producer *, bool stands);

/* Milliseconds until it should be called again; -1: nothing is under way. */
int kafka_producer_due(const struct kafka_producer *);

/* Wait for reports, so long at most. */
void kafka_producer_wait(struct kafka_producer *, int timeout_ms);

/* Readable when there may be reports. */
int kafka_producer_fd(const struct kafka_producer *);

#endif
