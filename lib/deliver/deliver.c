#include "deliver/deliver.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "crypto/digest.h"
#include "deliver/work.h"
#include "record/event.h"
#include "topic/dead.h"
#include "topic/topic.h"

enum {
    MS = 1000,
    DIR_HEX = 16,
    MEMORY = 8 << 20,         /* bytes of events under way */
    MEMORY_WAITING = 1 << 20, /* while the endpoint takes nothing */
};

struct deliver *deliver_new(void)
{
    return mem_new(sizeof(struct deliver));
}

int deliver_configure(struct deliver *d, const struct deliver_conf *conf,
                      struct err *e)
{
    d->conf = conf;
    d->target = target_new(&conf->target, e);
    return d->target != NULL ? 0 : -1;
}

void deliver_free(struct deliver *d)
{
    target_free(d->target);
    free(d->dir);
    free(d);
}

/* --- opening ----------------------------------------------------------------
 */

/* One folder for each URL as it was given: what it holds, it holds for that
 * endpoint. The URL may be a secret, so its name is a digest. */
static char *default_dir(const char *url)
{
    char hex[DIGEST_HEX];
    struct digest *digest = digest_new();
    char *state = state_dir();

    digest_add(digest, url, strlen(url));
    digest_hex(digest, hex);
    char *dir = mem_printf("%s/deliver/%.*s", state, DIR_HEX, hex);
    digest_free(digest);
    free(state);
    return dir;
}

static int open_client(struct deliver *d, struct err *e)
{
    const size_t n = d->conf->requests;

    d->client = http_client_new(n, d->conf->timeout_ms, e);
    if (d->client == NULL) {
        return -1;
    }
    d->flight = mem_new(n * sizeof *d->flight);
    d->idle = mem_new(n * sizeof(struct flight *));
    for (size_t i = 0; i < n; i++) {
        d->idle[i] = &d->flight[i];
    }
    endpoint_init(&d->endpoint, d->target->name, n);
    d->rate = d->conf->rate;
    return 0;
}

static int open_dead(struct deliver *d, struct err *e)
{
    const bool none =
        d->conf->dead != NULL && strcmp(d->conf->dead, "none") == 0;

    if (d->conf->dead != NULL && !none &&
        topic_name_check(d->conf->dead, e) < 0) {
        return err_wrap(e, "-d");
    }
    if (!none) {
        d->topics = topic_store_open(&d->conf->broker, e);
        if (d->topics == NULL) {
            return -1;
        }
    }
    d->dead = dead_open(d->topics, d->conf->dead, "dpp-deliver", "deliver");
    return 0;
}

/* Once: what holds over several runs of one pipe. */
static int open_all(struct deliver *d, struct err *e)
{
    lane_init(&d->lanes);
    d->dir = d->conf->dir != NULL ? mem_strdup(d->conf->dir)
                                  : default_dir(d->conf->target.url);
    if (target_load_secret(d->target, e) < 0 ||
        target_start(d->target, e) < 0) {
        return -1;
    }
    d->store = store_open(d->dir, d->conf->key, &d->lanes, e);
    if (d->store == NULL || open_client(d, e) < 0 || open_dead(d, e) < 0) {
        return -1;
    }
    if (store_events(d->store) > 0) {
        msg_info("%zu events of %zu keys are deferred in %s: they are tried "
                 "first",
                 store_events(d->store), store_keys(d->store), d->dir);
    }
    return 0;
}

static int open_run(void *ctx, struct sink *sink, const struct sink_run *run,
                    struct buf *pos, struct err *e)
{
    struct deliver *d = ctx;

    (void)run; /* the source keeps the position */
    (void)pos;
    if (d->sink == NULL && open_all(d, e) < 0) {
        return -1;
    }
    d->sink = sink;
    d->draining = d->deferring = false;
    pending_init(&d->marks);
    return 0;
}

static void close_all(void *ctx)
{
    struct deliver *d = ctx;

    flight_cancel(d);
    if (d->store != NULL && store_events(d->store) > 0) {
        msg_info("%zu events of %zu keys stay deferred in %s: the next start "
                 "tries them",
                 store_events(d->store), store_keys(d->store), d->dir);
    }
    store_close(d->store);
    for (size_t i = 0; d->flight != NULL && i < d->conf->requests; i++) {
        request_release(&d->flight[i].request);
        buf_release(&d->flight[i].line);
    }
    free(d->flight);
    free(d->idle);
    free(d->letter);
    lane_release(&d->lanes);
    pending_release(&d->marks);
    dead_close(d->dead);
    if (d->topics != NULL) {
        topic_store_close(d->topics);
    }
    http_client_free(d->client);
}

/* --- outcomes ----------------------------------------------------------------
 */

void deliver_settle(struct deliver *d, struct job *j, enum sink_outcome outcome)
{
    pending_drop(&d->marks, j->mark);
    sink_count(d->sink, outcome, 1);
    free(j);
}

int deliver_bury(struct deliver *d, const struct event *ev, struct slice why,
                 struct letter letter, struct err *e)
{
    if (dead_put(d->dead, ev, why, e) < 0) {
        return -1;
    }
    if (d->letters == d->letter_cap) {
        d->letter_cap = d->letter_cap > 0 ? d->letter_cap * 2 : 64;
        d->letter = mem_resize(d->letter, d->letter_cap * sizeof *d->letter);
    }
    d->letter[d->letters++] = letter;
    d->letter_bytes += ev->line.n + why.n;
    return 0;
}

/* 0, 1 (disk full), -1. */
static int sync_dead(struct deliver *d, struct err *e)
{
    const int rc = dead_sync(d->dead, e);

    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < d->letters; i++) {
        if (d->letter[i].parked != NULL) {
            store_done(d->store, d->letter[i].parked);
        } else {
            pending_drop(&d->marks, d->letter[i].mark);
            sink_count(d->sink, SINK_DEAD, 1);
        }
    }
    d->letters = 0;
    d->letter_bytes = 0;
    return 0;
}

/* --- input
 * -------------------------------------------------------------------- */

static int take_event(void *ctx, const struct event *ev, struct err *e)
{
    struct deliver *d = ctx;
    struct job *j = lane_job(ev->line, pending_hold(&d->marks));
    struct buf room;

    (void)e;
    buf_init(&room);
    const struct slice key = event_key(ev, &room);
    if (store_holds(d->store, lane_identity(&d->lanes, ev))) {
        deliver_settle(d, j, SINK_DEFERRED);
    } else if (d->deferring || store_find(d->store, key) != NULL) {
        store_put(d->store, key, lane_hash(&d->lanes, key), j, 0, 0);
    } else {
        struct lane *lane = lane_add(&d->lanes, key, j);
        /* now something waits for a key that is known to be at fault */
        if (lane->state == LANE_WAITING &&
            d->endpoint.successes > lane->successes) {
            flight_park(d, lane, (uint32_t)lane->tries);
        }
    }
    buf_release(&room);
    return 0;
}

static int take_dead(void *ctx, const struct event *ev, struct slice why,
                     struct err *e)
{
    struct deliver *d = ctx;

    const struct letter letter = {.mark = pending_hold(&d->marks)};
    return deliver_bury(d, ev, why, letter, e);
}

static int take_mark(void *ctx, uint64_t seq, struct slice pos, struct err *e)
{
    struct deliver *d = ctx;

    (void)seq; /* both count from 1 */
    (void)pos;
    (void)e;
    pending_close(&d->marks);
    return 0;
}

static bool is_full(void *ctx)
{
    const struct deliver *d = ctx;
    const size_t most = d->endpoint.stopped_us > 0 ? MEMORY_WAITING : MEMORY;

    return d->lanes.bytes + store_waiting(d->store) + d->letter_bytes > most;
}

/* --- work
 * --------------------------------------------------------------------- */

/* Give up waiting for the endpoint: all that is left goes to the store. */
static void defer_all(struct deliver *d)
{
    struct lane *lane;

    d->deferring = true;
    flight_cancel(d);
    while ((lane = lane_any(&d->lanes)) != NULL) {
        flight_park(d, lane, 0);
    }
}

static void disk_full(struct deliver *d, const char *what, uint64_t now)
{
    if (d->disk_us == 0) {
        msg_warn("%s: no space left; events wait until there is", what);
    }
    d->disk_us = now + DELIVER_DISK_US;
}

/* Whatever waits for a disk. The retry store and the dead letters may lie on
 * different ones: none waits for the other. */
static int write_all(struct deliver *d, uint64_t now, struct err *e)
{
    struct job *next;
    struct job *j;

    if (now >= d->disk_us) {
        const int dead = sync_dead(d, e);
        const int stored = dead < 0 ? -1 : store_flush(d->store, e);
        if (stored < 0) {
            return -1;
        }
        if (stored == 1 || dead == 1) {
            disk_full(d, stored == 1 ? d->dir : topic_store_name(d->topics),
                      now);
        } else if (d->disk_us > 0) {
            d->disk_us = 0;
            msg_info("there is room on the disk again");
        }
    }
    if (store_durable(d->store, &j, e) < 0) {
        return -1;
    }
    for (; j != NULL; j = next) {
        next = j->next;
        deliver_settle(d, j, SINK_DEFERRED);
    }
    return 0;
}

static int work(void *ctx, const struct pollfd *fds, size_t n, struct err *e)
{
    struct deliver *d = ctx;

    (void)fds; /* reading the store's descriptor is part of asking it */
    (void)n;
    if (flight_run(d, e) < 0) {
        return -1;
    }
    const uint64_t now = clock_mono_us();
    if (waits_in_vain(d, now)) {
        defer_all(d);
    }
    if (write_all(d, now, e) < 0) {
        return -1;
    }
    const uint64_t terminal = pending_terminal(&d->marks);
    if (terminal > 0) {
        sink_terminal(d->sink, terminal);
    }
    return 0;
}

static size_t list_fds(void *ctx, struct pollfd *fds, size_t max,
                       int *timeout_ms)
{
    const struct deliver *d = ctx;
    const int fd = store_fd(d->store);

    waits_timeout(d, clock_mono_us(), timeout_ms);
    if (fd < 0 || max == 0) {
        return 0;
    }
    fds[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 1;
}

static void drain(void *ctx)
{
    struct deliver *d = ctx;

    d->draining = true;
    d->progress_us = clock_mono_us();
}

static bool is_busy(void *ctx)
{
    return waits_for_parked(ctx, clock_mono_us());
}

int deliver_wait(void *ctx, struct pollfd *fds, size_t n, int timeout_ms)
{
    struct deliver *d = ctx;

    return d->client != NULL ? http_client_wait(d->client, fds, n, timeout_ms)
                             : poll(fds, (nfds_t)n, timeout_ms);
}

void deliver_hangup(void *ctx)
{
    struct deliver *d = ctx;
    struct err e;

    if (d->client == NULL) {
        return;
    }
    if (target_load_secret(d->target, &e) < 0) {
        msg_warn("%s; the old one stays in use", e.text);
    }
    endpoint_wake(&d->endpoint);
}

void deliver_stopping(void *ctx)
{
    struct deliver *d = ctx;

    if (d->stop_us == 0) {
        d->stop_us = clock_mono_us() + DELIVER_PATIENCE_US;
    }
}

const struct sink_ops deliver_sink = {
    .open = open_run,
    .event = take_event,
    .dead = take_dead,
    .mark = take_mark,
    .work = work,
    .fds = list_fds,
    .full = is_full,
    .drain = drain,
    .busy = is_busy,
    .close = close_all,
};
