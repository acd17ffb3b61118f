#include "supervise/news.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

enum { TEXT_MAX = 128 * 1024 };

int news_open(struct news *n, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char id[RAND_HEX];
    const int on = 1;

    buf_init(&n->text);
    rand_hex(id);
    const int len = snprintf(n->address, sizeof n->address, "@dpp-run-%s", id);
    memcpy(a.sun_path + 1, n->address + 1, (size_t)len - 1);
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd < 0 ||
        setsockopt(n->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(n->fd, (const struct sockaddr *)&a,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                         (size_t)len)) < 0) {
        return err_errno(e, STATUS_SYSTEM, "the notify socket");
    }
    return 0;
}

void news_close(struct news *n)
{
    if (n->fd >= 0) {
        (void)close(n->fd);
    }
    n->fd = -1;
    buf_release(&n->text);
}

/* "RUN#N rest" */
static bool parse_count(struct slice text, struct news_count *c,
                        struct slice *rest)
{
    size_t i = RAND_HEX; /* behind RUN and '#' */

    *c = (struct news_count){0};
    if (text.n <= i || text.p[i - 1] != '#') {
        return false;
    }
    memcpy(c->run, text.p, i - 1);
    const size_t digits = i;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        if (c->n > UINT64_MAX / 100) {
            return false;
        }
        c->n = c->n * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (i == digits || (i < text.n && text.p[i] != ' ')) {
        return false;
    }
    i += i < text.n;
    *rest = (struct slice){text.p + i, text.n - i};
    return true;
}

static bool starts(struct slice line, const char *key, struct slice *value)
{
    const size_t n = strlen(key);

    if (line.n < n || memcmp(line.p, key, n) != 0) {
        return false;
    }
    *value = (struct slice){line.p + n, line.n - n};
    return true;
}

static void parse_line(struct news_item *it, struct slice line)
{
    struct slice v;

    if (slice_is(line, "READY=1")) {
        it->ready = true;
    } else if (slice_is(line, "STOPPING=1")) {
        it->stopping = true;
    } else if (slice_is(line, "X_DPP_HELLO=unanswered")) {
        it->unanswered = true;
    } else if (starts(line, "X_DPP_POS=", &v)) {
        it->has_pos = parse_count(v, &it->marks, &it->pos);
    } else if (starts(line, "X_DPP_OUT=", &v)) {
        it->has_out = parse_count(v, &it->out, &it->who);
    }
}

void news_parse(struct news_item *it, struct slice text)
{
    while (text.n > 0) {
        const char *lf = memchr(text.p, '\n', text.n);
        const size_t n = lf != NULL ? (size_t)(lf - text.p) : text.n;
        parse_line(it, (struct slice){text.p, n});
        const size_t used = n + (lf != NULL);
        text = (struct slice){text.p + used, text.n - used};
    }
}

/* The sender, if it is one of our user's (or root's) processes; 0 else. */
static pid_t sender(struct msghdr *m)
{
    struct ucred c = {0};
    pid_t from = 0;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL;
         h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (h->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&c, CMSG_DATA(h), sizeof c);
            from = c.uid == geteuid() || c.uid == 0 ? c.pid : 0;
        } else if (h->cmsg_type == SCM_RIGHTS) {
            int fd; /* nobody has descriptors to give us */
            for (size_t i = 0; CMSG_LEN(i + sizeof fd) <= h->cmsg_len;
                 i += sizeof fd) {
                memcpy(&fd, CMSG_DATA(h) + i, sizeof fd);
                (void)close(fd);
            }
        }
    }
    return from;
}

bool news_next(struct news *n, struct news_item *it)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(256)];
        struct cmsghdr align;
    } control;

    for (;;) {
        buf_clear(&n->text);
        struct iovec iov = {buf_reserve(&n->text, TEXT_MAX), TEXT_MAX};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
        const ssize_t got = recvmsg(n->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        *it = (struct news_item){.from = sender(&m)};
        if (it->from > 0 && (m.msg_flags & MSG_TRUNC) == 0) {
            n->text.n = (size_t)got;
            news_parse(it, buf_slice(&n->text));
            return true;
        }
    }
}
