/* A filter reads what is there, works it off in order, and writes all output
 * before it reads again: so it has written a batch before it passes the mark,
 * and holds nothing when it waits. It keeps no state across marks; killed at
 * any line, it takes the segment with it and the source repeats. */
#include "stage/filter.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/msg.h"
#include "record/json.h"

enum { OUT_HIGH = 256 * 1024 };

struct filter {
    struct stage stage;
    const struct filter_ops *ops;
    void *ctx;
    struct intake in;
    struct buf out;
    size_t sent;
    size_t line;
    uint64_t emitted; /* by the event under way */
    /* since the last mark: */
    uint64_t lines;
    uint64_t dropped;
    uint64_t born;
};

struct buf *filter_line(struct filter *f)
{
    f->line = f->out.n;
    return &f->out;
}

void filter_line_done(struct filter *f)
{
    buf_putc(&f->out, '\n');
    f->emitted++;
    f->stage.stats.out++;
}

void filter_pass(struct filter *f, const struct event *ev)
{
    buf_append_slice(filter_line(f), ev->line);
    filter_line_done(f);
}

static void put_dead(struct filter *f, struct slice event, struct slice why)
{
    struct buf *b = filter_line(f);

    buf_puts(b, "{\"dpp\":\"dead\",\"why\":");
    json_encode(b, why);
    buf_puts(b, ",\"event\":");
    buf_append_slice(b, event);
    buf_putc(b, '}');
    filter_line_done(f);
    f->stage.stats.dead++;
}

void filter_dead(struct filter *f, const struct event *ev, struct slice why)
{
    put_dead(f, ev->line, why);
}

static int handle_event(struct filter *f, const struct item *it, struct err *e)
{
    f->emitted = 0;
    f->stage.stats.in++;
    f->stage.stats.bytes_in += it->line.n + 1;
    if (it->kind == ITEM_DEAD) {
        put_dead(f, it->event.line, it->why);
    } else if (f->ops->event(f->ctx, &it->event, f, e) < 0) {
        return -1;
    }
    f->lines += f->emitted;
    if (f->emitted == 0) {
        f->dropped++;
        f->stage.stats.dropped++;
    } else {
        f->born += f->emitted - 1;
        f->stage.stats.born += f->emitted - 1;
    }
    return 0;
}

/* n becomes what leaves; what was dropped and born here adds up along the
 * pipe; the difference that a foreign filter before us made goes into net. */
static void pass_mark(struct filter *f, const struct control *from)
{
    struct control c = *from;

    c.counts.net += (int64_t)f->in.received - (int64_t)c.n;
    c.counts.dropped += f->dropped;
    c.counts.born += f->born;
    c.n = f->lines;
    control_write(&f->out, &c);
    f->in.received = 0;
    f->lines = 0;
    f->dropped = 0;
    f->born = 0;
}

static int handle(struct filter *f, const struct item *it, struct err *e)
{
    switch (it->kind) {
    case ITEM_EVENT:
    case ITEM_DEAD:
        return handle_event(f, it, e);
    case ITEM_MARK:
        pass_mark(f, &it->control);
        return 0;
    case ITEM_HELLO:
    case ITEM_END:
        buf_append_slice(&f->out, it->line);
        buf_putc(&f->out, '\n');
        return 0;
    default:
        return 0;
    }
}

/* All output out, however long the reader takes. */
static int write_out(struct filter *f, struct err *e)
{
    struct pollfd fds[2];
    int rc;

    if (f->ops->flush != NULL && f->ops->flush(f->ctx, e) < 0) {
        return -1;
    }
    while ((rc = stage_write(&f->stage, STDOUT_FILENO, &f->out, &f->sent, e)) ==
           0) {
        fds[1] = (struct pollfd){STDOUT_FILENO, POLLOUT, 0};
        if (stage_wait(&f->stage, fds, 2, -1, e) < 0) {
            return -1;
        }
    }
    buf_shrink(&f->out, (size_t)2 * OUT_HIGH);
    return rc < 0 ? -1 : 0;
}

/* 1: the input has ended as it should. */
static int work_off(struct filter *f, struct err *e)
{
    struct item it;
    const uint64_t start = clock_mono_us();

    do {
        if (intake_next(&f->in, &it, e) < 0) {
            struct err lost;
            (void)write_out(f, &lost); /* dead letters are worth a try */
            return -1;
        }
        if (handle(f, &it, e) < 0 ||
            (f->out.n >= OUT_HIGH && write_out(f, e) < 0)) {
            return -1;
        }
    } while (it.kind != ITEM_NONE && it.kind != ITEM_EOF);
    stats_latency(&f->stage.stats, clock_mono_us() - start);
    return write_out(f, e) < 0 ? -1 : it.kind == ITEM_EOF;
}

static int run(struct filter *f, struct err *e)
{
    struct pollfd fds[3];
    int rc;

    stage_ready(&f->stage);
    for (;;) {
        fds[1] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
        fds[2] = (struct pollfd){STDOUT_FILENO, 0, 0};
        if (stage_wait(&f->stage, fds, 3, -1, e) < 0) {
            return -1;
        }
        if ((fds[2].revents & POLLERR) != 0) {
            return err_set(e, STATUS_NEIGHBOUR,
                           "the reader of standard output has gone");
        }
        if (fds[1].revents != 0) {
            rc = intake_fill(&f->in, e);
            if (rc < 0 || (rc == 1 && (rc = work_off(f, e)) != 0)) {
                return rc < 0 ? -1 : 0;
            }
        }
        if (f->stage.terms > 0 && !f->in.protocol && !f->in.ended) {
            return f->stage.stats.in == 0
                       ? 0
                       : err_set(e, STATUS_RETRY,
                                 "stopped before the end of the input");
        }
    }
}

int filter_main(const struct stage_program *program,
                const struct filter_ops *ops, void *ctx, int argc, char **argv)
{
    struct filter f = {.ops = ops, .ctx = ctx};
    struct err e = {0};
    int rc = stage_begin(&f.stage, program, ctx, argc, argv, NULL, true, &e);

    if (rc == 0) {
        (void)stage_nonblock(STDOUT_FILENO);
        intake_init(&f.in, STDIN_FILENO, f.stage.max_event);
        rc = ops->open(ctx, &e);
        if (rc == 0) {
            rc = stage_verdict(&f.stage, run(&f, &e), &e);
        }
        ops->close(ctx);
    }
    intake_release(&f.in);
    buf_release(&f.out);
    return stage_end(&f.stage, rc < 0 ? -1 : 0, &e);
}
