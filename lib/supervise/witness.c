#include "supervise/witness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/control.h"
#include "record/event.h"
#include "record/json.h"
#include "record/pos.h"

#define LONG_NUMBER "12345678901234567890"

enum { SHOWN = 60, LONG_DIGITS = 14 };

void witness_init(struct witness *w)
{
    *w = (struct witness){0};
    rand_hex(w->run);
    (void)snprintf(w->hello, sizeof w->hello, "@dpp-%s", w->run);
}

void witness_release(struct witness *w)
{
    free(w->batch);
    *w = (struct witness){0};
}

bool witness_break(struct witness *w, enum witness_promise promise,
                   const char *fmt, ...)
{
    va_list ap;

    if (!w->broken) {
        w->broken = true;
        w->promise = promise;
        va_start(ap, fmt);
        (void)vsnprintf(w->why, sizeof w->why, fmt, ap);
        va_end(ap);
    }
    return false;
}

/* --- what goes in --------------------------------------------------------- */

void witness_put_hello(struct witness *w, struct buf *out)
{
    const struct control c = {.kind = CONTROL_HELLO,
                              .v = 1,
                              .run = slice_of(w->run),
                              .name = SLICE("probe"),
                              .keys = SLICE("probe/0"),
                              .back = slice_of(w->hello)};

    control_write(out, &c);
}

/* Bodies of all kinds: none, short, long, what looks like the protocol. */
static void put_data(struct buf *out, uint32_t i)
{
    switch (i % 8) {
    case 0:
        buf_printf(out, ",\"data\":{\"n\":%u,\"big\":" LONG_NUMBER "}", i);
        break;
    case 1:
        buf_puts(out, ",\"data\":{\"type\":\"push\",\"head_commit\":{\"message"
                      "\":\"Gr\\u00fc\\u00dfe\\n\"}}");
        break;
    case 2:
        buf_puts(out, ",\"datacontenttype\":\"text/plain\",\"data_base64\":"
                      "\"bGluZQo=\"");
        break;
    case 3:
        buf_printf(out,
                   ",\"data\":\"\\n{\\\"dpp\\\":\\\"end\\\",\\\"run\\\":"
                   "\\\"0\\\"}\\n\",\"dppkey\":\"%u\"",
                   i);
        break;
    case 4:
        buf_puts(out, ",\"data\":[0.1,1e2,-0,null,true,\"\\u0000\"]");
        break;
    case 5:
        break; /* a tombstone */
    default:
        buf_puts(out, ",\"data\":{\"text\":\"");
        for (uint32_t k = 0; k < 1U << i % 13; k++) {
            buf_putc(out, (char)('a' + k % 26));
        }
        buf_puts(out, "\"}");
        break;
    }
}

void witness_put_events(struct witness *w, struct buf *out, uint32_t n)
{
    for (; n > 0; n--) {
        const uint32_t i = w->events++;
        buf_printf(out,
                   "{\"specversion\":\"1.0\",\"id\":\"probe-%u\",\"source\":"
                   "\"/dpp/probe\",\"type\":\"dpp.probe\",\"time\":"
                   "\"2026-11-24T00:00:00Z\",\"partitionkey\":\"k%u\","
                   "\"dpporigin\":\"probe/0/%u\"",
                   i, i % 10, i);
        put_data(out, i);
        buf_puts(out, "}\n");
    }
}

static void put_position(struct buf *pos, uint32_t at)
{
    char value[16];
    const int n = snprintf(value, sizeof value, "%u", at);

    pos_put(pos, SLICE("probe/0"), (struct slice){value, (size_t)n});
    pos_seal(pos);
}

void witness_put_mark(struct witness *w, struct buf *out)
{
    const struct witness_batch *before =
        w->batches > 0 ? &w->batch[w->batches - 1] : NULL;
    const uint32_t first = before != NULL ? before->first + before->n : 0;
    struct buf pos;

    w->batch = mem_resize(w->batch, (w->batches + 1) * sizeof *w->batch);
    w->batch[w->batches++] =
        (struct witness_batch){.first = first, .n = w->events - first};
    buf_init(&pos);
    put_position(&pos, w->events);
    const struct control c = {.kind = CONTROL_MARK,
                              .run = slice_of(w->run),
                              .seq = w->batches,
                              .n = w->events - first,
                              .pos = buf_slice(&pos)};
    control_write(out, &c);
    buf_release(&pos);
}

void witness_put_end(struct witness *w, struct buf *out)
{
    const struct control c = {.kind = CONTROL_END, .run = slice_of(w->run)};

    control_write(out, &c);
    w->end_sent = true;
}

/* --- what comes out ------------------------------------------------------- */

/* "probe-N" or "probe-N#2", quoted; -1 else. */
static long number_of(struct slice id)
{
    static const char head[] = "\"probe-";
    long n = 0;
    size_t i = sizeof head - 1;

    if (id.n <= i || memcmp(id.p, head, i) != 0) {
        return -1;
    }
    for (; i < id.n && id.p[i] >= '0' && id.p[i] <= '9' && n < 1000000000;
         i++) {
        n = n * 10 + (id.p[i] - '0');
    }
    return n;
}

/* An event of the probe has come out: is it its turn? */
static bool place(struct witness *w, long number)
{
    const uint32_t first =
        w->marks > 0 ? w->batch[w->marks - 1].first + w->batch[w->marks - 1].n
                     : 0;
    const uint32_t i = (uint32_t)number;

    if (i < first) {
        return witness_break(w, WITNESS_HOLDS,
                             "event %u came behind the mark that covers it: "
                             "it was held back past a mark",
                             i);
    }
    if (w->marks < w->batches &&
        i >= w->batch[w->marks].first + w->batch[w->marks].n) {
        return witness_break(w, WITNESS_ORDER,
                             "event %u came where mark %zu was due", i,
                             w->marks + 1);
    }
    if (i >= w->events) {
        return witness_break(w, WITNESS_ORDER,
                             "event %u came out and never went in", i);
    }
    if (i + 1 < w->last) {
        return witness_break(w, WITNESS_ORDER, "event %u came behind event %u",
                             i, w->last - 1);
    }
    w->born += i + 1 == w->last;
    w->last = i + 1;
    w->passed++;
    return true;
}

static bool holds(struct slice text, const char *what, size_t n)
{
    return text.p != NULL && memmem(text.p, text.n, what, n) != NULL;
}

static bool see_event(struct witness *w, const struct event *ev)
{
    const long number = number_of(ev->id);

    w->lines++;
    if (number < 0) {
        w->strange++;
        return true;
    }
    w->rounded |= number % 8 == 0 &&
                  holds(ev->data, LONG_NUMBER, LONG_DIGITS) &&
                  !holds(ev->data, LONG_NUMBER, sizeof LONG_NUMBER - 1);
    return place(w, number);
}

static bool see_hello(struct witness *w, const struct control *c)
{
    if (w->lines > 0 || w->marks > 0) {
        return witness_break(w, WITNESS_HELLO,
                             "the hello line came behind other lines");
    }
    if (c->v != 1 || !slice_is(c->run, w->run) || !slice_is(c->name, "probe") ||
        !slice_is(c->keys, "probe/0") || !slice_is(c->back, w->hello)) {
        return witness_break(w, WITNESS_HELLO, "the hello line was changed");
    }
    w->hello_seen = true;
    return true;
}

static bool see_mark(struct witness *w, const struct control *c)
{
    struct buf pos;

    if (!slice_is(c->run, w->run) || c->seq != w->marks + 1 ||
        c->seq > w->batches) {
        return witness_break(w, WITNESS_MARKS,
                             "mark %llu came where mark %zu was due",
                             (unsigned long long)c->seq, w->marks + 1);
    }
    const struct witness_batch *b = &w->batch[w->marks];
    buf_init(&pos);
    put_position(&pos, b->first + b->n);
    const bool same = slice_eq(c->pos, buf_slice(&pos));
    buf_release(&pos);
    if (!same) {
        return witness_break(w, WITNESS_MARKS,
                             "the position of mark %llu was "
                             "changed",
                             (unsigned long long)c->seq);
    }
    if (c->n != b->n && c->n != w->lines) {
        return witness_break(w, WITNESS_MARKS,
                             "mark %llu says %llu lines; %llu came, of %u "
                             "events",
                             (unsigned long long)c->seq,
                             (unsigned long long)c->n,
                             (unsigned long long)w->lines, b->n);
    }
    w->marks++;
    w->lines = 0;
    w->last = 0;
    return true;
}

static bool see_dead(struct witness *w, const struct control *c)
{
    struct event ev;
    struct err ignored;
    bool reordered;

    w->died++;
    w->lines++;
    if (event_parse(&ev, c->event, &reordered, &ignored) < 0) {
        return true; /* a dead letter may be anything */
    }
    const long number = number_of(ev.id);
    return number < 0 || place(w, number);
}

static bool see_end(struct witness *w, const struct control *c)
{
    if (!w->end_sent) {
        return witness_break(w, WITNESS_DEATH,
                             "an end line came out that never went in");
    }
    if (!slice_is(c->run, w->run) || w->marks < w->batches || w->lines > 0) {
        return witness_break(w, WITNESS_END,
                             "the end line was changed, or came too early");
    }
    w->end_seen = true;
    return true;
}

static bool see_control(struct witness *w, struct slice line)
{
    struct control c;
    struct err e;

    if (control_parse(&c, line, &e) < 0) {
        return witness_break(w, WITNESS_LINES, "%s", e.text);
    }
    if (!w->hello_seen && c.kind != CONTROL_HELLO) {
        return witness_break(w, WITNESS_HELLO, "the hello line is missing");
    }
    switch (c.kind) {
    case CONTROL_HELLO:
        return see_hello(w, &c);
    case CONTROL_MARK:
        return see_mark(w, &c);
    case CONTROL_DEAD:
        return see_dead(w, &c);
    case CONTROL_END:
        return see_end(w, &c);
    default:
        return witness_break(w, WITNESS_LINES,
                             "a line came out that belongs to the way back");
    }
}

/* It writes what is neither an event nor a control line: say what it may be. */
static bool see_other(struct witness *w, struct slice line, bool reordered)
{
    const enum witness_promise which =
        w->hello_seen ? WITNESS_LINES : WITNESS_HELLO;
    const int shown = line.n < SHOWN ? (int)line.n : SHOWN;

    if (reordered) {
        return witness_break(w, which,
                             "it reorders members: \"dpp\" comes first in a "
                             "control line (jq -S?)");
    }
    if (line.n > 0 && line.n <= 2 && (line.p[0] == '{' || line.p[0] == '[')) {
        return witness_break(w, which,
                             "it writes one value over several lines: add -c");
    }
    return witness_break(w, which, "%s: %.*s",
                         w->hello_seen ? "it writes what is no event"
                                       : "it changes control lines",
                         shown, line.p);
}

bool witness_line(struct witness *w, struct slice line)
{
    struct event ev;
    struct err ignored;
    bool reordered = false;

    if (w->broken) {
        return false;
    }
    if (w->end_seen) {
        return witness_break(w, WITNESS_END,
                             "a line came out behind the end line");
    }
    if (control_is(line)) {
        return see_control(w, line);
    }
    if (event_parse(&ev, line, &reordered, &ignored) < 0) {
        return see_other(w, line, reordered);
    }
    if (!w->hello_seen) {
        return witness_break(w, WITNESS_HELLO, "the hello line is missing");
    }
    return see_event(w, &ev);
}
