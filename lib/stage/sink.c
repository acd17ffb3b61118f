/* The sink's side of the protocol.
 *
 * At hello it connects first, so that the source knows at once that somebody
 * answers and sees at once when we die; then it makes ready, then says hi. At
 * each mark it hands the batch's position to the program; when the program
 * says a mark is terminal, a receipt for the newest one goes back. At "end" it
 * finishes, sends the last receipt, closes the way back, and waits for the end
 * of the input or for another hello.
 *
 * Plain input has no marks: the skeleton makes its own, one for each bout of
 * reading, and at the end of the input waits for the last one. It then exits
 * with 0 only if all is durable.
 *
 * A crash at any line: what was not receipted comes again from the source. */
#include "stage/sink.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/msg.h"
#include "record/pos.h"
#include "stage/back.h"
#include "stage/split.h"

enum { LATENCIES = 256 };

struct sink {
    struct stage stage;
    const struct sink_ops *ops;
    void *ctx;
    struct intake in;
    struct back back;
    struct split split;
    struct sink_run who;
    bool open;                    /* ops->open was called for this run */
    bool draining;                /* no more input until another hello */
    bool eof;                     /* of the input */
    bool asked;                   /* to end, by the source */
    bool backlog;                 /* lines are read that were not handled yet */
    uint64_t last;                /* the last mark handed to the program */
    uint64_t done;                /* the last one that is terminal */
    uint64_t told;                /* the last one receipted */
    struct control_counts counts; /* since hello */
    uint64_t times[LATENCIES];    /* when mark seq came, by seq mod LATENCIES */
};

void sink_terminal(struct sink *s, uint64_t seq)
{
    const uint64_t now = clock_mono_us();

    for (uint64_t i = s->done + 1; i <= seq; i++) {
        if (seq - i < LATENCIES) {
            stats_latency(&s->stage.stats, now - s->times[i % LATENCIES]);
        }
    }
    s->done = seq;
}

void sink_count(struct sink *s, enum sink_outcome outcome, uint64_t n)
{
    uint64_t *const here[] = {&s->counts.ok, &s->counts.dead,
                              &s->counts.deferred};
    uint64_t *const ever[] = {&s->stage.stats.ok, &s->stage.stats.dead,
                              &s->stage.stats.deferred};

    *here[outcome] += n;
    *ever[outcome] += n;
}

struct stats *sink_stats(struct sink *s)
{
    return &s->stage.stats;
}

static int open_run(struct sink *s, struct buf *pos, struct err *e)
{
    s->open = true;
    s->draining = s->asked = false;
    s->last = s->done = s->told = 0;
    s->counts = (struct control_counts){0};
    if (pos == NULL) {
        stage_ready(&s->stage);
    }
    return s->ops->open(s->ctx, s, &s->who, pos, e);
}

static int handle_hello(struct sink *s, const struct control *c, struct err *e)
{
    struct buf pos;

    back_release(&s->back);
    back_init(&s->back);
    if (back_connect(&s->back, c->back, e) < 0) {
        return -1;
    }
    memcpy(s->who.run, s->in.run, sizeof s->who.run);
    s->who.name = c->name;
    s->who.keys = c->keys;
    buf_init(&pos);
    int rc = open_run(s, &pos, e);
    if (rc == 0) {
        const struct control hi = {.kind = CONTROL_HI,
                                   .v = 1,
                                   .run = slice_of(s->who.run),
                                   .pos = buf_slice(&pos)};
        back_put(&s->back, &hi);
        rc = back_flush(&s->back, e) < 0 ? -1 : 0;
        stage_ready(&s->stage);
    }
    buf_release(&pos);
    return rc;
}

static int hand_mark(struct sink *s, struct slice pos, struct err *e)
{
    s->last++;
    s->times[s->last % LATENCIES] = clock_mono_us();
    s->in.received = 0;
    split_reset(&s->split);
    return s->ops->mark(s->ctx, s->last, pos, e);
}

static int handle_mark(struct sink *s, const struct control *c, struct err *e)
{
    const int64_t net = c->counts.net + (int64_t)s->in.received - (int64_t)c->n;

    if (pos_check(c->pos, e) < 0) {
        return -1;
    }
    s->counts.net += net;
    s->counts.dropped += c->counts.dropped;
    s->counts.born += c->counts.born;
    s->stage.stats.net += net;
    s->stage.stats.dropped += c->counts.dropped;
    s->stage.stats.born += c->counts.born;
    return hand_mark(s, c->pos, e);
}

static void start_drain(struct sink *s)
{
    if (!s->draining) {
        s->draining = true;
        if (s->ops->drain != NULL) {
            s->ops->drain(s->ctx);
        }
    }
}

static int handle_event(struct sink *s, struct item *it, struct err *e)
{
    if (!s->open && open_run(s, NULL, e) < 0) {
        return -1;
    }
    s->stage.stats.in++;
    s->stage.stats.bytes_in += it->line.n + 1;
    if (it->kind == ITEM_DEAD) {
        return s->ops->dead(s->ctx, &it->event, it->why, e);
    }
    split_number(&s->split, &it->event);
    return s->ops->event(s->ctx, &it->event, e);
}

static int handle(struct sink *s, struct item *it, struct err *e)
{
    switch (it->kind) {
    case ITEM_EVENT:
    case ITEM_DEAD:
        return handle_event(s, it, e);
    case ITEM_HELLO:
        return handle_hello(s, &it->control, e);
    case ITEM_MARK:
        return handle_mark(s, &it->control, e);
    case ITEM_END:
        start_drain(s);
        return 0;
    case ITEM_EOF:
        if (!s->open && s->ops->busy != NULL && open_run(s, NULL, e) < 0) {
            return -1;
        }
        s->eof = true;
        start_drain(s);
        return 0;
    case ITEM_NONE:
        return 0;
    }
    return 0;
}

static bool wants_input(struct sink *s)
{
    return !s->eof && !(s->draining && s->back.fd >= 0) &&
           !(s->open && s->ops->full != NULL && s->ops->full(s->ctx));
}

/* Take what was read, as far as the program has room. In plain mode the end of
 * each bout is a mark of our own. */
static int work_off(struct sink *s, struct err *e)
{
    struct item it;

    do {
        /* behind "end" another run may follow: when all is receipted */
        s->backlog = !wants_input(s);
        if (s->backlog) {
            break;
        }
        if (intake_next(&s->in, &it, e) < 0 || handle(s, &it, e) < 0) {
            return -1;
        }
    } while (it.kind != ITEM_NONE && it.kind != ITEM_EOF);
    if (s->who.run[0] == '\0' && s->open && s->in.received > 0) {
        return hand_mark(s, (struct slice){"", 0}, e);
    }
    return 0;
}

static int send_receipt(struct sink *s, struct err *e)
{
    if (s->back.fd < 0) {
        return 0;
    }
    if (s->done > s->told) {
        const struct control c = {.kind = CONTROL_RECEIPT,
                                  .run = slice_of(s->who.run),
                                  .seq = s->done,
                                  .counts = s->counts};
        back_put(&s->back, &c);
        s->told = s->done;
    }
    const int rc = back_flush(&s->back, e);
    if (rc == 1 && s->draining && s->done == s->last) {
        if (s->open && s->ops->end != NULL && s->ops->end(s->ctx, e) < 0) {
            return -1;
        }
        back_release(&s->back); /* the source waits for this */
        back_init(&s->back);
    }
    return rc < 0 ? -1 : 0;
}

/* The source says one thing here, once: that it has been asked to end. */
static int watch_source(struct sink *s, const struct pollfd *fd, struct err *e)
{
    if (fd->fd != s->back.fd || (fd->revents & ~POLLOUT) == 0) {
        return 0;
    }
    const int rc = back_watch(&s->back, e);
    if (rc == 1 && !s->asked) {
        s->asked = true;
        if (s->stage.program->stopping != NULL) {
            s->stage.program->stopping(s->stage.ctx);
        }
    }
    return rc < 0 ? -1 : 0;
}

static int turn(struct sink *s, struct err *e)
{
    struct pollfd fds[STAGE_FDS];
    size_t n = 3;
    int timeout_ms = -1;

    /* lines that are read but not handled come first */
    const bool more = s->backlog && wants_input(s);
    const bool input = !s->backlog && wants_input(s);
    fds[1] = (struct pollfd){input ? STDIN_FILENO : -1, POLLIN, 0};
    fds[2] = (struct pollfd){s->back.fd, s->asked ? 0 : POLLIN, 0};
    if (s->back.out.n > 0) {
        fds[2].events |= POLLOUT;
    }
    if (s->open && s->ops->fds != NULL) {
        n += s->ops->fds(s->ctx, fds + 3, STAGE_FDS - 3, &timeout_ms);
    }
    if (more) {
        timeout_ms = 0;
    }
    if (stage_wait(&s->stage, fds, n, timeout_ms, e) < 0 ||
        watch_source(s, &fds[2], e) < 0) {
        return -1;
    }
    if (input && fds[1].revents != 0 && intake_fill(&s->in, e) < 0) {
        return -1;
    }
    if (work_off(s, e) < 0 ||
        (s->open && s->ops->work(s->ctx, fds + 3, n - 3, e) < 0)) {
        return -1;
    }
    return send_receipt(s, e);
}

static bool busy(struct sink *s)
{
    return s->ops->busy != NULL && s->ops->busy(s->ctx);
}

static int run(struct sink *s, struct err *e)
{
    bool cut = false;

    for (;;) {
        if (turn(s, e) < 0) {
            return -1;
        }
        if (s->stage.terms > 0 && s->who.run[0] == '\0' && !s->eof) {
            s->eof = true; /* plain input: keep what was read, and say so */
            start_drain(s);
            cut = s->stage.stats.in > 0;
        }
        if (s->eof && (!s->open || (s->done == s->last && !busy(s)))) {
            return !cut ? 0
                        : err_set(e, STATUS_RETRY,
                                  "stopped before the end of the input (what "
                                  "was read is safe)");
        }
    }
}

int sink_main(const struct stage_program *program, const struct sink_ops *ops,
              void *ctx, int argc, char **argv)
{
    struct sink s = {.ops = ops, .ctx = ctx};
    struct err e = {0};

    back_init(&s.back);
    int rc = stage_begin(&s.stage, program, ctx, argc, argv, NULL, true, &e);
    if (rc == 0) {
        intake_init(&s.in, STDIN_FILENO, s.stage.max_event);
        s.in.raw = program->raw != NULL && *program->raw;
        rc = run(&s, &e);
        ops->close(ctx);
    }
    intake_release(&s.in);
    back_release(&s.back);
    split_release(&s.split);
    return stage_end(&s.stage, rc < 0 ? -1 : 0, &e);
}
