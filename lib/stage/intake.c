#include "stage/intake.h"

#include <stdio.h>

#include "base/err.h"
#include "record/json.h"

enum { UNMARKED_MAX = 64 << 20 };

void intake_init(struct intake *in, int fd, uint64_t max_event)
{
    *in = (struct intake){.max_event = max_event, .first = true};
    lines_init(&in->lines, fd, lines_limit(max_event));
}

void intake_release(struct intake *in)
{
    lines_release(&in->lines);
    buf_release(&in->made);
    buf_release(&in->reason);
}

int intake_fill(struct intake *in, struct err *e)
{
    return lines_fill(&in->lines, e);
}

/* Bytes that are no event become one, and it is dead. */
static int wrap(struct intake *in, struct item *it, const char *why)
{
    bool reordered;
    struct err never;
    const size_t keep =
        it->line.n < LINES_KEEP ? it->line.n : (size_t)LINES_KEEP;

    buf_clear(&in->made);
    event_wrap_invalid(&in->made, (struct slice){it->line.p, keep});
    (void)event_parse(&it->event, buf_slice(&in->made), &reordered, &never);
    buf_clear(&in->reason);
    buf_puts(&in->reason, why);
    it->why = buf_slice(&in->reason);
    it->kind = ITEM_DEAD;
    in->received++;
    return 0;
}

/* A source marks each 64 KiB. What a filter makes of that may be more, but a
 * batch without end is a filter that swallows marks. */
static int count_unmarked(struct intake *in, size_t n, struct err *e)
{
    in->unmarked += n;
    return in->protocol && in->unmarked > UNMARKED_MAX
               ? err_set(e, STATUS_STREAM,
                         "no mark within %d MiB of events: a filter swallows "
                         "marks",
                         UNMARKED_MAX >> 20)
               : 0;
}

static uint64_t value_size(const struct event *ev)
{
    return ev->data.p != NULL ? ev->data.n : ev->data_base64.n / 4 * 3;
}

static int take_event(struct intake *in, struct item *it, struct err *e)
{
    bool reordered;
    struct err why;

    if (in->ended) {
        return err_set(e, STATUS_STREAM, "an event behind the end line");
    }
    if (event_parse(&it->event, it->line, &reordered, &why) < 0) {
        return reordered
                   ? err_set(e, STATUS_STREAM,
                             "a control line whose first member is not "
                             "\"dpp\": a filter reorders members (jq -S?)")
                   : wrap(in, it, why.text);
    }
    const uint64_t size = value_size(&it->event);
    if (size > in->max_event) {
        char text[96];
        (void)snprintf(text, sizeof text,
                       "a value of %llu bytes is larger than --max-event",
                       (unsigned long long)size);
        return wrap(in, it, text);
    }
    it->kind = ITEM_EVENT;
    in->received++;
    return 0;
}

/* -r: a line is a value, and becomes an event. */
static int make_event(struct intake *in, struct item *it, struct err *e)
{
    const bool json = json_valid(it->line);
    const bool text = json || utf8_valid(it->line);
    const struct event_parts parts = {
        .source = SLICE("/dpp/raw"),
        .type = SLICE("dpp.raw"),
        .datacontenttype = json   ? SLICE("application/json")
                           : text ? SLICE("text/plain; charset=utf-8")
                                  : SLICE("application/octet-stream"),
        .value = it->line,
    };
    bool reordered;

    if (it->line.n > in->max_event) {
        return wrap(in, it, "a value larger than --max-event");
    }
    buf_clear(&in->made);
    event_write(&in->made, &parts);
    if (event_parse(&it->event, buf_slice(&in->made), &reordered, e) < 0) {
        return err_wrap(e, "an event of our own");
    }
    it->kind = ITEM_EVENT;
    in->received++;
    return 0;
}

static int take_hello(struct intake *in, struct item *it, struct err *e)
{
    const struct control *c = &it->control;

    if (c->run.n != CONTROL_RUN || c->v != 1) {
        return err_set(e, STATUS_STREAM,
                       "a hello line of version %llu (this is version 1)",
                       (unsigned long long)c->v);
    }
    if (in->protocol && slice_is(c->run, in->run)) {
        it->kind = ITEM_NONE; /* said again until it is answered */
        return 0;
    }
    if (!in->first && !in->ended) {
        return err_set(e, STATUS_STREAM, "a hello line in mid-stream");
    }
    memcpy(in->run, c->run.p, CONTROL_RUN);
    in->run[CONTROL_RUN] = '\0';
    in->protocol = true;
    in->ended = false;
    in->seq = 0;
    in->received = 0;
    it->kind = ITEM_HELLO;
    return 0;
}

static int take_dead(struct intake *in, struct item *it, struct err *e)
{
    bool reordered;
    struct err why;

    if (in->ended) {
        return err_set(e, STATUS_STREAM, "a dead line behind the end line");
    }
    buf_clear(&in->reason);
    json_decode(&in->reason, it->control.why);
    it->why = buf_slice(&in->reason);
    if (event_parse(&it->event, it->control.event, &reordered, &why) < 0) {
        it->line = it->control.event;
        return wrap(in, it, why.text);
    }
    it->kind = ITEM_DEAD;
    in->received++;
    return 0;
}

/* mark and end carry the run, and marks come in order: payload cannot speak
 * the protocol. */
static int take_mark(struct intake *in, struct item *it, struct err *e)
{
    const struct control *c = &it->control;
    const char *name = c->kind == CONTROL_MARK ? "mark" : "end";

    if (!in->protocol) {
        return err_set(e, STATUS_STREAM, "%s %s line without a hello before it",
                       c->kind == CONTROL_MARK ? "a" : "an", name);
    }
    if (!slice_is(c->run, in->run)) {
        return err_set(e, STATUS_STREAM,
                       "%s line of another run: forged, or "
                       "a filter mixes two streams",
                       name);
    }
    if (c->kind == CONTROL_MARK) {
        if (c->seq != in->seq + 1) {
            return err_set(e, STATUS_STREAM,
                           "mark %llu follows mark %llu: a filter drops, "
                           "repeats or reorders control lines",
                           (unsigned long long)c->seq,
                           (unsigned long long)in->seq);
        }
        in->seq = c->seq;
        in->unmarked = 0;
        it->kind = ITEM_MARK;
        return 0;
    }
    if (in->received > 0) {
        return err_set(e, STATUS_STREAM,
                       "events between the last mark and the end line");
    }
    in->protocol = false;
    in->ended = true;
    it->kind = ITEM_END;
    return 0;
}

static int take_control(struct intake *in, struct item *it, struct err *e)
{
    if (control_parse(&it->control, it->line, e) < 0) {
        return -1;
    }
    switch (it->control.kind) {
    case CONTROL_HELLO:
        return take_hello(in, it, e);
    case CONTROL_MARK:
    case CONTROL_END:
        return take_mark(in, it, e);
    case CONTROL_DEAD:
        return take_dead(in, it, e);
    default:
        return err_set(e, STATUS_STREAM, "a line that belongs to the way back");
    }
}

static int at_eof(struct intake *in, struct item *it, struct err *e)
{
    it->kind = ITEM_NONE;
    if (!in->lines.eof) {
        return 0;
    }
    if (in->protocol) {
        return err_set(e, STATUS_NEIGHBOUR,
                       "the input ended without an end line: the stage "
                       "before this one died");
    }
    it->kind = ITEM_EOF;
    return 0;
}

static bool blank(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (strchr(" \t\r", s.p[i]) == NULL) {
            return false;
        }
    }
    return true;
}

int intake_next(struct intake *in, struct item *it, struct err *e)
{
    char why[160];

    do {
        *it = (struct item){.kind = ITEM_NONE};
        const bool whole = in->protocol || in->ended;
        if (lines_next(&in->lines, &it->line, whole, why) == 0) {
            return at_eof(in, it, e);
        }
        int rc = 0;
        if (why[0] != '\0') {
            rc = wrap(in, it, why);
        } else if (in->raw) {
            rc = make_event(in, it, e);
        } else if (control_is(it->line)) {
            rc = take_control(in, it, e);
        } else if (!blank(it->line)) {
            rc = take_event(in, it, e);
        } else {
            continue;
        }
        if (rc < 0 || count_unmarked(in, it->line.n, e) < 0) {
            return -1;
        }
        in->first = false;
    } while (it->kind == ITEM_NONE);
    return 0;
}
