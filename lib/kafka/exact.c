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
 *   work:   begin, records, at a mark and after the interval: positions into
 *           the transaction, commit
 *   end:    the positions once more, with no owner
 *
 * A crash before 6 leaves the owner before; whoever comes next fences it. A
 * claimer that comes later fences us at its 2 before our 6, or finds us in its
 * 3. Fenced at 2 we try again, for it may be a member of our group that claims
 * other keys at the same time; but if one of ours has another owner by then, it
 * was not, and we leave for good. A crash after 6 leaves our id in the
 * positions, and the next claim fences it, whatever it had open. Nothing is
 * repaired in place: on any error the process ends, and what the transaction
 * was is settled by the next claim.
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

enum {
    MS = 1000,
    INIT_MS = 60000,
    COMMIT_MS = 30000,
    ABORT_MS = 5000,
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
    bool open;         /* a transaction */
    bool moved;        /* it has records, or a position */
    uint64_t since_us; /* its begin */
    size_t bytes;
    size_t records;
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
    if (x != NULL) {
        kafka_producer_close(x->producer);
        kafka_admin_close(x->admin);
        kafka_claims_release(&x->claims);
        free(x);
    }
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

/* An error of a transaction: whether we were fenced shows only when it is
 * aborted (a fenced producer's other errors look as if one could go on). */
static int fail(struct kafka_exact *x, rd_kafka_t *rk, rd_kafka_error_t *error,
                const char *what, struct err *e)
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
    x->contended = fenced && is_claimer(x, rk);
    if (fenced) {
        return err_set(e, STATUS_CONFIG,
                       "another process has taken over what %s wrote with "
                       "this name; this one leaves for good",
                       x->id);
    }
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return err_wrap(e, "raise max.message.bytes of the topic");
    }
    if (e->status != STATUS_REFUSED) {
        e->status = STATUS_RETRY;
    }
    return -1;
}

static rd_kafka_error_t *commit_rk(rd_kafka_t *rk)
{
    rd_kafka_error_t *error = NULL;

    do {
        if (error != NULL) {
            rd_kafka_error_destroy(error);
        }
        error = rd_kafka_commit_transaction(rk, COMMIT_MS);
    } while (error != NULL && rd_kafka_error_is_retriable(error));
    return error;
}

static int init(struct kafka_exact *x, struct kafka_producer *p, struct err *e)
{
    rd_kafka_t *rk = kafka_producer_handle(p)->rk;
    rd_kafka_error_t *error;

    while ((error = rd_kafka_init_transactions(rk, INIT_MS)) != NULL &&
           rd_kafka_error_is_retriable(error)) {
        rd_kafka_error_destroy(error);
        if (kafka_producer_poll(p, e) < 0) {
            return -1;
        }
    }
    return error != NULL ? fail(x, rk, error, "transactions", e) : 0;
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

static bool is_fenced(char (*fenced)[KAFKA_ID], size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fenced[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* The first owner who is still to be fenced, or NULL. */
static const char *other_owner(const struct kafka_exact *x,
                               char (*fenced)[KAFKA_ID], size_t n)
{
    for (size_t i = 0; i < x->claims.n; i++) {
        const char *owner = x->claims.v[i].owner;
        if (owner[0] != '\0' && strcmp(owner, x->id) != 0 &&
            !is_fenced(fenced, n, owner)) {
            return owner;
        }
    }
    return NULL;
}

/* Until nobody else owns any of it. What an owner had open when it was fenced
 * is settled by then, so the positions are read anew each time. */
static int fence_owners(struct kafka_exact *x, struct err *e)
{
    char(*fenced)[KAFKA_ID] = mem_new(KAFKA_OWNERS * sizeof *fenced);
    const char *owner;
    size_t n = 0;
    int rc = 0;

    while (rc == 0 && (owner = other_owner(x, fenced, n)) != NULL) {
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
    if (error == NULL &&
        kafka_claims_send(&x->claims, rk, x->id, true, &error) == 0) {
        error = commit_rk(rk);
    }
    x->renewed_us = clock_mono_us();
    return error != NULL ? fail(x, rk, error, "positions", e) : 0;
}

/* Has somebody claimed one of ours since we looked first? */
static int check_owners(struct kafka_exact *x, bool again, struct err *e)
{
    for (size_t i = 0; i < x->claims.n; i++) {
        struct kafka_claim *c = &x->claims.v[i];
        if (again && c->owner[0] != '\0' && strcmp(c->owner, c->first) != 0 &&
            strcmp(c->owner, x->id) != 0) {
            return err_set(e, STATUS_CONFIG,
                           "another process has claimed %s meanwhile; this "
                           "one leaves for good",
                           c->key);
        }
        if (!again) {
            memcpy(c->first, c->owner, sizeof c->first);
        }
    }
    return 0;
}

static int claim_once(struct kafka_exact *x, const char *claimer, bool again,
                      struct err *e)
{
    int rc = -1;

    x->contended = false;
    x->claimer = kafka_producer_open(x->client, claimer, e);
    if (x->claimer != NULL && init(x, x->claimer, e) == 0 &&
        kafka_claims_read(&x->claims, x->admin, e) == 0 &&
        check_owners(x, again, e) == 0 && fence_owners(x, e) == 0 &&
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

    if (a == NULL) {
        return -1;
    }
    kafka_claims_release(&x->claims);
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

int kafka_exact_begin(struct kafka_exact *x, struct err *e)
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
    x->moved = false;
    x->since_us = clock_mono_us();
    x->bytes = 0;
    x->records = 0;
    return 0;
}

static int commit(struct kafka_exact *x, const char *owner, bool all,
                  struct err *e)
{
    rd_kafka_t *rk = kafka_producer_handle(x->producer)->rk;
    rd_kafka_error_t *error = NULL;

    if (kafka_claims_send(&x->claims, rk, owner, all, &error) == 0) {
        error = commit_rk(rk);
    }
    if (error != NULL) {
        return fail(x, rk, error, "commit", e);
    }
    kafka_claims_sent(&x->claims);
    x->open = false;
    x->committed++;
    if (all) {
        x->renewed_us = clock_mono_us();
    }
    return 0;
}

static bool is_due(const struct kafka_exact *x, uint64_t now)
{
    return x->open && x->moved &&
           (now >= x->since_us + x->conf.interval_ms * MS ||
            x->bytes >= BYTES || x->records >= RECORDS);
}

int kafka_exact_add(struct kafka_exact *x, struct slice pos, size_t records,
                    size_t bytes, uint64_t *number, struct err *e)
{
    if (kafka_exact_begin(x, e) < 0 ||
        kafka_claims_take(&x->claims, pos, e) < 0) {
        return -1;
    }
    x->moved = true;
    x->bytes += bytes;
    x->records += records;
    *number = x->committed + 1;
    return is_due(x, clock_mono_us()) ? commit(x, x->id, false, e) : 0;
}

int kafka_exact_poll(struct kafka_exact *x, uint64_t *committed, struct err *e)
{
    const uint64_t now = clock_mono_us();
    const bool renew =
        x->claims.n > 0 && !x->open && now >= x->renewed_us + renew_us;

    if (x->producer != NULL && kafka_producer_poll(x->producer, e) < 0) {
        return -1;
    }
    if (renew && kafka_exact_begin(x, e) < 0) {
        return -1;
    }
    if ((renew || is_due(x, now)) && commit(x, x->id, renew, e) < 0) {
        return -1;
    }
    *committed = x->committed;
    return 0;
}

int kafka_exact_due(const struct kafka_exact *x)
{
    const uint64_t now = clock_mono_us();
    const uint64_t at = x->since_us + x->conf.interval_ms * MS;

    if (!x->open || !x->moved) {
        return x->claims.n > 0 ? 3600 * MS : -1;
    }
    return at <= now ? 0 : (int)((at - now + MS - 1) / MS);
}

int kafka_exact_release(struct kafka_exact *x, struct err *e)
{
    if (x->producer == NULL || (x->claims.n == 0 && !x->open)) {
        return 0;
    }
    if (kafka_exact_begin(x, e) < 0 || commit(x, "", true, e) < 0) {
        return -1;
    }
    kafka_claims_release(&x->claims);
    return 0;
}
