/* Requests under way: which event goes next, and what its answer means. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "base/rand.h"
#include "deliver/answer.h"
#include "deliver/parked.h"
#include "deliver/work.h"
#include "record/event.h"

enum {
    MS = 1000,
    INLINE_MS = 250, /* first ceiling of the waits within the budget */
    INLINE_MAX_MS = 2000,
    SAY_US = 30 * 1000 * MS,
};

/* One answer, judged. */
struct outcome {
    enum answer_action action;
    const char *why;
    uint64_t now;
};

static struct flight *take_flight(struct deliver *d)
{
    struct flight *f = d->idle[http_client_busy(d->client)];

    f->lane = NULL;
    f->parked = NULL;
    f->probe = false;
    return f;
}

/* The client's slot is free again already. */
static void end_flight(struct deliver *d, struct flight *f)
{
    if (f->probe) {
        endpoint_probed(&d->endpoint);
    }
    if (f->parked != NULL) {
        d->parked_flights--;
    }
    f->busy = false;
    d->idle[http_client_busy(d->client)] = f;
}

/* --- parking ----------------------------------------------------------------
 */

static uint64_t jitter_us(uint64_t ceiling_ms)
{
    return rand_below(ceiling_ms * MS + 1);
}

void flight_park(struct deliver *d, struct lane *lane, uint32_t tries)
{
    const struct slice key = lane->key;
    const uint64_t hash = lane->hash;
    const uint64_t clock = endpoint_clock(&d->endpoint, clock_mono_us());
    uint64_t ms = 0;
    struct job *next;

    if (tries > 0 && !schedule_ceiling(&d->conf->schedule, tries, &ms)) {
        ms = 0; /* the schedule's end is for the store to see */
    }
    struct buf copy;
    buf_init(&copy);
    buf_append(&copy, "", 1); /* the lane's key dies with it */
    buf_append_slice(&copy, key);
    const struct slice k =
        key.p != NULL ? (struct slice){copy.p + 1, copy.n - 1} : key;
    for (struct job *j = lane_empty(&d->lanes, lane); j != NULL; j = next) {
        next = j->next;
        store_put(d->store, k, hash, j, tries, clock + jitter_us(ms));
        tries = 0;
    }
    buf_release(&copy);
}

/* Not a line for each key: they may be thousands. */
static void say_parked(struct deliver *d, const struct lane *lane,
                       const struct outcome *o)
{
    d->parkings++;
    msg_debug("parked: %zu events, key %.*s: %s", lane->n,
              lane->key.p != NULL ? (int)lane->key.n : 6,
              lane->key.p != NULL ? lane->key.p : "(none)", o->why);
    if (d->said_us > 0 && o->now < d->said_us + SAY_US) {
        return;
    }
    msg_warn("%s: %s; others get through, so %llu key%s parked in %s, to be "
             "tried again from there",
             d->target->name, o->why, (unsigned long long)d->parkings,
             d->parkings == 1 ? " is" : "s are", d->dir);
    d->said_us = o->now;
    d->parkings = 0;
}

/* --- failures ---------------------------------------------------------------
 */

/* A failure says something about the endpoint if it is up, or if this request
 * was the one that tried whether it is. */
static bool counts(const struct deliver *d, const struct flight *f)
{
    return f->probe || d->endpoint.state == ENDPOINT_UP;
}

static void lane_failed(struct deliver *d, const struct flight *f,
                        const struct outcome *o)
{
    struct endpoint *ep = &d->endpoint;
    struct lane *lane = f->lane;
    const uint64_t clock = endpoint_clock(ep, o->now);
    const bool first = lane->tries++ == 0;

    if (first) {
        lane->since_us = clock;
        lane->successes = ep->successes;
    }
    const bool again = ep->successes > lane->successes;
    if (o->action == ANSWER_PAUSE && !again) {
        endpoint_pause(ep, o->why, o->now);
    } else if (o->action == ANSWER_DOWN && counts(d, f)) {
        endpoint_down(ep, o->why, o->now);
    } else if (o->action != ANSWER_DOWN && counts(d, f)) {
        endpoint_failure(ep, lane->hash, true, o->why, o->now);
    }
    if (ep->state != ENDPOINT_UP) {
        lane_again(&d->lanes, lane);
        return;
    }
    const bool alone =
        first && ep->failures == 1 && endpoint_others(ep, lane->hash, o->now);
    const bool waited_for = lane->n > 1 && o->action != ANSWER_SLOW;
    if ((again || alone) &&
        (waited_for || clock - lane->since_us >= d->conf->inline_ms * MS)) {
        say_parked(d, lane, o);
        flight_park(d, lane, 1);
        return;
    }
    uint64_t ceiling = INLINE_MS;
    for (uint64_t i = 1; i < lane->tries && ceiling < INLINE_MAX_MS; i++) {
        ceiling *= 2;
    }
    lane_wait(&d->lanes, lane, clock + jitter_us(ceiling));
}

static int give_up(struct deliver *d, struct flight *f, const char *why,
                   struct err *e)
{
    struct event ev;
    bool reordered;

    return event_parse(&ev, buf_slice(&f->line), &reordered, e) < 0
               ? -1
               : deliver_bury(d, &ev, slice_of(why),
                              (struct letter){.parked = f->parked}, e);
}

static int parked_failed(struct deliver *d, struct flight *f,
                         const struct outcome *o, struct err *e)
{
    struct endpoint *ep = &d->endpoint;
    const uint64_t clock = endpoint_clock(ep, o->now);
    uint32_t tries;
    uint64_t age_ms;
    uint64_t ms = 0;
    char why[400];

    if (o->action == ANSWER_PAUSE && !store_others(d->store, f->parked)) {
        endpoint_pause(ep, o->why, o->now);
    } else if (o->action == ANSWER_DOWN && counts(d, f)) {
        endpoint_down(ep, o->why, o->now);
    } else if (o->action != ANSWER_DOWN && counts(d, f)) {
        endpoint_failure(ep, f->parked->hash, false, o->why, o->now);
    }
    if (ep->state != ENDPOINT_UP) {
        store_again(d->store, f->parked, clock);
        return 0;
    }
    store_failed(d->store, f->parked, clock_wall_ms(), &tries, &age_ms);
    if (age_ms < d->conf->give_up_ms &&
        schedule_ceiling(&d->conf->schedule, tries, &ms)) {
        store_again(d->store, f->parked, clock + jitter_us(ms));
        return 0;
    }
    (void)snprintf(why, sizeof why, "gave up after %u tries: %s", tries,
                   o->why);
    return give_up(d, f, why, e);
}

/* --- answers ----------------------------------------------------------------
 */

static void hold(struct deliver *d, const struct outcome *o)
{
    const char *text = http_client_header(d->client, "Retry-After");
    uint64_t ms;

    if (text != NULL && schedule_retry_after(text, clock_wall_ms(), &ms)) {
        if (ms > 0) {
            endpoint_hold(&d->endpoint, ms, o->now);
        }
    } else if (o->action == ANSWER_SLOW) {
        endpoint_hold(&d->endpoint, 0, o->now);
    }
}

static int settle(struct deliver *d, struct flight *f, const struct outcome *o,
                  struct err *e)
{
    struct event ev;
    bool reordered;

    d->progress_us = o->now;
    if (o->action == ANSWER_ACCEPTED) {
        sink_stats(d->sink)->out++;
        sink_stats(d->sink)->bytes_out += f->request.body.n;
        if (f->lane != NULL) {
            deliver_settle(d, lane_done(&d->lanes, f->lane), SINK_OK);
        } else {
            store_done(d->store, f->parked);
        }
        return 0;
    }
    if (f->lane == NULL) {
        return give_up(d, f, o->why, e);
    }
    struct job *j = lane_done(&d->lanes, f->lane);
    const struct slice line = {j->line, j->n};
    const struct letter letter = {.mark = j->mark};
    const int rc = event_parse(&ev, line, &reordered, e) < 0
                       ? -1
                       : deliver_bury(d, &ev, slice_of(o->why), letter, e);
    free(j);
    return rc;
}

/* A rotated secret is used from the next request on; an endpoint that waits
 * because of the old one is tried with it at once. */
static void renew_secret(struct deliver *d, bool at_once)
{
    struct err e;

    if (!at_once && !target_is_stale(d->target)) {
        return;
    }
    const int rc = target_load_secret(d->target, &e);
    if (rc < 0) {
        msg_warn("%s; the old one stays in use", e.text);
    } else if (rc > 0) {
        msg_info("the secret is another one now");
        endpoint_wake(&d->endpoint);
        d->turn++;
    }
}

/* It may be the former secret that was refused, as the answer took its time:
 * then the current one is tried at once. */
static void refused(struct deliver *d, const struct flight *f, int status)
{
    renew_secret(d, true);
    if (f->turn != d->turn) {
        endpoint_wake(&d->endpoint);
    } else if (status == 401) {
        target_refused(d->target);
    }
}

static int take_answer(struct deliver *d, const struct http_answer *a,
                       struct err *e)
{
    struct flight *f = a->tag;
    struct outcome o = {answer_judge(a), "", clock_mono_us()};
    const uint64_t key = f->lane != NULL ? f->lane->hash : f->parked->hash;
    struct buf why;
    int rc = 0;

    end_flight(d, f);
    if (o.action == ANSWER_GONE && d->target->template.has_places) {
        o.action = ANSWER_DEAD; /* one resource of many has gone */
    }
    buf_init(&why);
    if (o.action != ANSWER_ACCEPTED) {
        answer_describe(a, &why);
        o.why = buf_cstr(&why);
    }
    if (o.action == ANSWER_GONE) {
        rc = err_set(e, STATUS_REFUSED,
                     "%s: %s: the destination is no more; its events stay "
                     "where they are",
                     d->target->name, o.why);
    } else if (o.action == ANSWER_ACCEPTED || o.action == ANSWER_DEAD) {
        if (a->failure == HTTP_ANSWERED) {
            endpoint_success(&d->endpoint, key, o.now);
            store_success(d->store, clock_wall_ms());
        }
        rc = settle(d, f, &o, e);
    } else {
        hold(d, &o);
        if (f->lane != NULL) {
            lane_failed(d, f, &o);
        } else {
            rc = parked_failed(d, f, &o, e);
        }
        if (a->status == 401 || a->status == 403) {
            refused(d, f, a->status);
        }
    }
    buf_release(&why);
    return rc;
}

/* --- starting ---------------------------------------------------------------
 */

/* Parked keys get a quarter of the requests while others wait, and at least
 * every second one. When the endpoint is tried and nothing is due, what comes
 * next is taken early. */
static bool choose_parked(struct deliver *d, struct flight *f, uint64_t clock)
{
    const bool rush =
        d->endpoint.state != ENDPOINT_UP && d->lanes.ready == NULL;
    const size_t share = d->lanes.ready == NULL || d->conf->requests < 4
                             ? d->conf->requests
                             : d->conf->requests / 4;

    /* what comes of it could not be kept while the disk is full */
    if (d->parked_flights < share && d->disk_us == 0) {
        f->parked = store_next(d->store, rush ? UINT64_MAX : clock);
    }
    return f->parked != NULL;
}

static bool choose(struct deliver *d, struct flight *f, uint64_t now)
{
    const uint64_t clock = endpoint_clock(&d->endpoint, now);

    if (d->endpoint.state != ENDPOINT_UP && d->lanes.ready == NULL) {
        lane_wake(&d->lanes, UINT64_MAX);
    }
    d->parked_turn = !d->parked_turn;
    if (d->parked_turn && choose_parked(d, f, clock)) {
        return true;
    }
    f->lane = lane_next(&d->lanes);
    return f->lane != NULL || choose_parked(d, f, clock);
}

/* The line of the chosen event; a parked one is copied out of the store. */
static int read_line(struct deliver *d, struct flight *f, struct slice *line,
                     struct err *e)
{
    if (f->lane != NULL) {
        *line = (struct slice){f->lane->first->line, f->lane->first->n};
        return 0;
    }
    if (store_read(d->store, f->parked, line, e) < 0) {
        return -1;
    }
    buf_clear(&f->line);
    buf_append_slice(&f->line, *line);
    *line = buf_slice(&f->line);
    return 0;
}

/* 1 started, 0 the event makes no request and is a dead letter. */
static int start(struct deliver *d, struct flight *f, uint64_t now,
                 struct err *e)
{
    struct event ev;
    struct slice line;
    bool reordered;
    struct err why;

    if (read_line(d, f, &line, e) < 0 ||
        event_parse(&ev, line, &reordered, e) < 0) {
        return -1;
    }
    if (request_fill(d->target, &ev, &f->request, &why) < 0) {
        if (why.status != STATUS_STREAM) {
            *e = why;
            return -1;
        }
        const struct outcome o = {ANSWER_DEAD, why.text, now};
        return settle(d, f, &o, e);
    }
    f->busy = true;
    f->turn = d->turn;
    f->probe = endpoint_sent(&d->endpoint);
    rate_sent(&d->rate, now);
    d->parked_flights += f->parked != NULL;
    const struct http_request q = {.method = d->target->method,
                                   .url = f->request.url,
                                   .header = f->request.header,
                                   .headers = f->request.headers,
                                   .body = f->request.body,
                                   .tag = f};
    http_client_send(d->client, &q);
    return 1;
}

static int start_all(struct deliver *d, size_t *started, struct err *e)
{
    for (;;) {
        const size_t busy = http_client_busy(d->client);
        const uint64_t now = clock_mono_us();
        if (busy == d->conf->requests || waits_no_more(d, now) ||
            target_waits(d->target) ||
            !endpoint_ready(&d->endpoint, busy, now) ||
            now < rate_next_us(&d->rate)) {
            return 0;
        }
        struct flight *f = take_flight(d);
        if (!choose(d, f, now)) {
            return 0;
        }
        const int rc = start(d, f, now, e);
        if (rc < 0) {
            return -1;
        }
        *started += (size_t)rc;
    }
}

int flight_run(struct deliver *d, struct err *e)
{
    struct http_answer a;
    size_t started;

    do {
        const uint64_t now = clock_mono_us();
        if (http_client_run(d->client, e) < 0) {
            return -1;
        }
        while (http_client_next(d->client, &a)) {
            if (take_answer(d, &a, e) < 0) {
                return -1;
            }
        }
        renew_secret(d, false);
        endpoint_settle(&d->endpoint, now);
        if (d->endpoint.state == ENDPOINT_UP) {
            lane_wake(&d->lanes, endpoint_clock(&d->endpoint, now));
        }
        started = 0;
        if (start_all(d, &started, e) < 0) {
            return -1;
        }
    } while (started > 0);
    return 0;
}

void flight_cancel(struct deliver *d)
{
    for (size_t i = 0; d->flight != NULL && i < d->conf->requests; i++) {
        struct flight *f = &d->flight[i];
        if (!f->busy) {
            continue;
        }
        http_client_cancel(d->client, f);
        end_flight(d, f);
        if (f->lane != NULL) {
            lane_again(&d->lanes, f->lane);
        } else {
            store_again(d->store, f->parked, 0);
        }
    }
}
