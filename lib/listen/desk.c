#include "listen/desk.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "http/loop.h"
#include "http/server.h"
#include "listen/gate.h"

enum {
    TICK_MS = 1000,
    SENDING_US = 5000000, /* after the drain began, for others to finish */
    FAREWELL_US = 500000, /* for answers to leave when we end */
    SPARE = 4096,         /* waiting structs that are kept */
    TOLD_US = 10000000,   /* refusals are told once per … */
};

struct waiting {
    TAILQ_ENTRY(waiting) link;
    struct http_exchange *exchange; /* NULL: answered at the deadline */
    const struct route *route;
    const void *owner;
    uint64_t ticket;
    const uint64_t *passed; /* when it is placed, with its offset */
    uint64_t offset;
    uint64_t since_us;
};

TAILQ_HEAD(waiting_list, waiting);

struct desk {
    struct desk_conf conf;
    struct loop *loop;
    struct http_server *server;
    struct envelope envelope;
    struct waiting_list queued;
    struct waiting_list taken; /* tickets of one owner rise */
    struct waiting_list placed;
    struct waiting_list spare;
    unsigned spares;
    bool draining;
    bool refusing;
    uint64_t drained_us;
    uint64_t told_us;
    uint64_t untold;
};

/* --- answers ------------------------------------------------------------ */

static void respond(struct http_exchange *x, unsigned status)
{
    static const struct http_field allow = {SLICE("Allow"), SLICE("POST, PUT")};
    static const struct http_field ask = {SLICE("WWW-Authenticate"),
                                          SLICE("Signature")};

    http_respond(x, status, status == 405 ? &allow : &ask,
                 status == 405 || status == 401, (struct slice){0});
}

static void finish(struct desk *d, struct waiting_list *list, struct waiting *w,
                   unsigned status)
{
    struct http_exchange *x = w->exchange;

    TAILQ_REMOVE(list, w, link);
    if (d->spares < SPARE) {
        TAILQ_INSERT_HEAD(&d->spare, w, link);
        d->spares++;
    } else {
        free(w);
    }
    if (x != NULL) {
        respond(x, status);
    }
}

static void finish_all(struct desk *d, struct waiting_list *list,
                       unsigned status)
{
    struct waiting *w;

    while ((w = TAILQ_FIRST(list)) != NULL) {
        finish(d, list, w, status);
    }
}

/* --- requests ----------------------------------------------------------- */

/* A refusal is worth a line, a flood of them is not. */
static void tell(struct desk *d, const struct http_exchange *x,
                 const struct http_message *m, unsigned status,
                 const struct err *why)
{
    const uint64_t now = clock_mono_us();
    struct buf peer;

    if (d->told_us != 0 && now - d->told_us < TOLD_US) {
        d->untold++;
        return;
    }
    buf_init(&peer);
    http_exchange_peer(x, &peer);
    msg_warn("%s: %.*s %.*s: %u, %s", buf_cstr(&peer), (int)m->method.n,
             m->method.p, (int)(m->path.n > 200 ? 200 : m->path.n), m->path.p,
             status, why->text);
    if (d->untold > 0) {
        msg_warn("%llu more requests were refused since the last such line",
                 (unsigned long long)d->untold);
    }
    buf_release(&peer);
    d->told_us = now;
    d->untold = 0;
}

static struct waiting *new_waiting(struct desk *d)
{
    struct waiting *w = TAILQ_FIRST(&d->spare);

    if (w == NULL) {
        return mem_new(sizeof *w);
    }
    TAILQ_REMOVE(&d->spare, w, link);
    d->spares--;
    return w;
}

static void handle(void *arg, struct http_exchange *x)
{
    struct desk *d = arg;
    struct http_field room[HTTP_FIELDS_MAX];
    struct http_message m;
    const struct route *route;
    struct err why;

    http_exchange_message(x, room, &m);
    if (routes_refresh(d->conf.routes, &why) < 0) {
        msg_warn("%s; the old keys stay in use", why.text);
    }
    const unsigned status =
        gate_check(d->conf.routes, &m, clock_wall_ms(), &route, &why);
    if (status != 0) {
        tell(d, x, &m, status, &why);
        respond(x, status);
        return;
    }
    if (d->refusing) {
        respond(x, 503);
        return;
    }
    struct waiting *w = new_waiting(d);
    w->exchange = x;
    w->route = route;
    w->since_us = clock_mono_us();
    TAILQ_INSERT_TAIL(&d->queued, w, link);
}

const struct route *desk_next(struct desk *d)
{
    const struct waiting *w = TAILQ_FIRST(&d->queued);

    return w != NULL ? w->route : NULL;
}

void desk_write(struct desk *d, struct buf *line, struct slice *key)
{
    const struct waiting *w = TAILQ_FIRST(&d->queued);
    struct http_field room[HTTP_FIELDS_MAX];
    struct http_message m;

    http_exchange_message(w->exchange, room, &m);
    envelope_write(&d->envelope, w->route->connector, w->route->source, &m,
                   line, key);
}

void desk_took(struct desk *d, const void *owner, uint64_t ticket)
{
    struct waiting *w = TAILQ_FIRST(&d->queued);

    TAILQ_REMOVE(&d->queued, w, link);
    w->owner = owner;
    w->ticket = ticket;
    TAILQ_INSERT_TAIL(&d->taken, w, link);
}

/* The owner's first, up to that ticket, at or behind w. */
static struct waiting *safe(struct waiting *w, const void *owner,
                            uint64_t ticket)
{
    while (w != NULL && w->owner != owner) {
        w = TAILQ_NEXT(w, link);
    }
    return w != NULL && w->ticket <= ticket ? w : NULL;
}

size_t desk_done(struct desk *d, const void *owner, uint64_t ticket, size_t max)
{
    size_t n = 0;
    struct waiting *w = safe(TAILQ_FIRST(&d->taken), owner, ticket);

    for (; w != NULL && n < max; n++) {
        struct waiting *next = TAILQ_NEXT(w, link);
        finish(d, &d->taken, w, 200);
        w = safe(next, owner, ticket);
    }
    return n;
}

size_t desk_place(struct desk *d, void *owner, uint64_t ticket,
                  const uint64_t *(*place)(void *owner, uint64_t *offset))
{
    size_t n = 0;
    struct waiting *w = safe(TAILQ_FIRST(&d->taken), owner, ticket);

    for (; w != NULL; n++) {
        struct waiting *next = TAILQ_NEXT(w, link);
        w->passed = place(owner, &w->offset);
        if (*w->passed > w->offset) {
            finish(d, &d->taken, w, 200);
        } else {
            TAILQ_REMOVE(&d->taken, w, link);
            TAILQ_INSERT_TAIL(&d->placed, w, link);
        }
        w = safe(next, owner, ticket);
    }
    return n;
}

void desk_passed(struct desk *d)
{
    struct waiting *next;

    for (struct waiting *w = TAILQ_FIRST(&d->placed); w != NULL; w = next) {
        next = TAILQ_NEXT(w, link);
        if (*w->passed > w->offset) {
            finish(d, &d->placed, w, 200);
        }
    }
}

bool desk_waits(const struct desk *d)
{
    return !TAILQ_EMPTY(&d->taken) || !TAILQ_EMPTY(&d->placed);
}

void desk_failed(struct desk *d, const void *owner, uint64_t ticket)
{
    struct waiting *next;

    for (struct waiting *w = TAILQ_FIRST(&d->taken); w != NULL; w = next) {
        next = TAILQ_NEXT(w, link);
        if (w->owner == owner && w->ticket > ticket) {
            finish(d, &d->taken, w, 503);
        }
    }
}

/* --- time --------------------------------------------------------------- */

static bool is_late(const struct desk *d, const struct waiting *w, uint64_t now)
{
    return w != NULL && now - w->since_us > d->conf.deadline_ms * 1000;
}

static void finish_late(struct desk *d, struct waiting_list *list, uint64_t now,
                        bool all)
{
    struct waiting *w;

    while ((w = TAILQ_FIRST(list)) != NULL && (all || is_late(d, w, now))) {
        finish(d, list, w, 503);
    }
}

/* Those that are taken stay on the list until their ticket is due. */
static void answer_late(const struct desk *d, uint64_t now)
{
    for (struct waiting *w = TAILQ_FIRST(&d->taken); is_late(d, w, now);
         w = TAILQ_NEXT(w, link)) {
        struct http_exchange *x = w->exchange;
        w->exchange = NULL;
        if (x != NULL) {
            respond(x, 503);
        }
    }
}

void desk_tick(struct desk *d, int *timeout_ms)
{
    const uint64_t now = clock_mono_us();
    const bool leaving = d->draining && now - d->drained_us > SENDING_US;

    finish_late(d, &d->queued, now, false);
    finish_late(d, &d->placed, now, leaving);
    answer_late(d, now);
    if ((d->draining || !TAILQ_EMPTY(&d->queued) || desk_waits(d)) &&
        (*timeout_ms < 0 || *timeout_ms > TICK_MS)) {
        *timeout_ms = d->draining ? TICK_MS / 10 : TICK_MS;
    }
}

void desk_drain(struct desk *d, bool refuse)
{
    d->draining = true;
    d->refusing = refuse;
    d->drained_us = clock_mono_us();
    http_server_drain(d->server);
    if (refuse) {
        finish_all(d, &d->queued, 503);
    }
}

bool desk_busy(const struct desk *d)
{
    return !TAILQ_EMPTY(&d->queued) || desk_waits(d) ||
           (http_server_busy(d->server) > 0 &&
            clock_mono_us() - d->drained_us < SENDING_US);
}

/* --- life --------------------------------------------------------------- */

struct desk *desk_open(struct loop *l, const struct desk_conf *conf,
                       struct err *e)
{
    struct desk *d = mem_new(sizeof *d);
    struct http_server_conf c;

    d->conf = *conf;
    d->loop = l;
    TAILQ_INIT(&d->queued);
    TAILQ_INIT(&d->taken);
    TAILQ_INIT(&d->placed);
    TAILQ_INIT(&d->spare);
    envelope_init(&d->envelope);
    http_server_conf_init(&c);
    c.max_body = conf->max_body;
    c.handle = handle;
    c.arg = d;
    if (conf->max_connections > 0) {
        c.max_connections = (unsigned)conf->max_connections;
    }
    if (c.max_inflight < 4 * c.max_body) {
        c.max_inflight = 4 * c.max_body;
    }
    d->server = http_server_new(l, &c);
    if (http_server_listen(d->server, conf->address, e) < 0) {
        desk_close(d);
        return NULL;
    }
    return d;
}

void desk_start(struct desk *d)
{
    http_server_start(d->server);
}

void desk_address(const struct desk *d, struct buf *out)
{
    http_server_address(d->server, out);
}

void desk_close(struct desk *d)
{
    struct waiting *w;

    if (d == NULL) {
        return;
    }
    desk_drain(d, true);
    finish_all(d, &d->taken, 503);
    finish_all(d, &d->placed, 503);
    const uint64_t start = clock_mono_us();
    while (http_server_busy(d->server) > 0 &&
           clock_mono_us() - start < FAREWELL_US) {
        (void)loop_wait(d->loop, NULL, 0, 50);
    }
    http_server_free(d->server);
    while ((w = TAILQ_FIRST(&d->spare)) != NULL) {
        TAILQ_REMOVE(&d->spare, w, link);
        free(w);
    }
    envelope_release(&d->envelope);
    free(d);
}
