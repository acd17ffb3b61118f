/* A load generator: N keep-alive connections, each posts a body, waits for the
 * answer, and posts again.
 *
 *     httpload [-c CONNECTIONS] [-s SECONDS | -n REQUESTS] [-b BYTES]
 *              [-H 'Name: value']… HOST:PORT[/PATH]
 *
 * Prints one line: requests/s, p50 and p99 in µs, answers that are no 2xx,
 * connections that broke. Status 1 if there are any of the last two. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { ANSWER = 8192, HISTOGRAM = 10000000 / 10 };

struct client {
    int fd;
    size_t sent;
    size_t got;
    uint64_t began;
    char in[ANSWER];
};

static struct buf request;
static struct sockaddr_in target;
static struct buf fields;
static int poller;
static uint64_t done;
static uint64_t begun;
static uint64_t limit = UINT64_MAX;
static uint64_t failed;
static uint64_t broken;
static unsigned live;
static struct client *clients; /* all of them, in one array */

/* Latencies in steps of 10 µs, up to 10 s. */
static uint32_t histogram[HISTOGRAM];

static void end(struct client *c)
{
    (void)close(c->fd);
    c->fd = -1;
    live--;
}

static void push(struct client *c)
{
    while (c->sent < request.n) {
        const ssize_t n = send(c->fd, request.p + c->sent, request.n - c->sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN) {
                broken++;
                end(c);
            }
            return;
        }
        c->sent += (size_t)n;
    }
}

static void begin(struct client *c)
{
    if (begun >= limit) {
        end(c);
        return;
    }
    begun++;
    c->sent = 0;
    c->got = 0;
    c->began = clock_mono_us();
    push(c);
}

/* True when the answer is complete. */
static bool complete(struct client *c)
{
    const char *blank = memmem(c->in, c->got, "\r\n\r\n", 4);
    size_t body = 0;

    if (blank == NULL) {
        return false;
    }
    for (const char *p = c->in; p < blank; p++) {
        if (*p == '\n' && strncasecmp(p + 1, "content-length:", 15) == 0) {
            body = strtoul(p + 16, NULL, 10);
        }
    }
    return c->got >= (size_t)(blank - c->in) + 4 + body;
}

static void note(struct client *c)
{
    const uint64_t took = (clock_mono_us() - c->began) / 10;
    const bool closing =
        memmem(c->in, c->got, "\r\nConnection: close\r\n", 21) != NULL;

    histogram[took < HISTOGRAM ? took : HISTOGRAM - 1]++;
    failed += c->got < 12 || c->in[9] != '2';
    done++;
    if (closing) {
        end(c);
    } else {
        begin(c);
    }
}

/* Edges: read until nothing is left. */
static void on_ready(struct client *c)
{
    if (c->sent < request.n) {
        push(c);
    }
    while (c->fd >= 0) {
        const ssize_t n =
            recv(c->fd, c->in + c->got, ANSWER - c->got, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            broken++;
            end(c);
            return;
        }
        c->got += (size_t)n;
        if (complete(c)) {
            note(c);
        }
    }
}

static uint64_t quantile(double share)
{
    const uint64_t want = (uint64_t)((double)done * share);
    uint64_t n = 0;

    for (uint64_t i = 0; i < HISTOGRAM; i++) {
        n += histogram[i];
        if (n > want) {
            return i * 10;
        }
    }
    return 0;
}

static void open_client(struct client *c)
{
    const int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (const struct sockaddr *)&target, sizeof target) < 0) {
        perror("httpload: connect");
        exit(69);
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                             .data.ptr = c};
    (void)epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &ev);
    live++;
    begin(c);
}

static void aim(const char *where, size_t bytes)
{
    char host[64];
    const char *slash = strchr(where, '/');
    const size_t n = slash != NULL ? (size_t)(slash - where) : strlen(where);
    char *colon;

    (void)snprintf(host, sizeof host, "%.*s", (int)n, where);
    colon = strchr(host, ':');
    if (colon == NULL) {
        (void)fprintf(stderr, "httpload: HOST:PORT[/PATH]\n");
        exit(64);
    }
    *colon = '\0';
    target = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(colon + 1))};
    if (inet_pton(AF_INET, host, &target.sin_addr) != 1) {
        (void)fprintf(stderr, "httpload: %s: not an IPv4 address\n", host);
        exit(64);
    }
    buf_printf(&request,
               "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: httpload\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n",
               slash != NULL ? slash : "/", host, bytes);
    buf_append_slice(&request, buf_slice(&fields));
    buf_puts(&request, "\r\n{\"pad\":\"");
    for (size_t i = 10 < bytes ? bytes - 10 : 0; i > 0; i--) {
        buf_putc(&request, 'x');
    }
    buf_puts(&request, "\"}");
}

static void run(double seconds)
{
    struct epoll_event ev[256];
    const uint64_t start = clock_mono_us();
    const uint64_t stop = start + (uint64_t)(seconds * 1e6);

    while (live > 0 && clock_mono_us() < stop) {
        const int n = epoll_wait(poller, ev, 256, 100);
        for (int i = 0; i < n; i++) {
            struct client *c = ev[i].data.ptr;
            if (c->fd >= 0) {
                on_ready(c);
            }
        }
    }
    const double took = (double)(clock_mono_us() - start) / 1e6;
    (void)printf("%.0f requests/s, p50 %lu us, p99 %lu us, %lu not 2xx, "
                 "%lu broken, %lu done\n",
                 (double)done / took, (unsigned long)quantile(0.5),
                 (unsigned long)quantile(0.99), (unsigned long)failed,
                 (unsigned long)broken, (unsigned long)done);
}

int main(int argc, char **argv)
{
    unsigned connections = 64;
    double seconds = 5;
    size_t bytes = 1024;

    buf_init(&request);
    buf_init(&fields);
    for (int o; (o = getopt(argc, argv, "c:s:n:b:H:")) != -1;) {
        switch (o) {
        case 'c':
            connections = (unsigned)atoi(optarg);
            break;
        case 's':
            seconds = atof(optarg);
            break;
        case 'n':
            limit = strtoul(optarg, NULL, 10);
            seconds = 3600;
            break;
        case 'b':
            bytes = strtoul(optarg, NULL, 10);
            bytes = bytes < 10 ? 10 : bytes;
            break;
        case 'H':
            buf_printf(&fields, "%s\r\n", optarg);
            break;
        default:
            return 64;
        }
    }
    aim(optind < argc ? argv[optind] : "", bytes);
    poller = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(connections, sizeof *clients);
    if (clients == NULL) {
        abort();
    }
    for (unsigned i = 0; i < connections; i++) {
        open_client(&clients[i]);
    }
    run(seconds);
    free(clients);
    buf_release(&request);
    buf_release(&fields);
    return failed > 0 || broken > 0;
}
