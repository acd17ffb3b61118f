/* Transactions, and the claim that comes before the first.
 *
 *   claim:  1. our own transactional.id is initialised: it aborts, or
 *              completes, what its last user left open, and fences that user
 *           2. the id NAME.claim is initialised: one claimer at a time, an
 *              earlier one is fenced
 *           3. positions are read, when no open transaction holds them
 *           4. each owner that is not us is fenced by initialising its id;
 *              if there was one, again from 3
 *           5. what was started before and has no position is an error
 *           6. in a transaction of NAME.claim: the same positions, owned by us
 *   work:   OPEN    records, and behind them the position that passes them;
 *                   then, if it is time, COMMIT
 *           COMMIT  a thread has the transaction: positions into it, commit.
 *                   What is read meanwhile waits where it is gathered.
 *                   Collected without an error it is committed, and the next
 *                   is OPEN with the first record that waits
 *   end:    the positions once more, with no owner
 *
 * Invariants of the work: a commit begins only behind a position, so all of a
 * transaction's records, dead letters too, are passed by its positions; one
 * transaction at a time; what is told as committed was committed.
 *
 * A crash before 6 leaves the owner before; whoever comes next fences it. A
 * claimer that comes later fences us at its 2 before our 6, or finds us in its
 * 3. Fenced at 2 we try again, for it may be a member of our group that claims
 * other keys at the same time; but if one of ours has another owner by then, it
 * was not, and we leave for good. A crash after 6 leaves our id in the
 * positions, and the next claim fences it, whatever it had open: a transaction
 * that was OPEN is aborted, one in COMMIT is aborted or completed, and the
 * positions, which are read after that, tell which. One that was committed but
 * not told is passed by the positions as well, so nothing comes twice. Nothing
 * is repaired in place: on any error the process ends, also while a commit
 * runs, and what the transaction was is settled by the next claim.
 *
 * Our id: the one that owns all that we claim, if it owns nothing else;
 * otherwise a new one. So a segment that is started again keeps its id, and
 * members that share the input do not fence each other. */
#include "kafka/exact.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rand.h"
#include "kafka/admin.h"
#include "kafka/claim.h"
#include "kafka/offsets.h"
#include "kafka/producer.h"
#include "kafka/started.h"
#include "kafka/transact.h"

enum {
    MS = 1000,
    ABORT_MS = 5000,
    LEAVE_MS = 1000, /* for a commit that runs when we end */
    CLAIM_TRIES = 50,
    CLAIM_REST_MS = 300,
    /* of one transaction, then it is committed: half of what a source may
     * have unreceipted */
    RECORDS = 32768,
    BYTES = 32 << 20,
};

/* Offsets of a group that is empty expire, seven days by default. */
static const uint64_t renew_us = (uint64_t)12 * 3600 * 1000 * 1000;

struct kafka_exact {
    const struct kafka_client *client;
    struct kafka_exact_conf conf;
    struct kafka_admin *admin;
    struct kafka_producer *producer;
    struct kafka_producer *claimer; /* while we claim */
    bool contended;                 /* another claimer was there */
    char id[KAFKA_ID];
    struct kafka_claims claims;
    bool open;         /* a transaction that takes records */
    bool whole;        /* all its records have their position in it */
    bool hurry;        /* no more will come */
    uint64_t since_us; /* its begin */
    size_t bytes;
    size_t records;
    struct kafka_commit commit; /* of the one before, while it runs */
    uint64_t committed;
    uint64_t renewed_us;
};

struct kafka_exact *kafka_exact_new(const struct kafka_client *client,
                                    const struct kafka_exact_conf *conf)
{
    struct kafka_exact *x = mem_new(sizeof *x);

    x->client = client;
    x->conf = *conf;
    return x;
}

void kafka_exact_free(struct kafka_exact *x)
{
    rd_kafka_error_t *error;

    if (x == NULL || kafka_commit_wait(&x->commit, LEAVE_MS, &error) == 1) {
        return; /* the process ends, and with it the thread */
    }
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
    kafka_producer_close(x->producer);
    kafka_admin_close(x->admin);
    kafka_claims_release(&x->claims);
    free(x);
}

struct kafka_producer *kafka_exact_producer(struct kafka_exact *x)
{
    return x->producer;
}

static struct kafka_admin *admin_of(struct kafka_exact *x, struct err *e)
{
    if (x->admin == NULL) {
        x->admin = kafka_admin_open(x->client, e);
    }
    return x->admin;
}

int kafka_exact_check(struct kafka_exact *x, const char *topic, struct err *e)
{
    struct kafka_admin *a = admin_of(x, e);
    uint32_t partitions;
    uint32_t replicas = 0;

    const int there =
        a == NULL ? -1 : kafka_admin_topic(a, topic, &partitions, &replicas, e);
    if (there <= 0) {
        return there;
    }
    if (replicas == 1 && !x->conf.single_broker) {
        return err_set(e, STATUS_USAGE,
                       "--exactly-once: topic %s has one copy, and a broker "
                       "that dies in a transaction may repeat events; give it "
                       "three, or take that with --single-broker",
                       topic);
    }
    return 1;
}

/* --- errors ----------------------------------------------------------------
 */

static bool is_claimer(const struct kafka_exact *x, const rd_kafka_t *rk)
{
    return x->claimer != NULL && rk == kafka_producer_handle(x->claimer)->rk;
}

static int fail(struct kafka_exact *x, rd_kafka_t *rk, rd_kafka_error_t *error,
                const char *what, struct err *e)
{
    const bool fenced = kafka_transact_fail(rk, error, what, x->id, e) == 1;

    x->contended = fenced && is_claimer(x, rk);
    return -1;
}

/* The commit has ended, or has not within timeout_ms (1). */
static int collect(struct kafka_exact *x, int timeout_ms, struct err *e)
{
    rd_kafka_error_t *error;

    if (!x->commit.running) {
        return 0;
    }
    if (kafka_commit_wait(&x->commit, timeout_ms, &error) == 1) {
        return 1;
    }
    if (error != NULL) {
        return fail(x, x->commit.rk, error, "commit", e);
    }
    x->committed++;
    return 0;
}

static int init(struct kafka_exact *x, struct kafka_producer *p, struct err *e)
{
    int rc;
    rd_kafka_error_t *error = kafka_transact_init(p, &rc, e);

    return error != NULL
               ? fail(x, kafka_producer_handle(p)->rk, error, "transactions", e)
               : rc;
}

/* --- the claim -------------------------------------------------------------
 */

static int choose_id(struct kafka_exact *x, struct slice name, struct err *e)
{
    char hex[RAND_HEX];
    const int rc = kafka_claims_sole_owner(&x->claims, x->admin, x->id, e);

    if (rc != 0) {
        return rc < 0 ? -1 : 0;
    }
    rand_hex(hex);
    (void)snprintf(x->id, sizeof x->id, "dpp-%.*s-%.16s",
                   name.n < 60 ? (int)name.n : 60, name.p, hex);
    return 0;
}

static int fence(struct kafka_exact *x, const char *id, struct err *e)
{
    struct kafka_producer *p = kafka_producer_open(x->client, id, e);
    const int rc = p == NULL ? -1 : init(x, p, e);

    msg_debug("fenced %s", id);
    kafka_producer_close(p);
    return rc;
}

/* Until nobody else owns any of it. What an owner had open when it was fenced
 * is settled by then, so the positions are read anew each time. */
static int fence_owners(struct kafka_exact *x, struct err *e)
{
    char(*fenced)[KAFKA_ID] = mem_new(KAFKA_OWNERS * sizeof *fenced);
    const char *owner;
    size_t n = 0;
    int rc = 0;

    while (rc == 0 &&
           (owner = kafka_claims_other(&x->claims, x->id, fenced, n)) != NULL) {
        if (n == KAFKA_OWNERS) {
            rc =
                err_set(e, STATUS_RETRY, "%s: the owners keep changing", x->id);
            break;
        }
        (void)snprintf(fenced[n++], KAFKA_ID, "%s", owner);
        if (fence(x, fenced[n - 1], e) < 0 ||
            kafka_claims_read(&x->claims, x->admin, e) < 0) {
            rc = -1;
        }
    }
    free(fenced);
    return rc;
}

/* The positions as they are, in a transaction of p, and ours. */
static int sign(struct kafka_exact *x, struct kafka_producer *p, struct err *e)
{
    rd_kafka_t *rk = kafka_producer_handle(p)->rk;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);

    if (error == NULL && kafka_started_mark(&x->claims, p, e) < 0) {
        error = rd_kafka_abort_transaction(rk, ABORT_MS);
        return error != NULL ? fail(x, rk, error, "positions", e) : -1;
    }
    if (error == NULL) {
        error = kafka_transact_commit(rk, &x->claims, x->id, true);
    }
    x->renewed_us = clock_mono_us();
    return error != NULL ? fail(x, rk, error, "positions", e) : 0;
}

static int claim_once(struct kafka_exact *x, const char *claimer, bool again,
                      struct err *e)
{
    int rc = -1;

    x->contended = false;
    x->claimer = kafka_producer_open(x->client, claimer, e);
    if (x->claimer != NULL && init(x, x->claimer, e) == 0 &&
        kafka_claims_read(&x->claims, x->admin, e) == 0 &&
        kafka_claims_check(&x->claims, x->id, again, e) == 0 &&
        fence_owners(x, e) == 0 &&
        (x->conf.new_position ||
         kafka_started_check(&x->claims, x->client, e) == 0)) {
        rc = sign(x, x->claimer, e);
    }
    kafka_producer_close(x->claimer);
    x->claimer = NULL;
    return rc;
}

static int claim_all(struct kafka_exact *x, const char *claimer, struct err *e)
{
    int rc;

    for (int i = 0; (rc = claim_once(x, claimer, i > 0, e)) < 0; i++) {
        if (!x->contended || i == CLAIM_TRIES) {
            return -1;
        }
        msg_debug("another claims beside us; once more");
        (void)poll(NULL, 0, (int)rand_below(CLAIM_REST_MS));
    }
    return rc;
}

int kafka_exact_claim(struct kafka_exact *x, struct slice name,
                      struct slice keys, struct buf *pos, struct err *e)
{
    struct kafka_admin *a = admin_of(x, e);

    if (a == NULL || collect(x, -1, e) < 0) {
        return -1;
    }
    kafka_claims_release(&x->claims);
    x->hurry = false;
    const char *cluster = kafka_admin_cluster(a, e);
    if (cluster == NULL) {
        return -1;
    }
    kafka_claims_init(&x->claims, name, keys, cluster);
    if (kafka_started_prepare(a, e) < 0) {
        return -1;
    }
    if (x->producer == NULL) {
        if (kafka_claims_peek(&x->claims, a, e) < 0 ||
            choose_id(x, name, e) < 0) {
            return -1;
        }
        x->producer = kafka_producer_open(x->client, x->id, e);
        if (x->producer == NULL || init(x, x->producer, e) < 0) {
            return -1;
        }
    }
    if (x->claims.n > 0) {
        char *claimer = mem_printf("%.*s.claim", (int)name.n, name.p);
        const int rc = claim_all(x, claimer, e);
        free(claimer);
        if (rc < 0) {
            return -1;
        }
    }
    kafka_claims_position(&x->claims, pos);
    return 0;
}

/* --- work ------------------------------------------------------------------
 */

static int begin(struct kafka_exact *x, struct err *e)
{
    rd_kafka_t *rk = kafka_producer_handle(x->producer)->rk;

    if (x->open) {
        return 0;
    }
    rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);
    if (error != NULL) {
        return fail(x, rk, error, "begin", e);
    }
    x->open = true;
    x->whole = true;
    x->since_us = clock_mono_us();
    x->bytes = 0;
    x->records = 0;
    return 0;
}

/* From here on the thread has the transaction. */
static int end(struct kafka_exact *x, const char *owner, bool all,
               struct err *e)
{
    x->open = false;
    if (all) {
        x->renewed_us = clock_mono_us();
    }
    return kafka_commit_start(&x->commit, x->producer, &x->claims, owner, all,
                              e);
}

/* When the time of the open transaction is over. */
static uint64_t time_of(const struct kafka_exact *x)
{
    return x->hurry ? 0 : x->since_us + x->conf.interval_ms * MS;
}

static bool is_due(const struct kafka_exact *x, uint64_t now)
{
    return x->open && x->whole &&
           (now >= time_of(x) || x->bytes >= BYTES || x->records >= RECORDS);
}

int kafka_exact_begin(struct kafka_exact *x, struct err *e)
{
    const int rc = collect(x, 0, e);

    if (rc != 0 || begin(x, e) < 0) {
        return rc == 1 ? 1 : -1;
    }
    x->whole = false;
    return 0;
}

uint64_t kafka_exact_add(struct kafka_exact *x, size_t records, size_t bytes)
{
    x->bytes += bytes;
    x->records += records;
    return x->committed + 1;
}

int kafka_exact_position(struct kafka_exact *x, struct slice pos, struct err *e)
{
    if (kafka_claims_take(&x->claims, pos, e) < 0) {
        return -1;
    }
    x->whole = true;
    return is_due(x, clock_mono_us()) ? end(x, x->id, false, e) : 0;
}

int kafka_exact_poll(struct kafka_exact *x, uint64_t *committed, struct err *e)
{
    const uint64_t now = clock_mono_us();

    /* what the commit has to say about an error goes before */
    if (x->producer != NULL && kafka_producer_poll(x->producer, e) < 0) {
        (void)collect(x, ABORT_MS, e);
        return -1;
    }
    if (collect(x, 0, e) < 0) {
        return -1;
    }
    const bool renew = x->claims.n > 0 && !x->open && !x->commit.running &&
                       now >= x->renewed_us + renew_us;
    if ((renew && begin(x, e) < 0) ||
        ((renew || is_due(x, now)) && end(x, x->id, renew, e) < 0)) {
        return -1;
    }
    *committed = x->committed;
    return 0;
}

int kafka_exact_due(const struct kafka_exact *x)
{
    const uint64_t now = clock_mono_us();
    uint64_t at = time_of(x);

    if (x->commit.running) {
        return -1; /* the producer's descriptor tells */
    }
    if (!x->open || !x->whole) {
        if (x->claims.n == 0) {
            return -1;
        }
        at = x->renewed_us + renew_us;
    }
    return at <= now ? 0 : (int)((at - now + MS - 1) / MS);
}

void kafka_exact_hurry(struct kafka_exact *x)
{
    x->hurry = true;
}

int kafka_exact_release(struct kafka_exact *x, struct err *e)
{
    if (x->producer == NULL || (x->claims.n == 0 && !x->open)) {
        return 0;
    }
    if (collect(x, -1, e) < 0 || begin(x, e) < 0 || end(x, "", true, e) < 0 ||
        collect(x, -1, e) < 0) {
        return -1;
    }
    kafka_claims_release(&x->claims);
    return 0;
}
