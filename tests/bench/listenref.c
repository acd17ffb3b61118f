/* The limit for "make bench": a bare libevent loop that reads up to the blank
 * line and the bytes that Content-Length says, and writes a fixed 200. It
 * checks nothing and survives nothing.
 *
 *     listenref PORT */
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536 };

struct client {
    struct event *ev;
    size_t n;
    char in[ROOM];
};

static struct event_base *base;

static void end(struct client *c, evutil_socket_t fd)
{
    event_free(c->ev);
    (void)close(fd);
    free(c);
}

/* Bytes of the first request, 0 if it is not all there. */
static size_t request(struct client *c)
{
    const char *blank = memmem(c->in, c->n, "\r\n\r\n", 4);

    if (blank == NULL) {
        return 0;
    }
    const size_t head = (size_t)(blank - c->in) + 4;
    size_t body = 0;
    for (const char *p = c->in; p < blank; p++) {
        if (*p == '\n' && strncasecmp(p + 1, "content-length:", 15) == 0) {
            body = strtoul(p + 16, NULL, 10);
        }
    }
    return head + body <= c->n ? head + body : 0;
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct client *c = arg;
    size_t n;

    (void)what;
    const ssize_t got = read(fd, c->in + c->n, ROOM - c->n);
    if (got <= 0) {
        end(c, fd);
        return;
    }
    c->n += (size_t)got;
    while ((n = request(c)) > 0) {
        c->n -= n;
        memmove(c->in, c->in + n, c->n);
        if (write(fd, answer, sizeof answer - 1) < 0) {
            end(c, fd);
            return;
        }
    }
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    const int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
    if (s >= 0) {
        struct client *c = malloc(sizeof *c);
        if (c == NULL) {
            abort();
        }
        c->n = 0;
        c->ev = event_new(base, s, EV_READ | EV_PERSIST, on_read, c);
        (void)event_add(c->ev, NULL);
    }
}

int main(int argc, char **argv)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    const struct sockaddr_in a = {
        .sin_family = AF_INET,
        .sin_port = htons((in_port_t)(argc > 1 ? atoi(argv[1]) : 0)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&a, sizeof a) < 0 ||
        listen(fd, 1024) < 0) {
        perror("listenref");
        return 71;
    }
    base = event_base_new();
    (void)event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_accept, NULL),
                    NULL);
    (void)event_base_dispatch(base);
    return 0;
}
