/* Membership, and the group's offsets.
 *
 *     JOIN ──► grant ──► settle: assigned ──► records
 *                 ▲                              │
 *                 └────── revoke ◄───────────────┘
 *
 * A rebalance only leaves a note (grant, revoke): the reader's owner sees it,
 * lets what was read become terminal and stores it, and then calls settle.
 * Meanwhile the group is served on, so nobody takes us for dead. What was
 * *lost* has another owner already: the segment ends (75), and its successor
 * repeats what was not stored.
 *
 * Offsets are committed by us, one request at a time, each with all that is
 * receipted by then; the broker refuses one of an older generation, so none is
 * sent while the library joins (kafka/quiet.h). Only
 * partitions that we own now are in it, so a receipt that comes after a
 * revocation moves nothing. The list is ours and not librdkafka's store of
 * offsets, because that loses the metadata (before 2.1.0). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "kafka/offsets.h"
#include "kafka/part.h"
#include "kafka/place.h"
#include "kafka/quiet.h"

enum {
    JOIN_MS = 30000,
    LEAVE_MS = 5000,
    ASK_MS = 10000,
    COMMIT_US = 25 * 1000, /* between two commits */
    AGAIN_US = 250 * 1000, /* after one that was refused */
    AGAIN_MS = 50,         /* the same, when we leave */
    QUIET_MS = 10,
    MS = 1000,
};

/* --- what the group says -------------------------------------------------
 */

static void note(rd_kafka_topic_partition_list_t **to,
                 const rd_kafka_topic_partition_list_t *list)
{
    if (*to == NULL) {
        *to = rd_kafka_topic_partition_list_copy(list);
        return;
    }
    for (int i = 0; i < list->cnt; i++) {
        (void)rd_kafka_topic_partition_list_add(*to, list->elems[i].topic,
                                                list->elems[i].partition);
    }
}

static void let_go(struct kafka_reader *r,
                   const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(r->h.rk, list);

    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
}

/* On the way out: the library waits for an answer to each. */
static void give_up(struct kafka_reader *r, rd_kafka_resp_err_t what,
                    const rd_kafka_topic_partition_list_t *list)
{
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        (void)rd_kafka_assign(r->h.rk, NULL);
    } else {
        let_go(r, list);
    }
}

static int rebalance(struct kafka_reader *r, rd_kafka_event_t *ev,
                     struct err *e)
{
    const rd_kafka_resp_err_t what = rd_kafka_event_error(ev);
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_event_topic_partition_list(ev);

    msg_debug("group %s: %s, %d partitions", r->group, rd_kafka_err2name(what),
              list != NULL ? list->cnt : 0);
    if (r->leaving) {
        give_up(r, what, list);
        return 0;
    }
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        note(&r->grant, list);
        return 0;
    }
    if (what == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS &&
        !rd_kafka_assignment_lost(r->h.rk)) {
        note(&r->revoke, list);
        return 0;
    }
    let_go(r, list);
    return err_set(e, STATUS_RETRY,
                   "group %s: the partitions are another member's now; was "
                   "this process stopped, or the brokers away?",
                   r->group);
}

static void committed(struct kafka_reader *r, rd_kafka_event_t *ev)
{
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_event_topic_partition_list(ev);
    const rd_kafka_resp_err_t err = rd_kafka_event_error(ev);

    r->committing = false;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        r->committed_us = clock_mono_us() + AGAIN_US - COMMIT_US;
        msg_debug("group %s: commit: %s", r->group, rd_kafka_err2str(err));
        return;
    }
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        struct kafka_part *part = kafka_part_find(r, p->topic, p->partition);
        if (part != NULL && p->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            p->offset >= 0 && (uint64_t)p->offset > part->stored) {
            part->stored = (uint64_t)p->offset;
        }
    }
}

int kafka_group_serve(struct kafka_reader *r, int timeout_ms, struct err *e)
{
    rd_kafka_event_t *ev;
    int rc = 0;

    while (rc == 0 &&
           (ev = rd_kafka_queue_poll(r->h.queue, timeout_ms)) != NULL) {
        switch (rd_kafka_event_type(ev)) {
        case RD_KAFKA_EVENT_REBALANCE:
            rc = rebalance(r, ev, e);
            break;
        case RD_KAFKA_EVENT_OFFSET_COMMIT:
            committed(r, ev);
            break;
        default:
            rc = kafka_handle_event(&r->h, ev, e);
        }
        rd_kafka_event_destroy(ev);
        timeout_ms = 0;
    }
    return rc;
}

/* Whoever reads up to the end would take "no partitions" for it. The others may
 * wait: they are given theirs when the group comes to itself. */
static int unanswered(const struct kafka_reader *r, struct err *e)
{
    if (!r->stop_at_end) {
        msg_warn("group %s: not joined after %d s: its coordinator, or a "
                 "member, does not answer; waiting",
                 r->group, JOIN_MS / MS);
        return 0;
    }
    return err_set(e, STATUS_UNREACHABLE,
                   "group %s: not joined after %d s: its coordinator, or a "
                   "member, does not answer; are all brokers within reach?",
                   r->group, JOIN_MS / MS);
}

int kafka_group_join(struct kafka_reader *r, struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)JOIN_MS * MS;
    rd_kafka_topic_partition_list_t *topics =
        rd_kafka_topic_partition_list_new((int)r->n);

    for (size_t i = 0; i < r->n; i++) {
        (void)rd_kafka_topic_partition_list_add(topics, r->v[i].name,
                                                RD_KAFKA_PARTITION_UA);
    }
    const rd_kafka_resp_err_t err = rd_kafka_subscribe(r->h.rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(e, err, r->group);
    }
    while (r->grant == NULL && clock_mono_us() < until) {
        if (kafka_group_serve(r, 100, e) < 0) {
            return -1;
        }
    }
    r->joined = true;
    return r->grant != NULL ? 0 : unanswered(r, e);
}

/* --- settling ------------------------------------------------------------
 */

/* "e=3 …": the epoch of a group's offset; " new": there is none yet. */
static int take_offset(void *arg, const char *topic, uint32_t partition,
                       uint64_t offset, struct slice metadata, struct err *e)
{
    struct kafka_reader *r = arg;
    struct kafka_part *part = kafka_part_find(r, topic, (int32_t)partition);
    unsigned long long epoch = 0;
    char text[200];

    (void)e;
    if (part == NULL || !part->fresh) {
        return 0;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)metadata.n, metadata.p);
    if (sscanf(text, "e=%20llu", &epoch) == 1) {
        part->epoch = epoch;
    }
    part->fresh = strstr(text, " new") != NULL;
    part->next = offset;
    return 0;
}

static int begin(struct kafka_reader *r, rd_kafka_topic_partition_t *p,
                 struct err *e)
{
    struct kafka_part *part = kafka_part_find(r, p->topic, p->partition);
    const bool fresh = part->fresh;

    if (fresh && kafka_place_find(&r->h, p->topic, (uint32_t)p->partition,
                                  &r->start, &part->next, e) < 0) {
        return -1;
    }
    part->fresh = false;
    part->stored = fresh ? 0 : part->next;
    part->done = part->next;
    p->offset = (int64_t)part->next;
    return 0;
}

static int make_parts(struct kafka_reader *r, struct err *e)
{
    for (int i = 0; i < r->grant->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &r->grant->elems[i];
        struct kafka_part *part = kafka_part_find(r, p->topic, p->partition);
        if (part == NULL) {
            return err_set(e, STATUS_RETRY,
                           "topic %s has partitions that are new; starting "
                           "again",
                           p->topic);
        }
        *part = (struct kafka_part){.owned = true, .fresh = true};
    }
    return 0;
}

/* The offsets are read without waiting for open transactions: a sink that keeps
 * them there knows better, and says so in hi. */
static int take(struct kafka_reader *r, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = r->grant;

    if (make_parts(r, e) < 0 ||
        (list->cnt > 0 &&
         kafka_offsets_read(r->h.rk, r->group, false, take_offset, r, e) < 0)) {
        return -1;
    }
    for (int i = 0; i < list->cnt; i++) {
        if (begin(r, &list->elems[i], e) < 0) {
            return -1;
        }
        kafka_part_route(r, list->elems[i].topic, list->elems[i].partition);
    }
    rd_kafka_error_t *error = rd_kafka_incremental_assign(r->h.rk, list);
    return error != NULL ? kafka_fail_error(e, error, r->group) : 0;
}

static int give_back(struct kafka_reader *r, struct err *e)
{
    const rd_kafka_topic_partition_list_t *list = r->revoke;

    for (int i = 0; i < list->cnt; i++) {
        struct kafka_part *part =
            kafka_part_find(r, list->elems[i].topic, list->elems[i].partition);
        if (part != NULL) {
            part->owned = part->active = false;
        }
    }
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(r->h.rk, list);
    return error != NULL ? kafka_fail_error(e, error, r->group) : 0;
}

static void forget(rd_kafka_topic_partition_list_t **list)
{
    if (*list != NULL) {
        rd_kafka_topic_partition_list_destroy(*list);
        *list = NULL;
    }
}

int kafka_group_settle(struct kafka_reader *r, struct err *e)
{
    if (kafka_group_store(r, true, e) < 0) {
        return -1;
    }
    if (r->revoke != NULL && give_back(r, e) < 0) {
        return -1;
    }
    forget(&r->revoke);
    if (r->grant != NULL && take(r, e) < 0) {
        return -1;
    }
    forget(&r->grant);
    return 0;
}

/* --- storing -------------------------------------------------------------
 */

static bool is_unstored(const struct kafka_part *part)
{
    return part->owned && !part->kept && part->done > part->stored;
}

static bool is_behind(const struct kafka_reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (uint32_t p = 0; p < r->v[i].partitions; p++) {
            if (is_unstored(&r->v[i].part[p])) {
                return true;
            }
        }
    }
    return false;
}

static rd_kafka_topic_partition_list_t *unstored(struct kafka_reader *r)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(8);
    char text[32];

    for (size_t i = 0; i < r->n; i++) {
        struct kafka_topic *t = &r->v[i];
        for (uint32_t p = 0; p < t->partitions; p++) {
            const struct kafka_part *part = &t->part[p];
            if (!is_unstored(part)) {
                continue;
            }
            rd_kafka_topic_partition_t *to =
                rd_kafka_topic_partition_list_add(list, t->name, (int32_t)p);
            to->offset = (int64_t)part->done;
            if (part->epoch > 0) {
                const int n = snprintf(text, sizeof text, "e=%llu",
                                       (unsigned long long)part->epoch);
                to->metadata = strdup(text);
                to->metadata_size = (size_t)n;
            }
        }
    }
    return list;
}

/* Until a commit that is under way has its answer, or, before one, until it may
 * be sent. */
static int await(struct kafka_reader *r, bool answer, uint64_t until,
                 struct err *e)
{
    while ((answer ? r->committing : !kafka_quiet_now(r->h.quiet)) &&
           clock_mono_us() < until) {
        if (kafka_group_serve(r, answer ? 100 : 10, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* 1 if it is under way now, 0 if there is nothing to commit. */
static int commit(struct kafka_reader *r, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = unstored(r);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    const int n = list->cnt;

    if (n > 0) {
        r->committed_us = clock_mono_us();
        r->committing = true;
        err = rd_kafka_commit_queue(r->h.rk, list, r->h.queue, NULL, NULL);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        r->committing = false;
        return kafka_fail(e, err, r->group);
    }
    return n > 0;
}

/* All of it: what is not stored before a partition goes is repeated. A
 * coordinator that is elsewhere by now, or busy, is asked again. */
static int store_all(struct kafka_reader *r, struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)ASK_MS * MS;

    if (await(r, true, until, e) < 0) {
        return -1;
    }
    while (is_behind(r) && clock_mono_us() < until) {
        if (await(r, false, until, e) < 0 || commit(r, e) < 0 ||
            await(r, true, until, e) < 0 ||
            (is_behind(r) && kafka_group_serve(r, AGAIN_MS, e) < 0)) {
            return -1;
        }
    }
    return 0;
}

int kafka_group_store(struct kafka_reader *r, bool wait, struct err *e)
{
    if (r->group == NULL) {
        return 0;
    }
    if (wait) {
        return store_all(r, e);
    }
    if (r->committing || clock_mono_us() < r->committed_us + COMMIT_US ||
        !kafka_quiet_now(r->h.quiet)) {
        return 0;
    }
    return commit(r, e) < 0 ? -1 : 0;
}

int kafka_group_due(const struct kafka_reader *r)
{
    const uint64_t at = r->committed_us + COMMIT_US;
    const uint64_t now = clock_mono_us();

    if (r->group == NULL || !is_behind(r)) {
        return -1;
    }
    if (r->committing) {
        return rd_kafka_queue_length(r->h.queue) > 0 ? 0 : -1;
    }
    return at > now                      ? (int)((at - now) / MS) + 1
           : kafka_quiet_now(r->h.quiet) ? 0
                                         : QUIET_MS;
}

/* In order, so that the others need not wait for a time-out; but a group that
 * does not answer holds nobody up. */
static void leave(struct kafka_reader *r)
{
    const uint64_t until = clock_mono_us() + (uint64_t)LEAVE_MS * MS;
    struct err ignored;

    (void)kafka_group_store(r, true, &ignored);
    r->leaving = true;
    rd_kafka_error_t *error =
        rd_kafka_consumer_close_queue(r->h.rk, r->h.queue);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
        return;
    }
    if (r->grant != NULL) {
        give_up(r, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, r->grant);
    } else if (r->revoke != NULL) {
        give_up(r, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, r->revoke);
    }
    while (!rd_kafka_consumer_closed(r->h.rk)) {
        (void)kafka_group_serve(r, 20, &ignored);
        if (clock_mono_us() >= until) {
            r->h.stuck = true;
            return;
        }
    }
}

void kafka_group_leave(struct kafka_reader *r)
{
    if (r->joined) {
        leave(r);
    }
    forget(&r->grant);
    forget(&r->revoke);
}
