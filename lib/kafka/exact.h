/* Exactly once: the output and the position of its input in one transaction.
 *
 * The position travels in the stream (dpp-stage(7)); here it is committed to a
 * group of the cluster together with the records. A position of a topic of this
 * same cluster is a plain offset of the group that has the segment's name,
 * where every Kafka tool shows it. Any other is a cursor: the text stands in
 * the metadata of the offset 0 of the topic dpp.cursors, in the group
 * "NAME/KEY".
 *
 * Each of these offsets names its owner, a transactional.id. To claim it, the
 * owner before is fenced, wherever it runs and whatever its id. An owner that
 * ends in order releases what it has; then nobody needs to be fenced. */
#ifndef KAFKA_EXACT_H
#define KAFKA_EXACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct kafka_client;
struct kafka_exact;
struct kafka_producer;

struct kafka_exact_conf {
    uint64_t interval_ms; /* between commits */
    bool single_broker;   /* one copy will do, whatever that promises */
    bool new_position;    /* a position that is gone is no error */
};

struct kafka_exact *kafka_exact_new(const struct kafka_client *,
                                    const struct kafka_exact_conf *);
void kafka_exact_free(struct kafka_exact *);

/* Claims the keys (blank-separated) for this segment, fences their owners, and
 * appends the stored position, sealed. Once more for each run. Waits as long
 * as transactions of others are open. 78 somebody claims them from us; 64 a
 * topic has only one copy. */
int kafka_exact_claim(struct kafka_exact *, struct slice name,
                      struct slice keys, struct buf *pos, struct err *);

/* The producer for records of the transaction: NULL before the first claim. */
struct kafka_producer *kafka_exact_producer(struct kafka_exact *);

/* 1; 0 there is no such topic; -1, 64 if it has one copy and that is not
 * allowed. */
int kafka_exact_check(struct kafka_exact *, const char *topic, struct err *);

/* Before records are sent: there is a transaction. 1: not yet, the one before
 * is being committed (the producer's descriptor is readable at its end). */
int kafka_exact_begin(struct kafka_exact *, struct err *);

/* So much was sent. The transaction's number. */
uint64_t kafka_exact_add(struct kafka_exact *, size_t records, size_t bytes);

/* All that was sent goes with this position (may be empty). It is committed
 * from now on if it is time, else by kafka_exact_poll(). Without it no commit
 * begins. */
int kafka_exact_position(struct kafka_exact *, struct slice pos, struct err *);

/* Begin a commit if it is time; see what became of the last. All up to
 * *committed are committed. */
int kafka_exact_poll(struct kafka_exact *, uint64_t *committed, struct err *);

/* Nothing more will come before kafka_exact_release(): do not wait for the
 * interval. */
void kafka_exact_hurry(struct kafka_exact *);

/* Milliseconds until kafka_exact_poll() has something to do; -1: nothing. */
int kafka_exact_due(const struct kafka_exact *);

/* Commit what is there, and own nothing any more. */
int kafka_exact_release(struct kafka_exact *, struct err *);

#endif
