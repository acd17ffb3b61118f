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
    bool placed;
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
    w->placed = false;
    TAILQ_INSERT_TAIL(&d->taken, w, link);
}

void desk_place(struct desk *d, const void *owner, size_t n,
                const void *(*place)(const void *owner, size_t i,
                                     uint64_t *ticket))
{
    struct waiting *w = TAILQ_LAST(&d->taken, waiting_list);

    for (; w != NULL && n > 0; w = TAILQ_PREV(w, waiting_list, link)) {
        if (w->owner == owner) {
            w->owner = place(owner, --n, &w->ticket);
            w->placed = true;
        }
    }
}

void desk_done(struct desk *d, const void *owner, uint64_t ticket)
{
    struct waiting *next;

    for (struct waiting *w = TAILQ_FIRST(&d->taken); w != NULL; w = next) {
        next = TAILQ_NEXT(w, link);
        if (w->owner != owner) {
            continue;
        }
        if (w->ticket > ticket) {
            break;
        }
        finish(d, &d->taken, w, 200);
    }
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

void desk_tick(struct desk *d, int *timeout_ms)
{
    const uint64_t now = clock_mono_us();
    const uint64_t limit = d->conf.deadline_ms * 1000;
    struct waiting *w;
    struct waiting *next;

    while ((w = TAILQ_FIRST(&d->queued)) != NULL && now - w->since_us > limit) {
        finish(d, &d->queued, w, 503);
    }
    for (w = TAILQ_FIRST(&d->taken); w != NULL; w = next) {
        next = TAILQ_NEXT(w, link);
        const bool late = now - w->since_us > limit;
        const bool leaving = d->draining && now - d->drained_us > SENDING_US;
        if (w->placed && (late || leaving)) {
            finish(d, &d->taken, w, 503);
        } else if (late && w->exchange != NULL) {
            struct http_exchange *x = w->exchange;
            w->exchange = NULL;
            respond(x, 503);
        } else if (!late && !leaving) {
            break;
        }
    }
    if ((d->draining || !TAILQ_EMPTY(&d->queued) || !TAILQ_EMPTY(&d->taken)) &&
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
    return !TAILQ_EMPTY(&d->queued) || !TAILQ_EMPTY(&d->taken) ||
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
