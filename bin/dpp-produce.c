/* dpp-produce: events from standard input into a topic.
 *
 * The marks of one bout of input are one atomic batch of the topic, with the
 * last position in it. They are terminal when it is on the disk, which a
 * thread of the topic's writer sees to while the next bout is read. While the
 * disk is full nothing is read; while the store is busy with what it has, a
 * bounded number of bytes is. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "record/event.h"
#include "record/pos.h"
#include "stage/sink.h"
#include "topic/dead.h"
#include "topic/options.h"
#include "topic/topic.h"

enum {
    UNSYNCED = 2048,
    FULL_RETRY_MS = 1000,
    BATCH = 1 << 20,
    /* read while the store is busy: the other half of what a source may have
     * unreceipted, of common sizes (kafka/exact.c) */
    AHEAD = 16 << 20,
};

/* A batch that is written but not known to be durable. */
struct written {
    uint64_t ticket;
    uint64_t seq;
    uint64_t events;
};

struct produce {
    struct topic_store_conf broker;
    const char *topic;
    const char *dead_topic;
    bool raw;

    struct sink *sink;
    struct topic_store *store;
    struct topic_writer *writer;
    struct dead_letters *dead;
    struct buf name; /* of the run's position, may be empty */
    uint64_t events; /* since the last batch: */
    uint64_t cut;    /* of these, before the last mark */
    uint64_t died;   /* the same: letters */
    uint64_t died_cut;
    uint64_t seq; /* marks up to this are to be written; 0: none */
    struct buf pos;
    struct written ring[UNSYNCED];
    size_t head;
    size_t n;
    size_t gathered; /* bytes before the last mark */
    bool full;       /* what is to be written waits for room */
    bool busy;       /* it waits, but for no trouble */
    bool warned;
};

static int setup(void *ctx, int argc, char **argv, struct err *e)
{
    struct produce *p = ctx;

    if (argc > 0) {
        return err_set(e, STATUS_USAGE, "what is \"%s\"? (try -h)", argv[0]);
    }
    if (p->topic == NULL) {
        return err_set(e, STATUS_USAGE, "-t TOPIC is missing (try -h)");
    }
    if (topic_name_check(p->topic, e) < 0 ||
        (p->dead_topic != NULL && topic_name_check(p->dead_topic, e) < 0)) {
        return -1;
    }
    return 0;
}

static int open_topic(struct produce *p, struct err *e)
{
    p->store = topic_store_open(&p->broker, e);
    if (p->store == NULL) {
        return -1;
    }
    p->writer = topic_writer_open(p->store, p->topic, e);
    if (p->writer == NULL) {
        return -1;
    }
    p->dead = dead_open(p->store, p->dead_topic, "dpp-produce", p->topic);
    return 0;
}

static int open_run(void *ctx, struct sink *sink, const struct sink_run *run,
                    struct buf *pos, struct err *e)
{
    struct produce *p = ctx;

    p->sink = sink;
    if (p->store == NULL && open_topic(p, e) < 0) {
        return -1;
    }
    if (p->broker.exactly_once && run->name.n == 0) {
        return err_set(e, STATUS_USAGE,
                       "--exactly-once: this input has no position: put a "
                       "source before it that keeps one (dpp-consume -g)");
    }
    if (pos == NULL) { /* plain input */
        topic_writer_flow(p->writer);
    }
    buf_clear(&p->name);
    buf_append_slice(&p->name, run->name);
    return run->name.n > 0 ? topic_writer_own(p->writer, run->run, run->name,
                                              run->keys, pos, e)
                           : 0;
}

static int event(void *ctx, const struct event *ev, struct err *e)
{
    struct produce *p = ctx;

    (void)e;
    topic_writer_add(p->writer, ev);
    p->events++;
    return 0;
}

static int dead(void *ctx, const struct event *ev, struct slice why,
                struct err *e)
{
    struct produce *p = ctx;

    p->died++;
    return dead_put(p->dead, ev, why, e);
}

/* why: empty where waiting is all in a day's work. */
static void say_full(struct produce *p, const char *why)
{
    if (p->full && !p->warned && why[0] != '\0') {
        msg_warn("%s: %s; waiting for room (nothing is lost)",
                 topic_store_name(p->store), why);
        p->warned = true;
    } else if (!p->full && p->warned) {
        msg_info("there is room on the disk again");
        p->warned = false;
    }
}

/* Dead letters first: the position must not overtake them. */
static int commit(struct produce *p, struct err *e)
{
    int rc = dead_sync(p->dead, e);

    if (rc == 0) {
        rc = topic_writer_commit(p->writer, buf_slice(&p->name),
                                 buf_slice(&p->pos), e);
    }
    if (rc < 0) {
        return -1;
    }
    p->full = rc == 1;
    p->busy = p->full && e->text[0] == '\0';
    say_full(p, e->text);
    if (p->full) {
        return 0;
    }
    p->ring[(p->head + p->n++) % UNSYNCED] =
        (struct written){topic_writer_ticket(p->writer), p->seq, p->cut};
    sink_count(p->sink, SINK_DEAD, p->died_cut);
    p->died -= p->died_cut;
    p->died_cut = 0;
    p->events -= p->cut;
    p->cut = 0;
    p->seq = 0;
    buf_clear(&p->pos);
    return 0;
}

static int mark(void *ctx, uint64_t seq, struct slice pos, struct err *e)
{
    struct produce *p = ctx;

    dead_cut(p->dead);
    p->gathered = topic_writer_cut(p->writer);
    p->seq = seq;
    p->cut = p->events;
    p->died_cut = p->died;
    if (p->pos.n == 0) {
        buf_append_slice(&p->pos, pos);
    } else if (pos.n > 0) {
        pos_merge(&p->pos, pos);
    }
    return p->gathered >= BATCH ? commit(p, e) : 0;
}

static int work(void *ctx, const struct pollfd *fds, size_t n, struct err *e)
{
    struct produce *p = ctx;
    uint64_t durable;
    uint64_t seq = 0;

    /* a batch may be larger than what a broker's client takes in one go:
     * there is room for more of it when some of it is safe */
    if (p->full && topic_writer_synced(p->writer, &durable, e) < 0) {
        return -1;
    }
    if (p->seq > 0 && p->n < UNSYNCED && commit(p, e) < 0) {
        return -1;
    }
    const bool news = n > 0 && fds[0].revents != 0;
    if (p->n == 0 && !news && topic_writer_due(p->writer) != 0) {
        return 0;
    }
    if (topic_writer_synced(p->writer, &durable, e) < 0) {
        return -1;
    }
    while (p->n > 0 && p->ring[p->head].ticket <= durable) {
        const struct written *w = &p->ring[p->head];
        seq = w->seq;
        sink_count(p->sink, SINK_OK, w->events);
        sink_stats(p->sink)->out += w->events;
        p->head = (p->head + 1) % UNSYNCED;
        p->n--;
    }
    if (seq > 0) {
        sink_terminal(p->sink, seq);
    }
    return 0;
}

static size_t fds(void *ctx, struct pollfd *v, size_t max, int *timeout_ms)
{
    struct produce *p = ctx;

    (void)max;
    if (p->full) {
        *timeout_ms = FULL_RETRY_MS;
    }
    const int due = topic_writer_due(p->writer);
    if (due >= 0 && (*timeout_ms < 0 || due < *timeout_ms)) {
        *timeout_ms = due;
    }
    v[0] = (struct pollfd){topic_writer_fd(p->writer), POLLIN, 0};
    return 1;
}

static void drain(void *ctx)
{
    struct produce *p = ctx;

    if (p->writer != NULL) {
        topic_writer_hurry(p->writer);
    }
}

static int end(void *ctx, struct err *e)
{
    struct produce *p = ctx;

    return topic_writer_disown(p->writer, e);
}

static bool full(void *ctx)
{
    const struct produce *p = ctx;

    return p->n == UNSYNCED || (p->full && (!p->busy || p->gathered >= AHEAD));
}

static void close_topic(void *ctx)
{
    struct produce *p = ctx;

    dead_close(p->dead);
    topic_writer_close(p->writer);
    topic_store_close(p->store);
    buf_release(&p->name);
    buf_release(&p->pos);
}

int main(int argc, char **argv)
{
    static struct produce p = {.broker.commit_ms = 100};
    const struct opt options[] = {
        TOPIC_STORE_OPTIONS(p.broker),
        TOPIC_SECRET_OPTION(p.broker),
        {'t', "topic", "TOPIC", "write to this topic", OPT_STRING, &p.topic, 0,
         0},
        {'d', "dead", "TOPIC", "dead letters (TOPIC.dead; none: stop)",
         OPT_STRING, &p.dead_topic, 0, 0},
        TOPIC_OUTPUT_OPTIONS(p.broker),
        {'r', "raw", NULL, "each line is a value, not an event", OPT_FLAG,
         &p.raw, 0, 0},
        {0},
    };
    const struct stage_program program = {
        .name = "dpp-produce",
        .synopsis = "[-b BROKER] -t TOPIC [-d TOPIC] [-r] [-X NAME=VALUE] "
                    "[-k REF]\n[--exactly-once] [--commit-interval DUR] "
                    "[--single-broker]\n[--new-position] "
                    "[--structured]",
        .about = "Write events from standard input to a topic.",
        .options = options,
        .setup = setup,
        .raw = &p.raw,
    };
    static const struct sink_ops ops = {
        .open = open_run,
        .event = event,
        .dead = dead,
        .mark = mark,
        .work = work,
        .fds = fds,
        .full = full,
        .drain = drain,
        .end = end,
        .close = close_topic,
    };

    return sink_main(&program, &ops, &p, argc, argv);
}
