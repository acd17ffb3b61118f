/* The library's calls for transactions, and the commit in a thread of its own,
 * so that the next transaction's events are read meanwhile.
 *
 * From the start of a commit until its end was collected the thread alone has
 * the transaction and the claims: nobody sends a record, moves a position or
 * begins another transaction. */
#ifndef KAFKA_TRANSACT_H
#define KAFKA_TRANSACT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kafka/claim.h"

struct err;
struct kafka_producer;

struct kafka_commit {
    bool running; /* started, and its end not collected */
    atomic_bool done;
    pthread_t thread;
    rd_kafka_error_t *error;
    rd_kafka_t *rk;
    int fd; /* of the producer */
    struct kafka_claims *claims;
    const char *owner;
    bool all;
};

/* An error of a transaction of id, which is aborted if it can be. The error is
 * destroyed. 1: we were fenced (78); -1: 75, 77; 78 a record is too large. */
int kafka_transact_fail(rd_kafka_t *, rd_kafka_error_t *, const char *what,
                        const char *id, struct err *);

/* Settle and fence what was written with the producer's id before. NULL, or
 * the library's error; -1 in *rc is an error in err instead. */
rd_kafka_error_t *kafka_transact_init(struct kafka_producer *, int *rc,
                                      struct err *);

/* The positions into the open transaction, and its commit, here and now; owner
 * and all as in kafka_claims_send(). NULL, or the library's error. */
rd_kafka_error_t *kafka_transact_commit(rd_kafka_t *, struct kafka_claims *,
                                        const char *owner, bool all);

/* The same in a thread, at whose end the producer's descriptor is readable. */
int kafka_commit_start(struct kafka_commit *, struct kafka_producer *,
                       struct kafka_claims *, const char *owner, bool all,
                       struct err *);

/* Collect the end of what runs. 0, with NULL or the library's error in
 * *error; 1 it has not ended within timeout_ms (-1: as long as it takes). */
int kafka_commit_wait(struct kafka_commit *, int timeout_ms,
                      rd_kafka_error_t **error);

#endif
