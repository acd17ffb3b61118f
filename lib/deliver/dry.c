/* -n: the requests that would be sent, as NDJSON on standard output. Nothing
 * is sent, nothing is opened, and no position moves: it takes plain events
 * only, because a source that keeps a position would move it. */
#include <errno.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/file.h"
#include "deliver/work.h"
#include "record/event.h"
#include "record/json.h"

enum { CHUNK = 64 * 1024 };

static int flush(struct deliver *d, struct err *e)
{
    struct buf *out = &d->dry_out;

    if (out->n > 0 && fd_write(STDOUT_FILENO, out->p, out->n) < 0) {
        return errno == EPIPE ? err_set(e, STATUS_NEIGHBOUR,
                                        "the reader of standard output has "
                                        "gone")
                              : err_errno(e, STATUS_IO, "standard output");
    }
    buf_clear(out);
    return 0;
}

static int open_run(void *ctx, struct sink *sink, const struct sink_run *run,
                    struct buf *pos, struct err *e)
{
    struct deliver *d = ctx;

    (void)pos;
    d->sink = sink;
    target_hide_secret(d->target);
    if (target_start(d->target, e) < 0) {
        return -1;
    }
    return run->run[0] == '\0'
               ? 0
               : err_set(e, STATUS_USAGE,
                         "-n moves no position, so its source may have none: "
                         "dpp-consume without -g, dpp-poll -n, dpp-listen -a "
                         "none");
}

static void put_member(struct buf *out, const char *name, struct slice text)
{
    buf_puts(out, name);
    json_encode(out, text);
}

static void put_headers(struct buf *out, const struct request *r)
{
    const char *sep = ",\"headers\":[";

    for (size_t i = 0; i < r->headers; i++) {
        struct slice line = slice_of(r->header[i]);
        if (line.p[line.n - 1] == ':') {
            continue; /* one that libcurl is told to leave out */
        }
        if (line.p[line.n - 1] == ';' && memchr(line.p, ':', line.n) == NULL) {
            line.n--;
        }
        put_member(out, sep, line);
        sep = ",";
    }
    buf_puts(out, sep[0] == ',' && sep[1] == '\0' ? "]" : ",\"headers\":[]");
}

static void put_body(struct buf *out, struct slice body)
{
    if (utf8_valid(body)) {
        put_member(out, ",\"body\":", body);
        return;
    }
    buf_puts(out, ",\"body_base64\":\"");
    base64_encode(out, body.p, body.n);
    buf_putc(out, '"');
}

static int show_dead(struct deliver *d, const struct event *ev,
                     struct slice why, struct err *e)
{
    struct buf *out = &d->dry_out;

    put_member(out, "{\"dead\":", why);
    if (ev->id.p != NULL) {
        buf_puts(out, ",\"id\":");
        buf_append_slice(out, ev->id);
    }
    buf_puts(out, "}\n");
    return out->n >= CHUNK ? flush(d, e) : 0;
}

static int take_event(void *ctx, const struct event *ev, struct err *e)
{
    struct deliver *d = ctx;
    const struct request *r = &d->dry_request;
    struct buf *out = &d->dry_out;
    struct err why;

    if (request_fill(d->target, ev, &d->dry_request, &why) < 0) {
        return show_dead(d, ev, slice_of(why.text), e);
    }
    put_member(out, "{\"method\":", slice_of(d->target->method));
    put_member(out, ",\"url\":", slice_of(r->url));
    put_headers(out, r);
    put_body(out, r->body);
    buf_puts(out, "}\n");
    return out->n >= CHUNK ? flush(d, e) : 0;
}

static int take_dead(void *ctx, const struct event *ev, struct slice why,
                     struct err *e)
{
    return show_dead(ctx, ev, why, e);
}

static int take_mark(void *ctx, uint64_t seq, struct slice pos, struct err *e)
{
    struct deliver *d = ctx;

    (void)pos;
    if (flush(d, e) < 0) {
        return -1;
    }
    sink_terminal(d->sink, seq);
    return 0;
}

static int work(void *ctx, const struct pollfd *fds, size_t n, struct err *e)
{
    (void)fds;
    (void)n;
    return flush(ctx, e);
}

static void close_all(void *ctx)
{
    struct deliver *d = ctx;

    request_release(&d->dry_request);
    buf_release(&d->dry_out);
}

const struct sink_ops deliver_dry = {
    .open = open_run,
    .event = take_event,
    .dead = take_dead,
    .mark = take_mark,
    .work = work,
    .close = close_all,
};
