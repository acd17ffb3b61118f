/* The health of an endpoint: may a request leave now, and whose fault is a
 * failure?
 *
 *     up ──5 failures in a row, or no connection──► down   probes, backing off
 *     up ──3xx, 401, 403, 407─────────────────────► paused a probe each 30 s
 *     down, paused ──any answer that is not a failure──► up, one request at a
 *                                     time at first, one more for each success
 *
 * Retry-After holds everything until it is over, in each state. While the
 * endpoint is not up, or held, its clock stands: what waits for a time waits
 * by endpoint_clock(), so that an outage uses up nobody's patience. */
#ifndef DELIVER_ENDPOINT_H
#define DELIVER_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"

enum endpoint_state { ENDPOINT_UP, ENDPOINT_DOWN, ENDPOINT_PAUSED };

enum { ENDPOINT_STREAK = 5 };

struct endpoint {
    const char *name; /* for messages; borrowed */
    enum endpoint_state state;
    uint64_t lost_us;    /* that the clock stood so far */
    uint64_t stopped_us; /* since when it stands; 0: it runs */
    uint64_t probe_us;   /* not up: when the next probe may leave */
    uint64_t hold_us;    /* no request before */
    size_t probes;       /* under way */
    size_t most;         /* requests at a time */
    size_t window;       /* of them, for now */
    struct backoff backoff;
    uint64_t slow;                    /* 429s in a row without Retry-After */
    uint64_t successes;               /* ever */
    uint64_t streak[ENDPOINT_STREAK]; /* keys of failures since the last */
    size_t failures;                  /* success; how many */
    uint64_t streak_us;               /* when the first of them came */
    struct {
        uint64_t key;
        uint64_t us;
    } recent[2]; /* the last successes of two different keys */
};

void endpoint_init(struct endpoint *, const char *name, size_t most);

/* now is clock_mono_us(), everywhere. */
uint64_t endpoint_clock(const struct endpoint *, uint64_t now);

/* Start the clock again when a hold is over; call it first in each turn. */
void endpoint_settle(struct endpoint *, uint64_t now);

/* May one more leave, beside `busy` others? */
bool endpoint_ready(const struct endpoint *, size_t busy, uint64_t now);

/* When that may change by time alone; UINT64_MAX: it will not. */
uint64_t endpoint_next(const struct endpoint *);

/* A request leaves: true if it is a probe. Tell when it is over. */
bool endpoint_sent(struct endpoint *);
void endpoint_probed(struct endpoint *);

/* An answer that was none of the failures below. */
void endpoint_success(struct endpoint *, uint64_t key, uint64_t now);

/* A failure that may be the event's or the endpoint's. again: the same key
 * counts each time (events wait for it). */
void endpoint_failure(struct endpoint *, uint64_t key, bool again,
                      const char *why, uint64_t now);

void endpoint_down(struct endpoint *, const char *why, uint64_t now);
void endpoint_pause(struct endpoint *, const char *why, uint64_t now);

/* wait_ms: of Retry-After, or 0 for "too fast" without it. */
void endpoint_hold(struct endpoint *, uint64_t wait_ms, uint64_t now);

/* SIGHUP: try it now. */
void endpoint_wake(struct endpoint *);

/* Has another key been accepted within the last 10 s? */
bool endpoint_others(const struct endpoint *, uint64_t key, uint64_t now);

#endif
