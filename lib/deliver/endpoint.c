#include "deliver/endpoint.h"

#include "base/clock.h"
#include "base/msg.h"
#include "base/rand.h"

enum {
    MS = 1000,
    SECOND = 1000 * MS,
    PAUSE_US = 30 * SECOND,
    RECENT_US = 10 * SECOND,
    SLOW_MS = 500,
    SLOW_MAX_MS = 60 * 1000,
};

void endpoint_init(struct endpoint *ep, const char *name, size_t most)
{
    *ep = (struct endpoint){.name = name,
                            .most = most,
                            .window = most,
                            .backoff = {.base_ms = 1000, .cap_ms = 30000}};
}

uint64_t endpoint_clock(const struct endpoint *ep, uint64_t now)
{
    return (ep->stopped_us > 0 ? ep->stopped_us : now) - ep->lost_us;
}

static void stop_clock(struct endpoint *ep, uint64_t since)
{
    if (ep->stopped_us == 0) {
        ep->stopped_us = since;
    }
}

void endpoint_settle(struct endpoint *ep, uint64_t now)
{
    if (ep->stopped_us > 0 && ep->state == ENDPOINT_UP && now >= ep->hold_us) {
        ep->lost_us += now - ep->stopped_us;
        ep->stopped_us = 0;
    }
}

bool endpoint_ready(const struct endpoint *ep, size_t busy, uint64_t now)
{
    if (now < ep->hold_us) {
        return false;
    }
    return ep->state == ENDPOINT_UP ? busy < ep->window
                                    : ep->probes == 0 && now >= ep->probe_us;
}

uint64_t endpoint_next(const struct endpoint *ep)
{
    uint64_t at = ep->hold_us;

    if (ep->state != ENDPOINT_UP) {
        if (ep->probes > 0) {
            return UINT64_MAX;
        }
        at = ep->probe_us > at ? ep->probe_us : at;
    }
    return at > 0 ? at : UINT64_MAX;
}

bool endpoint_sent(struct endpoint *ep)
{
    if (ep->state == ENDPOINT_UP) {
        return false;
    }
    ep->probes++;
    return true;
}

void endpoint_probed(struct endpoint *ep)
{
    ep->probes--;
}

static void come_up(struct endpoint *ep, uint64_t now)
{
    msg_info("%s: up again after %llu s", ep->name,
             (unsigned long long)((now - ep->stopped_us) / SECOND));
    ep->state = ENDPOINT_UP;
    ep->window = 1; /* it has just recovered: no stampede */
    backoff_reset(&ep->backoff);
    endpoint_settle(ep, now);
}

void endpoint_success(struct endpoint *ep, uint64_t key, uint64_t now)
{
    ep->successes++;
    ep->failures = 0;
    ep->slow = 0;
    if (ep->recent[0].key != key) {
        ep->recent[1] = ep->recent[0];
    }
    ep->recent[0].key = key;
    ep->recent[0].us = now;
    if (ep->state != ENDPOINT_UP) {
        come_up(ep, now);
    } else if (ep->window < ep->most) {
        ep->window++;
    }
}

static void probe_later(struct endpoint *ep, uint64_t now)
{
    ep->probe_us = now + backoff_next(&ep->backoff) * MS;
}

void endpoint_down(struct endpoint *ep, const char *why, uint64_t now)
{
    if (ep->state == ENDPOINT_DOWN) {
        probe_later(ep, now);
        return;
    }
    if (ep->state == ENDPOINT_UP) {
        stop_clock(ep, ep->failures > 0 ? ep->streak_us : now);
    }
    ep->state = ENDPOINT_DOWN;
    probe_later(ep, now);
    msg_warn("%s: down (%s); events wait until it answers", ep->name, why);
}

void endpoint_pause(struct endpoint *ep, const char *why, uint64_t now)
{
    ep->probe_us = now + PAUSE_US;
    if (ep->state == ENDPOINT_PAUSED) {
        return;
    }
    stop_clock(ep, now);
    ep->state = ENDPOINT_PAUSED;
    msg_error("%s: paused (%s); nothing is lost: put it right, then send "
              "SIGHUP (it is tried every 30 s)",
              ep->name, why);
}

static bool in_streak(const struct endpoint *ep, uint64_t key)
{
    for (size_t i = 0; i < ep->failures; i++) {
        if (ep->streak[i] == key) {
            return true;
        }
    }
    return false;
}

void endpoint_failure(struct endpoint *ep, uint64_t key, bool again,
                      const char *why, uint64_t now)
{
    if (ep->state != ENDPOINT_UP) {
        endpoint_down(ep, why, now);
        return;
    }
    if (ep->failures == 0) {
        ep->streak_us = now;
    }
    if (again || !in_streak(ep, key)) {
        ep->streak[ep->failures++] = key;
    }
    if (ep->failures == ENDPOINT_STREAK) {
        endpoint_down(ep, why, now);
        ep->failures = 0;
    }
}

void endpoint_hold(struct endpoint *ep, uint64_t wait_ms, uint64_t now)
{
    if (wait_ms == 0) { /* as long as it thinks, doubling, with jitter */
        uint64_t ceiling = SLOW_MS;
        for (uint64_t i = 0; i < ep->slow && ceiling < SLOW_MAX_MS; i++) {
            ceiling *= 2;
        }
        ep->slow++;
        wait_ms = ceiling / 2 + rand_below(ceiling / 2);
    }
    if (now + wait_ms * MS > ep->hold_us) {
        ep->hold_us = now + wait_ms * MS;
        stop_clock(ep, now);
        msg_debug("%s: asks for a rest of %llu ms", ep->name,
                  (unsigned long long)wait_ms);
    }
}

void endpoint_wake(struct endpoint *ep)
{
    ep->probe_us = 0;
}

bool endpoint_others(const struct endpoint *ep, uint64_t key, uint64_t now)
{
    for (size_t i = 0; i < 2; i++) {
        if (ep->recent[i].us > 0 && ep->recent[i].key != key) {
            return now - ep->recent[i].us < RECENT_US;
        }
    }
    return false;
}
