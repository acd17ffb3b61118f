/* Delivery: events to an HTTP endpoint, each acknowledged, dead or deferred.
 *
 * THE WAY OF AN EVENT
 *
 *     input ─► lane of its key ─► request ─┬─ 2xx ────────────────► accepted
 *                  ▲     │                 ├─ permanent ──────────► dead letter
 *                  │     │ its key fails,  └─ failure
 *                  │     ▼ others succeed       │
 *                  │   retry store ◄── park ────┤
 *                  │     │                      │
 *                  └─────┼── again, in order ◄──┘
 *                        └─► request, on the long schedule ─► as above
 *
 * Lanes. A lane is the row of one key's events; at most one request of a lane
 * is under way, so a key's events arrive in order, with -j N requests in
 * flight over different keys. An event without a key (event_key()) is a lane
 * of its own.
 *
 * Failures, and whose they are. A failure is either the event's (its key's) or
 * the endpoint's. The judge is what else succeeds: a key is at fault if
 * another key was accepted since it began to fail, or if it is the only
 * failure while others were accepted just now. A key at fault is parked: at
 * once if events wait behind it, else when it has failed for the inline
 * budget. When nothing succeeds it is the endpoint: it is down or paused
 * (deliver/endpoint.h), deliver takes in little more, and every clock stands.
 *
 * Parking. The key's events go to the retry store, in order; so does each
 * later event of the key as long as one of them is there. An event in the
 * store is terminal for its source ("deferred") as soon as it is durable. The
 * store is worked off beside the lanes: a key's first event is tried on the
 * schedule, the next one at once when it got through. What is older than the
 * limit when it fails becomes a dead letter.
 *
 * Marks. An event holds the mark that covers it until it is accepted, dead
 * (in the dead-letter topic, synced) or deferred (in the store, synced). Marks
 * become terminal in order.
 *
 * The end. After "end" or the end of the input deliver goes on as long as it
 * gets on, with parked keys too that are due in time: 5 s without progress, and
 * what is left is deferred (deliver/waits.c). After SIGTERM (or the source's
 * SIGINT) it has 5 s in all, and parked keys stay where they are.
 *
 * WHAT A CRASH LEAVES BEHIND
 *
 *     before the answer            the source sends the event again: at least
 *                                  once; the Idempotency-Key is the same
 *     after the answer, before     the same: it is delivered twice. At most
 *     the receipt                  the events of the marks that are not
 *                                  terminal, by each crash
 *     event in the store, not      not terminal: it comes again
 *     yet synced
 *     synced, before the receipt   it comes again and is found there: deferred
 *                                  already
 *     delivered from the store,    it is delivered from the store again
 *     its X not written
 *     dead letter synced, before   two dead letters
 *     the receipt, or the X
 *     in the middle of compaction  one generation is in force, whole
 *                                  (deliver/journal.h)
 *
 * Nothing is ever dropped from the store before its outcome is durable or
 * acknowledged by the endpoint. */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "deliver/rate.h"
#include "deliver/schedule.h"
#include "deliver/target.h"
#include "stage/sink.h"
#include "topic/topic.h"

struct deliver;

struct deliver_conf {
    struct target_conf target;
    struct topic_store_conf broker; /* of the dead letters */
    const char *dead;               /* topic, "none", or NULL: by origin */
    const char *dir;   /* retry store; NULL: below the state folder */
    const char *key;   /* that it is encrypted under, by reference, or NULL */
    uint64_t requests; /* at a time */
    uint64_t timeout_ms;
    uint64_t inline_ms;
    uint64_t give_up_ms;
    struct schedule schedule;
    struct rate rate; /* as parsed, full */
};

struct deliver *deliver_new(void);
void deliver_free(struct deliver *);

/* Checks the configuration, which is borrowed; opens nothing. */
int deliver_configure(struct deliver *, const struct deliver_conf *,
                      struct err *);

/* Capabilities for sink_main(); the context is the struct deliver. */
extern const struct sink_ops deliver_sink;
extern const struct sink_ops deliver_dry; /* -n: shows the requests */

/* For struct stage_program. */
int deliver_wait(void *, struct pollfd *, size_t n, int timeout_ms);
void deliver_hangup(void *);
void deliver_stopping(void *);

#endif
