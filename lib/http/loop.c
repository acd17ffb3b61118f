/* Each descriptor of the stage is registered once and stays so from wait to
 * wait. It belongs to others, who may close it and open another one with the
 * same number in between; epoll forgets a closed descriptor silently, so what
 * stands behind each number is compared before each wait. libevent only tells
 * that something happened; what, poll(2) says. */
#include "http/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

enum { WATCHED = 64 };

struct watch {
    struct event event;
    int fd; /* -1: free */
    short events;
    dev_t dev;
    ino_t ino;
};

struct loop {
    struct event_base *base;
    struct event timer;
    bool fired;
    unsigned rest_us;
    struct watch watch[WATCHED];
};

static void on_fired(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;

    (void)fd;
    (void)what;
    l->fired = true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

struct loop *loop_new(struct err *e)
{
    struct loop *l = mem_new(sizeof *l);
    struct event_config *conf = event_config_new();

    if (conf != NULL) {
        (void)event_config_set_flag(conf, EVENT_BASE_FLAG_NOLOCK);
        (void)event_config_require_features(conf, EV_FEATURE_ET |
                                                      EV_FEATURE_EARLY_CLOSE);
        l->base = event_base_new_with_config(conf);
        event_config_free(conf);
    }
    if (l->base == NULL) {
        (void)err_errno(e, STATUS_SYSTEM, "cannot make an event loop");
        free(l);
        return NULL;
    }
    for (size_t i = 0; i < WATCHED; i++) {
        l->watch[i].fd = -1;
    }
    (void)event_assign(&l->timer, l->base, -1, 0, on_timer, NULL);
    return l;
}

static void forget(struct watch *w)
{
    if (w->fd >= 0) {
        (void)event_del(&w->event);
        w->fd = -1;
    }
}

void loop_free(struct loop *l)
{
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < WATCHED; i++) {
        forget(&l->watch[i]);
    }
    (void)event_del(&l->timer);
    event_base_free(l->base);
    free(l);
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

static void watch(struct loop *l, struct watch *w, const struct pollfd *p)
{
    struct stat st;

    if (p->fd < 0 || fstat(p->fd, &st) < 0) {
        forget(w);
        return;
    }
    if (w->fd == p->fd && w->events == p->events && w->dev == st.st_dev &&
        w->ino == st.st_ino) {
        return;
    }
    forget(w);
    /* Errors alone (events == 0) are told with EV_READ as well; the end that
     * one writes to never has anything to read. */
    const short what =
        (short)(((p->events & POLLIN) != 0 || p->events == 0 ? EV_READ : 0) |
                ((p->events & POLLOUT) != 0 ? EV_WRITE : 0) | EV_PERSIST);
    (void)event_assign(&w->event, l->base, p->fd, what, on_fired, l);
    if (event_add(&w->event, NULL) < 0) {
        /* A plain file: poll(2) calls it ready at any time. */
        l->fired = true;
        return;
    }
    w->fd = p->fd;
    w->events = p->events;
    w->dev = st.st_dev;
    w->ino = st.st_ino;
}

void loop_rest(struct loop *l, unsigned us)
{
    l->rest_us = us;
}

/* The stage's descriptors alone: as poll(2). */
static int rest(struct loop *l, struct pollfd *fds, size_t n)
{
    const struct timespec ts = {0, (long)l->rest_us * 1000};

    return ppoll(fds, (nfds_t)n, &ts, NULL);
}

int loop_wait(struct loop *l, struct pollfd *fds, size_t n, int timeout_ms)
{
    const int early = l->rest_us > 0 ? rest(l, fds, n) : 0;

    l->rest_us = 0;
    if (early != 0) {
        return early;
    }
    l->fired = false;
    for (size_t i = 0; i < WATCHED; i++) {
        if (i < n) {
            watch(l, &l->watch[i], &fds[i]);
            fds[i].revents = 0;
        } else if (l->watch[i].fd >= 0) {
            forget(&l->watch[i]);
        }
    }
    if (timeout_ms > 0) {
        const struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
        (void)event_add(&l->timer, &tv);
    }
    /* EVLOOP_NONBLOCK alone would go on while anything is ready; the stage's
     * descriptors stay ready until we return. */
    const int how =
        EVLOOP_ONCE | (timeout_ms == 0 || l->fired ? EVLOOP_NONBLOCK : 0);
    const int rc = event_base_loop(l->base, how);
    (void)event_del(&l->timer);
    if (rc < 0) {
        return -1;
    }
    return l->fired ? poll(fds, (nfds_t)n, 0) : 0;
}
