#include "kafka/transact.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "kafka/producer.h"

enum {
    INIT_MS = 60000,
    COMMIT_MS = 30000,
    FLUSH_MS = 2,
    FLUSHES = 100,
    ABORT_MS = 5000,
    MS = 1000,
    NS = 1000 * 1000 * 1000,
};

/* Whether we were fenced shows only when the transaction is aborted (a fenced
 * producer's other errors look as if one could go on). */
int kafka_transact_fail(rd_kafka_t *rk, rd_kafka_error_t *error,
                        const char *what, const char *id, struct err *e)
{
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    bool fenced = code == RD_KAFKA_RESP_ERR__FENCED;
    const bool abortable = rd_kafka_error_txn_requires_abort(error);

    (void)kafka_fail_error(e, error, what);
    if (abortable && !fenced) {
        error = rd_kafka_abort_transaction(rk, ABORT_MS);
        if (error != NULL) {
            fenced = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__FENCED;
            rd_kafka_error_destroy(error);
        }
    }
    if (fenced) {
        (void)err_set(e, STATUS_CONFIG,
                      "another process has taken over what %s wrote with "
                      "this name; this one leaves for good",
                      id);
        return 1;
    }
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return err_wrap(e, "raise max.message.bytes of the topic");
    }
    if (e->status != STATUS_REFUSED) {
        e->status = STATUS_RETRY;
    }
    return -1;
}

rd_kafka_error_t *kafka_transact_init(struct kafka_producer *p, int *rc,
                                      struct err *e)
{
    rd_kafka_t *rk = kafka_producer_handle(p)->rk;
    rd_kafka_error_t *error;

    *rc = 0;
    while ((error = rd_kafka_init_transactions(rk, INIT_MS)) != NULL &&
           rd_kafka_error_is_retriable(error)) {
        rd_kafka_error_destroy(error);
        *rc = kafka_producer_poll(p, e);
        if (*rc < 0) {
            return NULL;
        }
    }
    return error;
}

/* The commit waits for all records, but looks each 10 ms only. What ails the
 * transaction is left to it. */
static void flush(rd_kafka_t *rk)
{
    for (int i = 0; i < FLUSHES && rd_kafka_outq_len(rk) > 0; i++) {
        (void)rd_kafka_flush(rk, FLUSH_MS);
    }
}

rd_kafka_error_t *kafka_transact_commit(rd_kafka_t *rk,
                                        struct kafka_claims *claims,
                                        const char *owner, bool all)
{
    rd_kafka_error_t *error = NULL;

    if (kafka_claims_send(claims, rk, owner, all, &error) < 0) {
        return error;
    }
    flush(rk);
    while ((error = rd_kafka_commit_transaction(rk, COMMIT_MS)) != NULL &&
           rd_kafka_error_is_retriable(error)) {
        rd_kafka_error_destroy(error);
    }
    if (error == NULL) {
        kafka_claims_sent(claims);
    }
    return error;
}

static void *run(void *arg)
{
    static const uint64_t one = 1;
    struct kafka_commit *c = arg;

    c->error = kafka_transact_commit(c->rk, c->claims, c->owner, c->all);
    atomic_store(&c->done, true);
    (void)!write(c->fd, &one, sizeof one);
    return NULL;
}

/* No signal is handled there: they belong to the program's own loop. */
int kafka_commit_start(struct kafka_commit *c, struct kafka_producer *p,
                       struct kafka_claims *claims, const char *owner, bool all,
                       struct err *e)
{
    sigset_t every;
    sigset_t old;

    c->rk = kafka_producer_handle(p)->rk;
    c->fd = kafka_producer_fd(p);
    c->claims = claims;
    c->owner = owner;
    c->all = all;
    atomic_store(&c->done, false);
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &old);
    errno = pthread_create(&c->thread, NULL, run, c);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (errno != 0) {
        return err_errno(e, STATUS_SYSTEM, "a thread for committing");
    }
    c->running = true;
    return 0;
}

static int join(struct kafka_commit *c, int timeout_ms)
{
    struct timespec until;

    if (timeout_ms < 0 || atomic_load(&c->done)) {
        return pthread_join(c->thread, NULL);
    }
    if (timeout_ms == 0) {
        return EBUSY;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / MS;
    until.tv_nsec += (long)(timeout_ms % MS) * MS * MS;
    if (until.tv_nsec >= NS) {
        until.tv_sec++;
        until.tv_nsec -= NS;
    }
    return pthread_clockjoin_np(c->thread, NULL, CLOCK_MONOTONIC, &until);
}

int kafka_commit_wait(struct kafka_commit *c, int timeout_ms,
                      rd_kafka_error_t **error)
{
    *error = NULL;
    if (c->running) {
        if (join(c, timeout_ms) != 0) {
            return 1;
        }
        c->running = false;
        *error = c->error;
    }
    return 0;
}
