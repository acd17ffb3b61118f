/* A connection.
 *
 *            first byte          complete            answer
 *   IDLE ──────────────► READING ────────► WAITING ─────────┐
 *     ▲                     │ refused                       ▼
 *     │                     └──────────────────────────► (send) ── full ─►
 * WRITING └───────── keep-alive ────────────────────────────────┤ │ close    ▼
 * ◄───────────┘ LINGER ─► closed
 *
 * Reads are edge-triggered: an edge sets `readable`, and only a short read or
 * EAGAIN clears it. While a request waits nothing is read, so that a client
 * cannot fill our memory with the next ones; no system call is needed to stop
 * and none to go on. The end of the client's sending side comes with an edge
 * of its own (EV_CLOSED) that keeps `readable` set until read() has said 0.
 *
 * A connection ends by LINGER, which sends our FIN and reads over what the
 * client still sends, for two seconds at most: closing with unread bytes would
 * send a reset, and the client would lose the answer that says why.
 *
 * conn_work() is the only place that frees a connection which is being worked
 * on: others mark it dead. The handler may answer inside the call or later;
 * inside, http_respond() leaves the next request to the conn_work() that is
 * running, so the stack does not grow with pipelined requests. */
#include "http/conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    KEEP = 4096, /* bytes of a buffer that an idle connection keeps */
    TURNS = 16,  /* requests of one connection before others have a turn */
    RATE = 1024, /* bytes of a body per second … */
    RATE_US = 5000000, /* … over each such window */
    WRITE_US = 10000000,
    LINGER_US = 2000000,
};

static void conn_work(struct conn *);

static void set_state(struct conn *c, enum conn_state state)
{
    struct http_server *s = c->server;

    if ((c->state == CONN_IDLE) != (state == CONN_IDLE)) {
        TAILQ_REMOVE(c->state == CONN_IDLE ? &s->idle : &s->busy, c, link);
        TAILQ_INSERT_TAIL(state == CONN_IDLE ? &s->idle : &s->busy, c, link);
    }
    c->state = state;
    c->since = clock_coarse_us();
}

static void count(struct conn *c, size_t n)
{
    c->server->inflight += n;
    c->server->inflight -= c->counted;
    c->counted = n;
}

void conn_close(struct conn *c)
{
    struct http_server *s = c->server;

    if (!c->dead) {
        c->dead = true;
        (void)event_del(&c->read_event);
        (void)event_del(&c->write_event);
        (void)close(c->fd);
        count(c, 0);
        s->open--;
        TAILQ_REMOVE(c->state == CONN_IDLE ? &s->idle : &s->busy, c, link);
    }
    if (c->working) {
        return;
    }
    buf_release(&c->in);
    buf_release(&c->rest);
    buf_release(&c->out);
    free(c);
    server_room(s);
}

/* --- sending ------------------------------------------------------------ */

/* Give back what an idle connection does not need. */
static void reset(struct conn *c)
{
    struct buf *const b[] = {&c->in, &c->rest, &c->out};

    if (c->rest_at == c->rest.n) {
        buf_clear(&c->rest);
        c->rest_at = 0;
    }
    for (size_t i = 0; i < 3; i++) {
        if (b[i]->cap > KEEP && b[i]->n == 0) {
            buf_release(b[i]);
            buf_init(b[i]);
        }
    }
}

/* The answer is sent: what comes then. */
static void answered(struct conn *c)
{
    buf_clear(&c->out);
    buf_clear(&c->in);
    count(c, 0);
    c->used = true;
    if (c->close) {
        (void)shutdown(c->fd, SHUT_WR);
        set_state(c, CONN_LINGER);
    } else {
        http_parser_init(&c->parser, &c->in, c->server->conf.max_body);
        set_state(c, CONN_IDLE);
    }
    reset(c);
}

/* As much as fits; the rest goes to out. -1: the connection is closed. */
static int send_bytes(struct conn *c, const char *p, size_t n)
{
    const ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c);
        return -1;
    }
    const size_t gone = sent > 0 ? (size_t)sent : 0;
    if (gone < n) {
        c->sent = 0;
        buf_append(&c->out, p + gone, n - gone);
        (void)event_add(&c->write_event, NULL);
    }
    return 0;
}

static void answer(struct conn *c, unsigned status, const struct http_field *f,
                   size_t fields, struct slice body)
{
    struct http_server *s = c->server;

    c->close |= c->parser.close || s->draining;
    answer_build(s, c, status, f, fields, body);
    if (c->out.n > 0) {
        /* A 100 Continue has not gone yet. */
        buf_append(&c->out, s->head.p, s->head.n);
    } else if (send_bytes(c, s->head.p, s->head.n) < 0) {
        return;
    }
    if (c->out.n > 0) {
        set_state(c, CONN_WRITING);
    } else {
        answered(c);
    }
}

static void refuse(struct conn *c, unsigned status)
{
    c->close = true;
    answer(c, status, NULL, 0, (struct slice){0});
}

void http_respond(struct http_exchange *x, unsigned status,
                  const struct http_field *f, size_t fields, struct slice body)
{
    struct conn *c =
        (struct conn *)(void *)((char *)x - offsetof(struct conn, exchange));

    const bool inside = c->working;
    c->working = true;
    answer(c, status, f, fields, body);
    if (inside) {
        return;
    }
    c->working = false;
    if (c->dead || !c->server->working) {
        conn_work(c);
    } else {
        /* Another connection's handler answers this one; the scratch buffer
         * is taken. */
        event_active(&c->read_event, EV_READ, 0);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)what;
    const ssize_t n =
        send(fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(c);
        return;
    }
    if (n > 0) {
        c->sent += (size_t)n;
        if (c->state == CONN_WRITING) {
            c->since = clock_coarse_us();
        }
    }
    if (c->sent < c->out.n) {
        (void)event_add(&c->write_event, NULL);
    } else if (c->state == CONN_WRITING) {
        answered(c);
        conn_work(c);
    } else {
        buf_clear(&c->out);
    }
}

/* --- receiving ---------------------------------------------------------- */

static void dispatch(struct conn *c)
{
    set_state(c, CONN_WAITING);
    c->server->conf.handle(c->server->conf.arg, &c->exchange);
}

static void feed(struct conn *c, const char *p, size_t n, size_t *used)
{
    *used = 0;
    if (c->state == CONN_IDLE) {
        set_state(c, CONN_READING);
        c->window = 0;
    }
    size_t took;
    enum http_parse r = http_parser_feed(&c->parser, p, n, &took);
    *used += took;
    if (r == HTTP_PARSE_HEAD) {
        c->since = clock_coarse_us();
        if (c->parser.expect && took == n) {
            static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
            if (send_bytes(c, go_on, sizeof go_on - 1) < 0) {
                return;
            }
        }
        r = http_parser_feed(&c->parser, p + took, n - took, &took);
        *used += took;
    }
    count(c, c->in.n);
    if (r == HTTP_PARSE_BAD) {
        refuse(c, c->parser.status);
    } else if (c->server->inflight > c->server->conf.max_inflight) {
        refuse(c, 503);
    } else if (r == HTTP_PARSE_DONE) {
        dispatch(c);
    }
}

/* One read(2) into the scratch buffer: 1, 0 nothing now, -1 closed. */
static int receive(struct conn *c, size_t *n)
{
    const ssize_t got = recv(c->fd, c->server->scratch, CONN_SCRATCH, 0);

    if (got > 0) {
        *n = (size_t)got;
        /* A short read has emptied the socket; its end comes with an edge. */
        c->readable = c->half_closed || *n == CONN_SCRATCH;
        return 1;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        c->readable = errno == EINTR;
        return 0;
    }
    conn_close(c);
    return -1;
}

/* One step: false when there is nothing to do now. */
static bool step(struct conn *c)
{
    size_t n;
    size_t used;

    if (c->dead || c->state == CONN_WAITING || c->state == CONN_WRITING) {
        return false;
    }
    if (c->state != CONN_LINGER && c->rest_at < c->rest.n) {
        const size_t at = c->rest_at;
        struct buf rest = c->rest; /* feed() may not see it change */
        c->rest = (struct buf){0};
        feed(c, rest.p + at, rest.n - at, &used);
        c->rest = rest;
        c->rest_at = at + used;
        reset(c);
        return true;
    }
    if (!c->readable) {
        return false;
    }
    const int rc = receive(c, &n);
    if (rc <= 0 || c->state == CONN_LINGER) {
        return rc > 0 || (rc == 0 && c->readable);
    }
    buf_clear(&c->rest);
    c->rest_at = 0;
    feed(c, c->server->scratch, n, &used);
    if (used < n && !c->dead && !c->close) {
        buf_append(&c->rest, c->server->scratch + used, n - used);
    }
    return true;
}

static void conn_work(struct conn *c)
{
    unsigned turns = 0;

    if (c->dead) {
        c->working = false;
        conn_close(c);
        return;
    }
    c->working = true;
    c->server->working = true;
    while (step(c)) {
        if (++turns == TURNS) {
            if (!c->dead) {
                event_active(&c->read_event, EV_READ, 0);
            }
            break;
        }
    }
    c->server->working = false;
    c->working = false;
    if (c->dead) {
        conn_close(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    c->readable = true;
    c->half_closed |= (what & EV_CLOSED) != 0;
    if (c->state != CONN_WAITING && c->state != CONN_WRITING) {
        conn_work(c);
    }
}

/* --- beginning, and the passing of time --------------------------------- */

void conn_open(struct http_server *s, int fd, const struct sockaddr_in6 *peer)
{
    struct conn *c = mem_new(sizeof *c);

    c->server = s;
    c->fd = fd;
    c->peer = *peer;
    c->state = CONN_IDLE;
    c->since = clock_coarse_us();
    buf_init(&c->in);
    buf_init(&c->rest);
    buf_init(&c->out);
    http_parser_init(&c->parser, &c->in, s->conf.max_body);
    TAILQ_INSERT_TAIL(&s->idle, c, link);
    s->open++;
    (void)event_assign(&c->read_event, s->base, fd,
                       EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_readable,
                       c);
    (void)event_assign(&c->write_event, s->base, fd, EV_WRITE | EV_ET,
                       on_writable, c);
    if (event_add(&c->read_event, NULL) < 0) {
        conn_close(c);
    }
}

static void check_reading(struct conn *c, uint64_t now)
{
    if (c->parser.body_at == 0) {
        if (now - c->since > (uint64_t)c->server->conf.head_ms * 1000) {
            refuse(c, 408);
        }
        return;
    }
    if (now - c->since < RATE_US) {
        return;
    }
    const uint64_t want = RATE * ((now - c->since) / 1000000);
    if (c->parser.body_n - c->window < want) {
        refuse(c, 408);
        return;
    }
    c->window = c->parser.body_n;
    c->since = now;
}

void conn_check(struct conn *c, uint64_t now)
{
    const struct http_server_conf *conf = &c->server->conf;
    const uint64_t silent = now > c->since ? now - c->since : 0;

    switch (c->state) {
    case CONN_IDLE:
        if (silent >
            (uint64_t)(c->used ? conf->idle_ms : conf->head_ms) * 1000) {
            conn_close(c);
        }
        break;
    case CONN_READING:
        check_reading(c, now);
        break;
    case CONN_WRITING:
        if (silent > WRITE_US) {
            conn_close(c);
        }
        break;
    case CONN_LINGER:
        if (silent > LINGER_US) {
            conn_close(c);
        }
        break;
    case CONN_WAITING:
        break;
    }
}
