#include "stage/back.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"

enum { LINE_MAX_BYTES = 70000 }; /* hi with the longest position */

void back_init(struct back *b)
{
    *b = (struct back){.listener = -1, .fd = -1};
}

static void shut(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void back_release(struct back *b)
{
    shut(&b->listener);
    shut(&b->fd);
    buf_release(&b->in);
    buf_release(&b->out);
    b->given = 0;
}

static int address(struct sockaddr_un *a, socklen_t *len, struct slice name,
                   struct err *e)
{
    static const char prefix[] = "@dpp-";

    if (name.n < sizeof prefix || name.n > CONTROL_BACK_MAX ||
        memcmp(name.p, prefix, sizeof prefix - 1) != 0) {
        return err_set(e, STATUS_STREAM, "a hello line with a bad \"back\"");
    }
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(a->sun_path + 1, name.p + 1, name.n - 1);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.n);
    return 0;
}

int back_listen(struct back *b, const char *run, struct err *e)
{
    char name[CONTROL_BACK_MAX];
    struct sockaddr_un a;
    socklen_t len;

    const int n = snprintf(name, sizeof name, "@dpp-%s", run);
    if (address(&a, &len, (struct slice){name, (size_t)n}, e) < 0) {
        return -1;
    }
    b->listener =
        socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->listener < 0 ||
        bind(b->listener, (const struct sockaddr *)&a, len) < 0 ||
        listen(b->listener, 4) < 0) {
        return err_errno(e, STATUS_SYSTEM, "the way back %s", name);
    }
    return 0;
}

static bool same_user(int fd)
{
    struct ucred c;
    socklen_t len = sizeof c;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 &&
           c.uid == geteuid();
}

int back_accept(struct back *b, struct err *e)
{
    const int fd =
        accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
                   ? 0
                   : err_errno(e, STATUS_SYSTEM, "the way back");
    }
    if (b->fd >= 0 || !same_user(fd)) {
        msg_warn("turned away a stranger on the way back");
        (void)close(fd);
        return 0;
    }
    b->fd = fd;
    shut(&b->listener); /* one sink, and no other */
    return 1;
}

int back_connect(struct back *b, struct slice name, struct err *e)
{
    struct sockaddr_un a;
    socklen_t len;

    if (address(&a, &len, name, e) < 0) {
        return -1;
    }
    b->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (b->fd < 0) {
        return err_errno(e, STATUS_SYSTEM, "the way back");
    }
    if (connect(b->fd, (const struct sockaddr *)&a, len) < 0) {
        return err_set(e, STATUS_NEIGHBOUR,
                       "the source has gone (nobody listens on %.*s)",
                       (int)name.n, name.p);
    }
    if (!same_user(b->fd)) {
        return err_set(e, STATUS_REFUSED,
                       "the source of this pipe runs as another user");
    }
    return 0;
}

int back_read(struct back *b, struct err *e)
{
    if (b->given > 0) {
        buf_consume(&b->in, b->given);
        b->given = 0;
    }
    const ssize_t n = recv(b->fd, buf_reserve(&b->in, 65536), 65536, 0);
    if (n > 0) {
        b->in.n += (size_t)n;
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    return err_set(e, STATUS_NEIGHBOUR, "the other end of the pipe has gone");
}

void back_stop(struct back *b, uint64_t due_us, int *timeout_ms)
{
    const uint64_t now = clock_mono_us();
    const uint64_t left_ms = due_us > now ? (due_us - now) / 1000 + 1 : 0;

    if (!b->stopped && left_ms == 0) {
        (void)shutdown(b->fd, SHUT_WR);
        b->stopped = true;
    } else if (!b->stopped &&
               (*timeout_ms < 0 || (uint64_t)*timeout_ms > left_ms)) {
        *timeout_ms = (int)left_ms;
    }
}

/* A half that was shut down reads as the end of file, and so does a socket
 * whose other end has gone; that one is hung up besides. */
int back_watch(struct back *b, struct err *e)
{
    struct pollfd fd = {b->fd, POLLIN, 0};
    char c;

    if (poll(&fd, 1, 0) < 0 || fd.revents == 0) {
        return 0;
    }
    if ((fd.revents & (POLLHUP | POLLERR)) != 0) {
        return err_set(e, STATUS_NEIGHBOUR,
                       "the source of this pipe has gone: see what it said");
    }
    return recv(b->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0
               ? 1
               : err_set(e, STATUS_STREAM, "the source talks on the way back");
}

int back_next(struct back *b, struct control *c, struct err *e)
{
    const char *start = b->in.p + b->given;
    const size_t left = b->in.n - b->given;
    const char *lf = left > 0 ? memchr(start, '\n', left) : NULL;

    if (lf == NULL) {
        return left > LINE_MAX_BYTES
                   ? err_set(e, STATUS_STREAM,
                             "an endless line on the way back")
                   : 0;
    }
    const struct slice line = {start, (size_t)(lf - start)};
    b->given += line.n + 1;
    if (!control_is(line)) {
        return err_set(e, STATUS_STREAM, "no control line on the way back");
    }
    return control_parse(c, line, e) < 0 ? -1 : 1;
}

void back_put(struct back *b, const struct control *c)
{
    /* A receipt that has not begun to leave is outdated: drop it. What has
     * begun ends with its line end, so keep up to the first one. */
    if (c->kind == CONTROL_RECEIPT && b->out.n > 0) {
        const char *lf = memchr(b->out.p, '\n', b->out.n);
        b->out.n = lf != NULL ? (size_t)(lf - b->out.p) + 1 : b->out.n;
    }
    control_write(&b->out, c);
}

int back_flush(struct back *b, struct err *e)
{
    while (b->out.n > 0) {
        const ssize_t n =
            send(b->fd, b->out.p, b->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return 0;
        }
        if (n < 0) {
            return err_set(e, STATUS_NEIGHBOUR,
                           "the other end of the pipe has gone");
        }
        buf_consume(&b->out, (size_t)n);
    }
    return 1;
}
