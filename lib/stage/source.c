/* The source's side of the protocol.
 *
 * States:
 *
 *   PLAIN    no protocol: take, write; at the end close.
 *   HELLO    hello is written, and again each second. Nothing is taken.
 *            connected -> ANSWER; 2 s after the pipe was read -> 69
 *   ANSWER   the sink is making itself ready, however long that takes.
 *            hi -> RUN; SIGTERM -> DRAIN
 *   RUN      take, write a batch and its mark in one write, read receipts.
 *            SIGTERM, SOURCE_END, SOURCE_AGAIN -> DRAIN
 *   DRAIN    what is taken leaves, then "end"; receipts come in. When the
 *            sink closes the way back: exit 0, or open() again.
 *            Asked to end and still here after 1 s: the sink is told.
 *
 * Invariants: a write ends with a mark (so a position never splits a batch);
 * at most WINDOW events are unreceipted; the ring holds the marks that are not
 * receipted, in order, each with the position behind it; a position is stored
 * only when all before it is terminal. A crash at any line leaves the stored
 * position at or before what is terminal: the successor repeats, never skips.
 */
#include "stage/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rand.h"
#include "record/pos.h"
#include "stage/back.h"
#include "stage/caution.h"
#include "stage/hello.h"
#include "stage/notify.h"
#include "stage/unreceipted.h"

enum {
    BATCH = 64 * 1024, /* bytes gathered for one write */
    WINDOW = 65536,    /* unreceipted events */
    CAUTIOUS = 1000,   /* events after which a cautious source is bold again */
    IDLE_MARK_US = 1000 * 1000,
    TELL_US = 1000 * 1000,
};

enum state { PLAIN, HELLO, ANSWER, RUN, DRAIN };

struct source {
    struct stage stage;
    const struct source_ops *ops;
    void *ctx;
    enum state state;
    bool protocol;
    bool piped; /* standard output is a pipe */
    bool again; /* open() anew after this drain */
    bool ended; /* "end" is in the buffer or gone */
    struct caution caution;
    char name[CONTROL_NAME_MAX + 1];
    struct buf keys;
    char run[RAND_HEX];
    struct back back;
    struct buf out;
    size_t sent;
    size_t line; /* where the line under way starts */
    uint64_t gathered;
    uint64_t seq; /* of the last mark */
    uint64_t total;
    uint64_t unreceipted;
    struct unreceipted marks;
    struct control_counts before; /* of earlier runs of this process */
    struct hello hello;
    uint64_t marked_us; /* the last mark */
};

void source_identify(struct source *s, const char *name, struct slice keys)
{
    s->protocol = true;
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    buf_clear(&s->keys);
    buf_append_slice(&s->keys, keys);
}

struct buf *source_line(struct source *s)
{
    s->line = s->out.n;
    return &s->out;
}

void source_line_done(struct source *s)
{
    buf_putc(&s->out, '\n');
    s->gathered++;
    s->total++;
    s->stage.stats.in++;
    s->stage.stats.out++;
    s->stage.stats.bytes_in += s->out.n - s->line;
}

bool source_full(const struct source *s)
{
    const uint64_t window = s->caution.on ? 1 : WINDOW;

    return s->out.n >= BATCH ||
           (s->protocol && s->unreceipted + s->gathered >= window);
}

uint64_t source_mark(const struct source *s)
{
    return s->seq + 1;
}

bool source_started(const struct source *s)
{
    return s->state == PLAIN || s->state == RUN || s->state == DRAIN;
}

uint64_t source_max_event(const struct source *s)
{
    return s->stage.max_event;
}

struct stats *source_stats(struct source *s)
{
    return &s->stage.stats;
}

/* --- down ---------------------------------------------------------------- */

/* A position may move without an event: over what was none of ours. Without
 * either there is no mark. */
static void put_mark(struct source *s)
{
    struct buf pos;

    buf_init(&pos);
    if (s->ops->position != NULL) {
        s->ops->position(s->ctx, &pos);
    }
    if (s->gathered == 0 && pos.n == 0) {
        buf_release(&pos);
        return;
    }
    struct control c = {.kind = CONTROL_MARK,
                        .run = slice_of(s->run),
                        .seq = ++s->seq,
                        .n = s->gathered};
    struct mark m = {
        .seq = s->seq, .n = s->gathered, .time_us = clock_mono_us()};

    if (s->ops->position != NULL) {
        pos_seal(&pos);
        c.pos = buf_slice(&pos);
        m.pos = pos.n > 0 ? mem_strndup(pos.p, pos.n) : NULL;
    }
    if (s->gathered == 1) {
        caution_hand_out(&s->caution, &s->out, s->line, s->run, s->seq, c.pos);
    }
    s->marked_us = m.time_us;
    control_write(&s->out, &c);
    buf_release(&pos);
    unreceipted_push(&s->marks, m);
    s->unreceipted += s->gathered;
    s->stage.stats.unreceipted = s->unreceipted;
    s->gathered = 0;
}

/* Without an event: at once behind hi, so that a first position is kept, then
 * once a second. */
static bool is_mark_due(const struct source *s)
{
    return s->seq == 0 || clock_mono_us() >= s->marked_us + IDLE_MARK_US;
}

/* Open a run, from the first state or after SOURCE_AGAIN. */
static int begin(struct source *s, struct err *e)
{
    s->protocol = false;
    if (s->ops->open(s->ctx, s, e) < 0) {
        return -1;
    }
    if (!s->protocol) {
        s->state = PLAIN;
        stage_ready(&s->stage);
        return s->ops->start(s->ctx, (struct slice){"", 0}, e);
    }
    if (isatty(STDOUT_FILENO)) {
        return err_set(e, STATUS_USAGE,
                       "standard output is a terminal, which gives no "
                       "receipts: put a pipe behind it, or leave out what "
                       "keeps a position");
    }
    s->before = stats_counts(&s->stage.stats);
    s->state = HELLO;
    s->seq = 0;
    s->ended = false;
    s->again = false;
    s->hello.read_us = 0;
    rand_hex(s->run);
    back_release(&s->back);
    back_init(&s->back);
    if (back_listen(&s->back, s->run, e) < 0) {
        return -1;
    }
    hello_say(&s->hello, &s->out, s->run, s->name, buf_slice(&s->keys));
    return 0;
}

static void start_drain(struct source *s, bool again)
{
    if (s->state == DRAIN) {
        return;
    }
    if (s->ops->drain != NULL && !again) {
        s->ops->drain(s->ctx);
    }
    s->again = again;
    s->state = DRAIN;
}

static bool busy(struct source *s)
{
    return !s->again && s->ops->busy != NULL && s->ops->busy(s->ctx);
}

static void put_end(struct source *s)
{
    if (s->protocol) {
        if (s->seq > 0 || s->gathered > 0) { /* the run has begun */
            put_mark(s);
        }
        const struct control c = {.kind = CONTROL_END, .run = slice_of(s->run)};
        control_write(&s->out, &c);
    }
    s->ended = true;
}

/* Gather one batch if there is room for one. 1: call again at once. */
static int take(struct source *s, struct err *e)
{
    if (s->state == DRAIN && !s->ended && s->out.n == 0 && !busy(s)) {
        put_end(s);
        return 1; /* plain mode has nothing to wait for */
    }
    if ((s->state != RUN && s->state != PLAIN) || s->out.n > 0 ||
        source_full(s)) {
        return 0;
    }
    const int rc = s->ops->take(s->ctx, s, e);
    if (rc < 0) {
        return -1;
    }
    if (s->protocol &&
        (s->gathered > 0 || (rc == SOURCE_IDLE && is_mark_due(s)))) {
        put_mark(s);
    }
    s->gathered = 0;
    if (rc == SOURCE_END || rc == SOURCE_AGAIN) {
        start_drain(s, rc == SOURCE_AGAIN);
    }
    return rc != SOURCE_IDLE;
}

/* --- back ---------------------------------------------------------------- */

static int take_hi(struct source *s, const struct control *c, struct err *e)
{
    if (s->state == DRAIN && !s->stage.ready) {
        return 0; /* stopped before it was ready: "end" is on its way */
    }
    if (s->state != ANSWER || c->v != 1) {
        return err_set(e, STATUS_STREAM, "hi out of turn");
    }
    if (pos_check(c->pos, e) < 0 || s->ops->start(s->ctx, c->pos, e) < 0) {
        return -1;
    }
    s->state = RUN;
    stage_ready(&s->stage);
    return 0;
}

static int take_receipt(struct source *s, const struct control *c,
                        struct err *e)
{
    const uint64_t now = clock_mono_us();
    struct stats *stats = &s->stage.stats;
    struct mark m;
    struct buf pos;

    if (c->seq > s->seq || s->state == ANSWER) {
        return err_set(e, STATUS_STREAM,
                       "a receipt for mark %llu, which was never written",
                       (unsigned long long)c->seq);
    }
    buf_init(&pos);
    while (unreceipted_pop(&s->marks, c->seq, &m, &pos)) {
        s->unreceipted -= m.n;
        stats_latency(stats, now - m.time_us);
    }
    if (pos.n > 0) {
        pos_merge(&stats->position, buf_slice(&pos));
    }
    stats_set_counts(stats, &s->before, &c->counts);
    stats->unreceipted = s->unreceipted;
    int rc = 0;
    if (s->ops->receipt != NULL) {
        rc = s->ops->receipt(s->ctx, c->seq, buf_slice(&pos), e);
    }
    buf_release(&pos);
    caution_tell(&s->caution, s->run, s->seq - s->marks.n,
                 buf_slice(&stats->position), s->marks.n == 0);
    return rc;
}

/* The sink closed the way back: right behind "end" once all is receipted, a
 * death at any other time. */
static int sink_closed(struct source *s, struct err *e)
{
    if (s->state == DRAIN && s->ended && s->marks.n == 0) {
        back_release(&s->back);
        back_init(&s->back);
        return 0;
    }
    return err_set(e, STATUS_NEIGHBOUR,
                   "the sink of this pipe has gone: see what it said");
}

static int read_back(struct source *s, struct err *e)
{
    struct control c;
    struct err closed;
    int open;
    int rc = 0;

    do {
        open = back_read(&s->back, &closed);
        while (rc >= 0 && (rc = back_next(&s->back, &c, e)) == 1) {
            if (!slice_is(c.run, s->run)) {
                msg_warn("ignored a line of another run on the way back");
            } else if (c.kind == CONTROL_HI) {
                rc = take_hi(s, &c, e);
            } else if (c.kind == CONTROL_RECEIPT) {
                rc = take_receipt(s, &c, e);
            } else {
                rc = err_set(e, STATUS_STREAM,
                             "a line on the way back that goes down");
            }
        }
        if (rc < 0) {
            return -1;
        }
    } while (open == 1);
    return open < 0 ? sink_closed(s, e) : 0;
}

static int await_sink(struct source *s, struct err *e)
{
    const int there = back_accept(&s->back, e);

    if (there != 0) {
        s->state = there > 0 ? ANSWER : s->state;
        return there < 0 ? -1 : 0;
    }
    const int rc = hello_wait(&s->hello, s->out.n == 0, e);
    if (rc == 1) {
        hello_say(&s->hello, &s->out, s->run, s->name, buf_slice(&s->keys));
    }
    return rc < 0 ? -1 : 0;
}

/* --- the loop ------------------------------------------------------------ */

struct waits {
    struct pollfd fds[STAGE_FDS];
    size_t n;
    size_t own; /* where the program's descriptors begin */
    int timeout_ms;
};

static void collect(struct source *s, struct waits *w, bool at_once)
{
    w->n = 1;
    w->timeout_ms = at_once ? 0 : -1;
    /* without events it still tells when the reader has gone */
    w->fds[w->n++] =
        (struct pollfd){s->piped || s->out.n > 0 ? STDOUT_FILENO : -1,
                        s->out.n > 0 ? POLLOUT : 0, 0};
    if (s->back.fd >= 0) {
        w->fds[w->n++] = (struct pollfd){s->back.fd, POLLIN, 0};
        if (s->stage.terms > 0) {
            back_stop(&s->back, stage_asked_us(&s->stage) + TELL_US,
                      &w->timeout_ms);
        }
    } else if (s->back.listener >= 0) {
        w->fds[w->n++] = (struct pollfd){s->back.listener, POLLIN, 0};
        w->timeout_ms = 20;
    }
    w->own = w->n;
    if (s->ops->fds != NULL) {
        w->n += s->ops->fds(s->ctx, w->fds + w->n, STAGE_FDS - w->n,
                            &w->timeout_ms);
    }
}

static int turn(struct source *s, struct err *e)
{
    struct waits w;
    int more = take(s, e);

    if (more < 0) {
        return -1;
    }
    if (s->out.n > 0) {
        const int rc =
            stage_write(&s->stage, STDOUT_FILENO, &s->out, &s->sent, e);
        if (rc < 0) {
            return -1;
        }
        more = rc == 1 && s->state != HELLO && s->state != ANSWER &&
               !s->ended && !source_full(s);
    }
    collect(s, &w, more > 0);
    if (stage_wait(&s->stage, w.fds, w.n, w.timeout_ms, e) < 0) {
        return -1;
    }
    if ((w.fds[1].revents & POLLERR) != 0) {
        return err_set(e, STATUS_NEIGHBOUR,
                       "the reader of standard output has gone");
    }
    if (s->ops->woken != NULL &&
        s->ops->woken(s->ctx, w.fds + w.own, w.n - w.own, e) < 0) {
        return -1;
    }
    if (s->state == HELLO && await_sink(s, e) < 0) {
        return -1;
    }
    if (s->back.fd >= 0 && read_back(s, e) < 0) {
        return -1;
    }
    if (s->total > CAUTIOUS) {
        s->caution.on = false;
    }
    return 0;
}

static int run(struct source *s, struct err *e)
{
    if (begin(s, e) < 0) {
        return -1;
    }
    for (;;) {
        /* in HELLO a reader must answer first, so that it sees a clean end */
        if (s->stage.terms > 0 && s->state != HELLO) {
            start_drain(s, false);
        }
        if (turn(s, e) < 0) {
            return -1;
        }
        if (s->state != DRAIN || !s->ended || s->out.n > 0 || s->back.fd >= 0) {
            continue;
        }
        if (!s->again || s->stage.terms > 0) {
            return 0;
        }
        if (begin(s, e) < 0) {
            return -1;
        }
    }
}

int source_main(const struct stage_program *program,
                const struct source_ops *ops, void *ctx, int argc, char **argv)
{
    struct source s = {.ops = ops, .ctx = ctx, .hello = {.timeout_ms = 2000}};
    struct err e = {0};
    struct stat st;
    const struct opt options[] = {
        {0, "hello-timeout", "DUR", "how long the reader may take to answer",
         OPT_DURATION, &s.hello.timeout_ms, 1, 3600000},
        {0},
    };

    back_init(&s.back);
    int rc =
        stage_begin(&s.stage, program, ctx, argc, argv, options, false, &e);
    if (rc == 0) {
        s.piped = fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
        (void)stage_nonblock(STDOUT_FILENO);
        caution_init(&s.caution);
        rc = stage_verdict(&s.stage, run(&s, &e), &e);
        ops->close(ctx);
    }
    caution_release(&s.caution);
    unreceipted_release(&s.marks);
    back_release(&s.back);
    buf_release(&s.out);
    buf_release(&s.keys);
    return stage_end(&s.stage, rc < 0 ? -1 : 0, &e);
}
