/* dpp-listen: HTTP requests to events.
 *
 * Two ways, behind the same gate. In a pipe the events go to standard output
 * and a request is answered when the receipt for its mark has come. With a
 * topic they go to the log, and a request is answered when they are synced;
 * standard output stays empty. "-a none" writes plain events and promises
 * nothing. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "http/loop.h"
#include "listen/desk.h"
#include "listen/explain.h"
#include "listen/shelves.h"
#include "stage/source.h"
#include "topic/options.h"
#include "topic/topic.h"
#include "vault/secret.h"

enum { EXPLAIN_MAX = 64 << 20 };

enum ack { ACK_RECEIPT, ACK_LOCAL, ACK_NONE, ACK_GROUP };

struct listen {
    const char *address;
    const char *connector;
    const char *file;
    struct topic_store_conf broker;
    const char *topic;
    const char *ack_text;
    const char *group; /* of -a group:G */
    struct opt_list keys;
    uint64_t connections;
    uint64_t deadline_ms;
    bool is_open;
    bool explain;

    enum ack ack;
    struct routes routes;
    struct loop *loop;
    struct desk *desk;
    struct shelves *store; /* the way with topics */
    bool draining;
    bool explained;
    unsigned status; /* of what was explained */
    struct source *source;
};

/* --- arguments ---------------------------------------------------------- */

static int parse_ack(struct listen *l, struct err *e)
{
    static const char *const names[] = {"receipt", "local", "none"};

    if (l->ack_text == NULL) {
        l->ack = l->topic != NULL ? ACK_LOCAL : ACK_RECEIPT;
        return 0;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(l->ack_text, names[i]) == 0) {
            l->ack = (enum ack)i;
            return 0;
        }
    }
    if (strncmp(l->ack_text, "group:", 6) == 0) {
        l->ack = ACK_GROUP;
        l->group = l->ack_text + 6;
        return topic_name_check(l->group, e) < 0 ? err_wrap(e, "-a group:") : 0;
    }
    return err_set(e, STATUS_USAGE,
                   "-a \"%s\": not receipt, local, group:G or none",
                   l->ack_text);
}

static bool needs_topic(const struct listen *l)
{
    return l->ack == ACK_LOCAL || l->ack == ACK_GROUP;
}

static int check_keys(const struct listen *l, struct err *e)
{
    for (size_t i = 0; i < l->keys.n; i++) {
        if (secret_check(l->keys.v[i], e) < 0) {
            return err_wrap(e, "-k");
        }
    }
    return 0;
}

static int setup(void *ctx, int argc, char **argv, struct err *e)
{
    struct listen *l = ctx;

    if (argc > 0) {
        return err_set(e, STATUS_USAGE, "what is \"%s\"? (try -h)", argv[0]);
    }
    if (parse_ack(l, e) < 0 || check_keys(l, e) < 0 ||
        (l->broker.must_lock && safe_init(true, e) < 0)) {
        return -1;
    }
    if (l->file != NULL &&
        (l->connector != NULL || l->keys.n > 0 || l->is_open)) {
        return err_set(e, STATUS_USAGE,
                       "-c: connectors and keys stand in the file, per route");
    }
    if (l->topic != NULL && topic_name_check(l->topic, e) < 0) {
        return err_wrap(e, "-t");
    }
    if (l->topic == NULL && l->file == NULL && needs_topic(l)) {
        return err_set(e, STATUS_USAGE, "-a %s: which topic? (-t)",
                       l->ack_text);
    }
    if (l->topic != NULL && !needs_topic(l)) {
        return err_set(e, STATUS_USAGE,
                       "-t: the answer comes when the topic has the event "
                       "(-a local); -a %s is for a pipe",
                       l->ack_text);
    }
    return 0;
}

/* --- opening ------------------------------------------------------------ */

static int open_routes(struct listen *l, struct err *e)
{
    if (l->file == NULL) {
        routes_init_one(&l->routes, l->connector, l->keys.v, l->keys.n,
                        l->topic, l->is_open);
    } else if (routes_init_file(&l->routes, l->file, l->topic, e) < 0) {
        return -1;
    }
    return routes_open(&l->routes, e);
}

/* All routes have a topic, or none has. */
static int check_topics(struct listen *l, struct err *e)
{
    size_t with = 0;

    for (size_t i = 0; i < l->routes.n; i++) {
        const struct route *r = &l->routes.route[i];
        if (r->topic != NULL && topic_name_check(r->topic, e) < 0) {
            return err_wrap(e, "route %s", r->path);
        }
        with += r->topic != NULL;
    }
    if (with > 0 && with < l->routes.n) {
        return err_set(e, STATUS_CONFIG,
                       "%s: some routes have a topic and some have none; "
                       "-t TOPIC is for those",
                       l->file);
    }
    if (with > 0 && l->ack_text != NULL && !needs_topic(l)) {
        return err_set(e, STATUS_USAGE,
                       "%s: routes with topics are answered when the topic "
                       "has the event (-a local)",
                       l->file);
    }
    if (with == 0 && needs_topic(l)) {
        return err_set(e, STATUS_USAGE, "-a %s: which topic? (-t)",
                       l->ack_text);
    }
    if (with > 0 && l->ack != ACK_GROUP) {
        l->ack = ACK_LOCAL;
    }
    return 0;
}

static int open_desk(struct listen *l, struct err *e)
{
    const struct desk_conf conf = {
        .address = l->address,
        .routes = &l->routes,
        .max_body = source_max_event(l->source),
        .max_connections = l->connections,
        .deadline_ms = l->deadline_ms,
    };

    if (l->loop == NULL && (l->loop = loop_new(e)) == NULL) {
        return -1;
    }
    l->desk = desk_open(l->loop, &conf, e);
    return l->desk != NULL ? 0 : -1;
}

static int open_listen(void *ctx, struct source *s, struct err *e)
{
    struct listen *l = ctx;

    l->source = s;
    if (open_routes(l, e) < 0 || check_topics(l, e) < 0) {
        return -1;
    }
    if (l->explain) {
        return 0;
    }
    if (l->ack == ACK_RECEIPT && isatty(STDOUT_FILENO)) {
        return err_set(e, STATUS_USAGE,
                       "standard output is a terminal, which gives no "
                       "receipts: -a none shows the events, -t TOPIC keeps "
                       "them");
    }
    if (needs_topic(l)) {
        l->store = shelves_open(&l->broker, &l->routes, l->group, e);
        if (l->store == NULL) {
            return -1;
        }
    }
    if (l->ack == ACK_RECEIPT) {
        source_identify(s, "", (struct slice){"", 0});
    }
    return open_desk(l, e);
}

static int start(void *ctx, struct slice pos, struct err *e)
{
    struct listen *l = ctx;
    struct buf address;

    (void)pos;
    (void)e;
    if (l->explain) {
        return 0;
    }
    buf_init(&address);
    desk_address(l->desk, &address);
    desk_start(l->desk);
    msg_info("listening on %s", buf_cstr(&address));
    buf_release(&address);
    return 0;
}

/* --- taking ------------------------------------------------------------- */

static int read_request(struct buf *b, struct err *e)
{
    ssize_t n;

    if (isatty(STDIN_FILENO)) {
        msg_info("reading a request, up to end of file (Ctrl-D)");
    }
    while ((n = read(STDIN_FILENO, buf_reserve(b, 65536), 65536)) > 0) {
        b->n += (size_t)n;
        if (b->n > EXPLAIN_MAX) {
            return err_set(e, STATUS_USAGE, "the request is too large");
        }
    }
    return n == 0 ? 0 : err_errno(e, STATUS_IO, "standard input");
}

static int explain(struct listen *l, struct source *s, struct err *e)
{
    struct buf request;
    struct buf *out;

    if (l->explained) {
        return l->status < 300
                   ? SOURCE_END
                   : err_set(e, STATUS_REFUSED,
                             "this request would be answered %u", l->status);
    }
    buf_init(&request);
    if (read_request(&request, e) < 0) {
        buf_release(&request);
        return -1;
    }
    out = source_line(s);
    l->status = explain_request(&l->routes, buf_slice(&request),
                                source_max_event(s), clock_wall_ms(), out);
    out->n--; /* the skeleton ends the last line */
    source_line_done(s);
    buf_release(&request);
    l->explained = true;
    return SOURCE_MORE;
}

static int take(void *ctx, struct source *s, struct err *e)
{
    struct listen *l = ctx;
    struct slice key;

    if (l->explain) {
        return explain(l, s, e);
    }
    if (l->store != NULL) {
        const int rc = shelves_take(l->store, l->desk, false, e);
        return rc < 0 ? -1 : rc > 0 ? SOURCE_MORE : SOURCE_IDLE;
    }
    while (!source_full(s) && desk_next(l->desk) != NULL) {
        desk_write(l->desk, source_line(s), &key);
        source_line_done(s);
        desk_took(l->desk, NULL, source_mark(s));
    }
    if (l->ack == ACK_NONE) {
        (void)desk_done(l->desk, NULL, UINT64_MAX, SIZE_MAX);
    }
    return desk_next(l->desk) != NULL ? SOURCE_MORE : SOURCE_IDLE;
}

static int receipt(void *ctx, uint64_t seq, struct slice pos, struct err *e)
{
    struct listen *l = ctx;

    (void)pos;
    (void)e;
    (void)desk_done(l->desk, NULL, seq, SIZE_MAX);
    return 0;
}

static void drain(void *ctx)
{
    struct listen *l = ctx;

    if (l->desk != NULL && !l->draining) {
        l->draining = true;
        /* In a pipe nothing is taken any more; a topic takes to the last. */
        desk_drain(l->desk, l->store == NULL);
    }
}

static bool busy(void *ctx)
{
    struct listen *l = ctx;

    return l->store != NULL && desk_busy(l->desk);
}

static size_t fds(void *ctx, struct pollfd *p, size_t max, int *timeout_ms)
{
    struct listen *l = ctx;

    if (l->desk == NULL) {
        return 0;
    }
    desk_tick(l->desk, timeout_ms);
    if (l->store != NULL) {
        loop_rest(l->loop, shelves_rest(l->store));
    }
    return l->store != NULL ? shelves_fds(l->store, l->desk, p, max, timeout_ms)
                            : 0;
}

static int woken(void *ctx, const struct pollfd *p, size_t n, struct err *e)
{
    struct listen *l = ctx;

    if (l->store == NULL) {
        return 0;
    }
    if (shelves_woken(l->store, l->desk, p, n, e) < 0) {
        return -1;
    }
    return l->draining ? shelves_take(l->store, l->desk, true, e) : 0;
}

static void close_listen(void *ctx)
{
    struct listen *l = ctx;

    desk_close(l->desk);
    shelves_close(l->store);
    loop_free(l->loop);
    routes_release(&l->routes);
}

static int wait_loop(void *ctx, struct pollfd *p, size_t n, int timeout_ms)
{
    struct listen *l = ctx;

    return l->loop != NULL ? loop_wait(l->loop, p, n, timeout_ms)
                           : poll(p, (nfds_t)n, timeout_ms);
}

static void hangup(void *ctx)
{
    struct listen *l = ctx;
    struct err e;

    if (routes_renew(&l->routes, &e) < 0) {
        msg_err(&e);
        msg_warn("the old keys stay in use");
    } else {
        msg_info("the keys are read again");
    }
}

int main(int argc, char **argv)
{
    struct listen l = {.address = "127.0.0.1:8080", .deadline_ms = 30000};
    const struct opt options[] = {
        {'l', "listen", "ADDR:PORT", "listen there (127.0.0.1:8080)",
         OPT_STRING, &l.address, 0, 0},
        {'C', "connector", "NAME",
         "connector: how requests are signed and named", OPT_STRING,
         &l.connector, 0, 0},
        {'k', "key", "REF",
         "secret: vault:NAME, file:PATH, cred:NAME, fd:N; repeat it to "
         "rotate",
         OPT_LIST, &l.keys, 0, 0},
        {0, "unsigned", NULL, "take requests that nobody has signed", OPT_FLAG,
         &l.is_open, 0, 0},
        TOPIC_STORE_OPTIONS(l.broker),
        {'t', "topic", "TOPIC", "keep the events there", OPT_STRING, &l.topic,
         0, 0},
        {'a', "ack", "ACK", "what 2xx means: receipt, local, group:G, none",
         OPT_STRING, &l.ack_text, 0, 0},
        {'c', "config", "FILE", "routes: paths with connectors, keys, topics",
         OPT_STRING, &l.file, 0, 0},
        {0, "deadline", "DUR", "answer 503 after that long (30s)", OPT_DURATION,
         &l.deadline_ms, 100, 3600000},
        {0, "max-connections", "N", "connections at once (16384)", OPT_NUMBER,
         &l.connections, 1, 1000000},
        {0, "explain", NULL,
         "say what would happen to the request on "
         "standard input",
         OPT_FLAG, &l.explain, 0, 0},
        {0},
    };
    const struct stage_program program = {
        .name = "dpp-listen",
        .synopsis = "[-l ADDR:PORT] [-C NAME] [-k REF]... [[-b BROKER] "
                    "-t TOPIC]\n[-a ACK] [-c FILE]",
        .about = "HTTP requests to events.",
        .options = options,
        .setup = setup,
        .wait = wait_loop,
        .hangup = hangup,
    };
    const struct source_ops ops = {
        .open = open_listen,
        .start = start,
        .take = take,
        .receipt = receipt,
        .drain = drain,
        .busy = busy,
        .fds = fds,
        .woken = woken,
        .close = close_listen,
    };

    return source_main(&program, &ops, &l, argc, argv);
}
