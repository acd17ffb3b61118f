/* What delivery waits for, and when it no longer does.
 *
 * Two clocks: that of the machine (mono), by which probes, holds and patience
 * go, and the endpoint's, by which lanes and parked keys wait; it stands while
 * the endpoint is down, paused or held.
 *
 * Patience begins at the end of the input and anew with each event that is
 * settled for good, accepted or refused for ever. A failure that will be tried
 * again is none of these, so what fails for ever is left alone 5 s after the
 * last event that did not. */
#include "deliver/work.h"
#include "http/client.h"

enum {
    MS = 1000,
    LONGEST_MS = 60000,
    RENEWAL_US = 100 * MS,
    LOOK_US = 1000 * MS, /* at the secret that the endpoint refused */
};

/* Our own slowness is not the endpoint's: it has its time behind the request
 * that --rate lets leave next. */
static uint64_t patience_us(const struct deliver *d)
{
    return d->progress_us + DELIVER_PATIENCE_US + d->rate.every_ns / MS;
}

bool waits_no_more(const struct deliver *d, uint64_t now)
{
    return d->deferring || (d->stop_us > 0 && now >= d->stop_us) ||
           (d->draining && now >= patience_us(d));
}

bool waits_in_vain(const struct deliver *d, uint64_t now)
{
    if (d->deferring) {
        return false;
    }
    if (d->stop_us > 0 && now >= d->stop_us) {
        return true;
    }
    /* without a signal what is under way may use its time */
    return d->draining && d->lanes.jobs > 0 &&
           http_client_busy(d->client) == 0 && waits_no_more(d, now);
}

/* By the endpoint's clock; while the disk is full parked keys rest. */
static uint64_t parked_due(const struct deliver *d)
{
    return d->disk_us == 0 ? store_due(d->store) : UINT64_MAX;
}

/* When the next parked key is tried, if nothing else happens. While the
 * endpoint is not up any of them serves as the probe. */
static uint64_t chance_us(const struct deliver *d, uint64_t now)
{
    const struct endpoint *ep = &d->endpoint;
    const uint64_t clock = endpoint_clock(ep, now);
    const uint64_t due = parked_due(d);

    if (due == UINT64_MAX) {
        return due;
    }
    if (ep->state != ENDPOINT_UP) {
        return endpoint_next(ep);
    }
    return (ep->stopped_us > 0 ? ep->hold_us : now) +
           (due > clock ? due - clock : 0);
}

bool waits_for_parked(const struct deliver *d, uint64_t now)
{
    if (d->stop_us > 0) {
        return false;
    }
    return d->parked_flights > 0 ||
           (!waits_no_more(d, now) && chance_us(d, now) < patience_us(d));
}

/* --- the timeout of a turn --------------------------------------------------
 */

static void sooner(int *timeout_ms, uint64_t at, uint64_t now)
{
    const uint64_t left = at > now ? (at - now + MS - 1) / MS : 0;

    if (at != UINT64_MAX && left < LONGEST_MS &&
        (*timeout_ms < 0 || left < (uint64_t)*timeout_ms)) {
        *timeout_ms = (int)left;
    }
}

/* What waits by the endpoint's clock, while that runs and a request is free. */
static void sooner_due(const struct deliver *d, int *timeout_ms, uint64_t now)
{
    const struct due *lane = due_first(&d->lanes.waiting);
    const uint64_t clock = endpoint_clock(&d->endpoint, now);

    if (d->endpoint.stopped_us > 0 || waits_no_more(d, now) ||
        !endpoint_ready(&d->endpoint, http_client_busy(d->client), now)) {
        return; /* an answer comes first */
    }
    if (now < rate_next_us(&d->rate)) {
        sooner(timeout_ms, rate_next_us(&d->rate), now);
        return;
    }
    if (lane != NULL) {
        sooner(timeout_ms, lane->at, clock);
    }
    if (d->lanes.ready == NULL) {
        sooner(timeout_ms, parked_due(d), clock);
    }
}

void waits_timeout(const struct deliver *d, uint64_t now, int *timeout_ms)
{
    sooner_due(d, timeout_ms, now);
    if (d->lanes.jobs > 0 || store_events(d->store) > 0) {
        const uint64_t at = endpoint_next(&d->endpoint);
        if (d->endpoint.stopped_us > 0 && !waits_no_more(d, now)) {
            sooner(timeout_ms, at, now);
            if (d->endpoint.state == ENDPOINT_PAUSED && d->target->secret) {
                sooner(timeout_ms, now + LOOK_US, now);
            }
        }
    }
    if (target_is_renewing(d->target)) {
        sooner(timeout_ms, now + RENEWAL_US, now);
    }
    if (d->stop_us > now) {
        sooner(timeout_ms, d->stop_us, now);
    }
    if (d->draining && !waits_no_more(d, now)) {
        sooner(timeout_ms, patience_us(d), now);
    }
    if (d->disk_us > 0) {
        sooner(timeout_ms, d->disk_us, now);
    }
}
