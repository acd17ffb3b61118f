#include "http/server.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "http/conn.h"
#include "http/loop.h"
#include "http/socket.h"

enum {
    ACCEPTS = 64,
    TICK_MS = 500,
    RETRY_MS = 200,
    SPARE_FDS = 64,
    TELL_US = 60000000, /* a shortage is told once per … */
};

void http_server_conf_init(struct http_server_conf *c)
{
    *c = (struct http_server_conf){
        .max_body = 1 << 20,
        .max_inflight = 64 << 20,
        .max_connections = 16384,
        .head_ms = 10000,
        .idle_ms = 60000,
        .retry_after = 1,
    };
}

/* --- the clock ---------------------------------------------------------- */

static void tick(struct http_server *s)
{
    static const struct timeval tv = {0, TICK_MS * 1000};

    /* An idle server has no timer that wakes it. */
    if (!s->ticking && s->open > 0) {
        s->ticking = true;
        (void)event_add(s->tick, &tv);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    const uint64_t now = clock_mono_us();
    struct conn *next;

    (void)fd;
    (void)what;
    s->ticking = false;
    for (struct conn *c = TAILQ_FIRST(&s->idle); c != NULL; c = next) {
        next = TAILQ_NEXT(c, link);
        conn_check(c, now);
    }
    for (struct conn *c = TAILQ_FIRST(&s->busy); c != NULL; c = next) {
        next = TAILQ_NEXT(c, link);
        conn_check(c, now);
    }
    tick(s);
}

/* --- accepting ---------------------------------------------------------- */

static bool is_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/* No descriptor for another connection: those that wait stay in the kernel's
 * queue until one is closed, or a moment has passed. */
static void pause_accepting(struct http_server *s, const char *why)
{
    static const struct timeval tv = {0, RETRY_MS * 1000};

    (void)event_del(s->listener);
    (void)event_add(s->retry, &tv);
    const uint64_t now = clock_mono_us();
    if (s->short_told_us == 0 || now - s->short_told_us > TELL_US) {
        s->short_told_us = now;
        msg_warn("no more connections for now: %s (%u open)", why, s->open);
    }
}

/* Make room by ending the connection that has been idle longest. */
static bool evict(struct http_server *s)
{
    struct conn *c = TAILQ_FIRST(&s->idle);

    if (c == NULL || !c->used) {
        return false;
    }
    conn_close(c);
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)what;
    for (unsigned i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage peer = {0};
        struct sockaddr_in6 six;
        socklen_t n = sizeof peer;
        if (s->open >= s->conf.max_connections && !evict(s)) {
            pause_accepting(s, "that is the limit");
            break;
        }
        const int c = accept4(fd, (struct sockaddr *)&peer, &n,
                              SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (c < 0) {
            const int why = errno;
            if (is_shortage(why) && !evict(s)) {
                pause_accepting(s, strerror(why));
            }
            if (why != ECONNABORTED && why != EINTR) {
                break;
            }
            continue;
        }
        memcpy(&six, &peer, sizeof six);
        conn_open(s, c, &six);
    }
    tick(s);
}

static void resume(struct http_server *s)
{
    if (s->listener != NULL && !s->draining &&
        event_pending(s->retry, EV_TIMEOUT, NULL)) {
        (void)event_del(s->retry);
        (void)event_add(s->listener, NULL);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)fd;
    (void)what;
    if (!s->draining) {
        (void)event_add(s->listener, NULL);
    }
}

void server_room(struct http_server *s)
{
    resume(s);
}

int http_server_listen(struct http_server *s, const char *address,
                       struct err *e)
{
    s->fd = socket_listen(address, e);
    if (s->fd < 0) {
        return -1;
    }
    s->listener = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
    return s->listener != NULL
               ? 0
               : err_set(e, STATUS_SYSTEM, "%s: cannot wait for connections",
                         address);
}

void http_server_start(struct http_server *s)
{
    (void)event_add(s->listener, NULL);
}

void http_server_address(const struct http_server *s, struct buf *out)
{
    socket_name(s->fd, out);
}

/* --- life --------------------------------------------------------------- */

/* As many descriptors as connections may need, if the limit can be moved;
 * else fewer connections: whoever keeps the events needs some as well. */
static unsigned limit_connections(unsigned wanted)
{
    const rlim_t spare = wanted < SPARE_FDS ? SPARE_FDS / 2 : SPARE_FDS;
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= wanted + spare) {
        return wanted;
    }
    r.rlim_cur = r.rlim_max < wanted + spare ? r.rlim_max : wanted + spare;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur >= wanted + spare) {
        return wanted;
    }
    return r.rlim_cur > 2 * spare ? (unsigned)(r.rlim_cur - spare)
                                  : (unsigned)(r.rlim_cur / 2);
}

struct http_server *http_server_new(struct loop *l,
                                    const struct http_server_conf *conf)
{
    struct http_server *s = mem_new(sizeof *s);

    s->conf = *conf;
    s->base = loop_base(l);
    s->fd = -1;
    s->conf.max_connections = limit_connections(conf->max_connections);
    TAILQ_INIT(&s->idle);
    TAILQ_INIT(&s->busy);
    buf_init(&s->head);
    s->tick = evtimer_new(s->base, on_tick, s);
    s->retry = evtimer_new(s->base, on_retry, s);
    return s;
}

static void stop_listening(struct http_server *s)
{
    if (s->listener != NULL) {
        event_free(s->listener);
        s->listener = NULL;
        (void)event_del(s->retry);
        (void)close(s->fd);
        s->fd = -1;
    }
}

void http_server_free(struct http_server *s)
{
    struct conn *c;

    if (s == NULL) {
        return;
    }
    s->draining = true;
    stop_listening(s);
    while ((c = TAILQ_FIRST(&s->idle)) != NULL ||
           (c = TAILQ_FIRST(&s->busy)) != NULL) {
        conn_close(c);
    }
    event_free(s->tick);
    event_free(s->retry);
    buf_release(&s->head);
    free(s);
}

void http_server_drain(struct http_server *s)
{
    struct conn *c;

    s->draining = true;
    stop_listening(s);
    while ((c = TAILQ_FIRST(&s->idle)) != NULL) {
        conn_close(c);
    }
}

unsigned http_server_busy(const struct http_server *s)
{
    unsigned n = 0;

    for (const struct conn *c = TAILQ_FIRST(&s->busy); c != NULL;
         c = TAILQ_NEXT(c, link)) {
        n += c->state != CONN_LINGER;
    }
    return n;
}

/* --- exchanges ---------------------------------------------------------- */

static const struct conn *conn_of(const struct http_exchange *x)
{
    return (const struct conn *)(const void *)((const char *)x -
                                               offsetof(struct conn, exchange));
}

void http_exchange_message(const struct http_exchange *x,
                           struct http_field room[HTTP_FIELDS_MAX],
                           struct http_message *m)
{
    http_message_of(m, &conn_of(x)->parser, room);
}

void http_exchange_peer(const struct http_exchange *x, struct buf *out)
{
    socket_peer(&conn_of(x)->peer, out);
}
