/* An HTTP endpoint that answers at once, for benchmarks and fault tests.
 *
 *     httpsink [-l ADDR:PORT] [-p FILE] [-d MS] [-w FILE] [-c FILE]
 *              [-f KEY=STATUS]... [-h HEADER] [-b FILE]
 *
 * -p gets the port when it is open. -d waits before each answer. -w records
 * each request with one write(2) before its answer: "MS STATUS KEY ID", where
 * KEY is the value of -h (X-Key) and ID of ce-id; -b all its bytes. -f answers
 * a key with a status; the first line of -c, read at each request, answers all:
 * "STATUS [Name: value]". Status 0 closes the connection without an answer, 1
 * never answers, 2 answers 200 with 4 MiB of a body, 3 with the head of one
 * that never comes. At SIGTERM it prints requests and connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { EVENTS = 256, READ = 64 * 1024, TEXT = 256, RULES = 64 };

struct client {
    int fd;
    struct buf in;
    uint64_t due_us; /* an answer waits until then; 0: none */
    struct client *next;
    int status;
    char field[TEXT];
};

static struct {
    const char *listen;
    const char *port_file;
    const char *control;
    const char *key_header;
    uint64_t delay_us;
    int record;
    int bytes;
    struct {
        const char *key;
        size_t n;
        int status;
    } rule[RULES];
    size_t rules;
} conf = {
    .listen = "127.0.0.1:0", .key_header = "X-Key", .record = -1, .bytes = -1};

static int poller;
static struct client *waiting; /* in the order of their times */
static struct client **waiting_end = &waiting;
static unsigned long requests;
static unsigned long connections;
static uint64_t started_us;

static void die(const char *what)
{
    perror(what);
    exit(71);
}

static void end(struct client *c)
{
    (void)close(c->fd);
    buf_release(&c->in);
    free(c);
}

static struct slice field(struct slice head, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = head.p; p + n + 2 < head.p + head.n;) {
        const char *e = memmem(p, (size_t)(head.p + head.n - p), "\r\n", 2);
        if (e == NULL) {
            e = head.p + head.n;
        }
        if ((size_t)(e - p) > n && p[n] == ':' &&
            strncasecmp(p, name, n) == 0) {
            for (p += n + 1; p < e && *p == ' '; p++) {
            }
            return (struct slice){p, (size_t)(e - p)};
        }
        p = e + 2;
    }
    return (struct slice){"-", 1};
}

/* The first line of the control file, if there is one. */
static bool controlled(struct client *c)
{
    char text[TEXT];
    const int fd = conf.control != NULL ? open(conf.control, O_RDONLY) : -1;

    if (fd < 0) {
        return false;
    }
    const ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    char *rest;
    c->status = (int)strtol(text, &rest, 10);
    (void)snprintf(c->field, sizeof c->field, "%s%s",
                   *rest == ' ' ? rest + 1 : "", *rest == ' ' ? "\r\n" : "");
    return rest > text;
}

static void judge(struct client *c, struct slice head)
{
    const struct slice key = field(head, conf.key_header);
    char line[TEXT * 3];

    c->status = 200;
    c->field[0] = '\0';
    if (!controlled(c)) {
        for (size_t i = 0; i < conf.rules; i++) {
            if (conf.rule[i].n == key.n &&
                memcmp(conf.rule[i].key, key.p, key.n) == 0) {
                c->status = conf.rule[i].status;
            }
        }
    }
    requests++;
    if (conf.record >= 0) {
        const struct slice id = field(head, "ce-id");
        const int n =
            snprintf(line, sizeof line, "%llu %d %.*s %.*s\n",
                     (unsigned long long)(clock_mono_us() - started_us) / 1000,
                     c->status, key.n < TEXT ? (int)key.n : TEXT, key.p,
                     id.n < TEXT ? (int)id.n : TEXT, id.p);
        if (write(conf.record, line, (size_t)n) != n) {
            die("record");
        }
    }
}

/* False: the connection is over. */
static bool answer(struct client *c)
{
    char text[TEXT + 128];
    int n;

    c->due_us = 0;
    if (c->status == 0) {
        return false;
    }
    if (c->status == 1) {
        return true;
    }
    if (c->status == 2 || c->status == 3) {
        n = snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
    } else {
        n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d x\r\n%sContent-Length: 2\r\n\r\nok",
                     c->status, c->field);
    }
    bool good = send(c->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
    if (c->status == 2) {
        static char block[READ];
        for (int i = 0; good && i < 64; i++) {
            good = send(c->fd, block, sizeof block, MSG_NOSIGNAL) > 0;
        }
    }
    return good;
}

static void queue(struct client *c)
{
    c->due_us = clock_mono_us() + conf.delay_us;
    c->next = NULL;
    *waiting_end = c;
    waiting_end = &c->next;
}

/* One whole request at a time; false: the connection is over. */
static bool serve(struct client *c)
{
    while (c->due_us == 0 && c->in.n > 0) {
        const char *gap = memmem(c->in.p, c->in.n, "\r\n\r\n", 4);
        if (gap == NULL) {
            return true;
        }
        const struct slice head = {c->in.p, (size_t)(gap + 2 - c->in.p)};
        const struct slice length = field(head, "Content-Length");
        const size_t body = strtoul(length.p, NULL, 10);
        if (c->in.n < head.n + 2 + body) {
            return true;
        }
        if (conf.bytes >= 0 &&
            write(conf.bytes, c->in.p, head.n + 2 + body) < 0) {
            die("-b");
        }
        judge(c, head);
        buf_consume(&c->in, head.n + 2 + body);
        if (conf.delay_us > 0) {
            queue(c);
        } else if (!answer(c)) {
            return false;
        }
    }
    return true;
}

static void readable(struct client *c)
{
    const ssize_t n =
        recv(c->fd, buf_reserve(&c->in, READ), READ, MSG_DONTWAIT);

    if (n > 0) {
        c->in.n += (size_t)n;
        if (serve(c)) {
            return;
        }
    } else if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (c->due_us == 0) {
        end(c);
    } else { /* its answer will fail */
        (void)epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
    }
}

static void answer_due(void)
{
    const uint64_t now = clock_mono_us();

    while (waiting != NULL && waiting->due_us <= now) {
        struct client *c = waiting;
        waiting = c->next;
        if (waiting == NULL) {
            waiting_end = &waiting;
        }
        if (!answer(c) || !serve(c)) {
            end(c);
        }
    }
}

static void take(int listener)
{
    const int one = 1;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct client *c = mem_new(sizeof *c);
        struct epoll_event ev = {EPOLLIN, {.ptr = c}};
        c->fd = fd;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev) < 0) {
            die("epoll_ctl");
        }
        connections++;
    }
}

static int open_listener(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    const int one = 1;
    const char *colon = strrchr(conf.listen, ':');
    char host[64];

    if (colon == NULL || (size_t)(colon - conf.listen) >= sizeof host) {
        die("-l ADDR:PORT");
    }
    memcpy(host, conf.listen, (size_t)(colon - conf.listen));
    host[colon - conf.listen] = '\0';
    a.sin_port = htons((uint16_t)atoi(colon + 1));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        die(conf.listen);
    }
    if (conf.port_file != NULL) {
        FILE *f = fopen(conf.port_file, "w");
        if (f == NULL || fprintf(f, "%d\n", ntohs(a.sin_port)) < 0 ||
            fclose(f) != 0) {
            die(conf.port_file);
        }
    }
    return fd;
}

static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void options(int argc, char **argv)
{
    int o;

    while ((o = getopt(argc, argv, "l:p:d:w:c:f:h:b:")) >= 0) {
        char *equals = o == 'f' ? strrchr(optarg, '=') : NULL;
        if (o == 'l') {
            conf.listen = optarg;
        } else if (o == 'p') {
            conf.port_file = optarg;
        } else if (o == 'd') {
            conf.delay_us = strtoul(optarg, NULL, 10) * 1000;
        } else if (o == 'w') {
            conf.record = open(optarg, O_WRONLY | O_CREAT | O_APPEND, 0644);
        } else if (o == 'b') {
            conf.bytes = open(optarg, O_WRONLY | O_CREAT | O_APPEND, 0644);
        } else if (o == 'c') {
            conf.control = optarg;
        } else if (o == 'h') {
            conf.key_header = optarg;
        } else if (equals != NULL && conf.rules < RULES) {
            conf.rule[conf.rules].key = optarg;
            conf.rule[conf.rules].n = (size_t)(equals - optarg);
            conf.rule[conf.rules++].status = atoi(equals + 1);
        } else {
            exit(64);
        }
    }
}

static int timeout_ms(void)
{
    const uint64_t now = clock_mono_us();

    return waiting == NULL          ? -1
           : waiting->due_us <= now ? 0
                                    : (int)((waiting->due_us - now) / 1000 + 1);
}

int main(int argc, char **argv)
{
    static char listener_tag;
    static char signal_tag;
    struct epoll_event ev[EVENTS];

    options(argc, argv);
    started_us = clock_mono_us();
    poller = epoll_create1(EPOLL_CLOEXEC);
    const int signals = open_signals();
    const int listener = open_listener();
    ev[0] = (struct epoll_event){EPOLLIN, {.ptr = &listener_tag}};
    ev[1] = (struct epoll_event){EPOLLIN, {.ptr = &signal_tag}};
    (void)epoll_ctl(poller, EPOLL_CTL_ADD, listener, &ev[0]);
    (void)epoll_ctl(poller, EPOLL_CTL_ADD, signals, &ev[1]);
    for (;;) {
        const int n = epoll_wait(poller, ev, EVENTS, timeout_ms());
        for (int i = 0; i < n; i++) {
            if (ev[i].data.ptr == &signal_tag) {
                (void)printf("%lu requests, %lu connections\n", requests,
                             connections);
                return 0;
            }
            if (ev[i].data.ptr == &listener_tag) {
                take(listener);
            } else {
                readable(ev[i].data.ptr);
            }
        }
        answer_due();
    }
}
