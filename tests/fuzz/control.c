/* Control lines, events and positions: what is parsed is written and parsed
 * again the same; a line is never an event and a control line at once. */
#include "record/control.h"

#include "base/err.h"
#include "driver/must.h"
#include "record/event.h"
#include "record/pos.h"

static bool same(const struct control *a, const struct control *b)
{
    return a->kind == b->kind && slice_eq(a->run, b->run) &&
           slice_eq(a->name, b->name) && slice_eq(a->keys, b->keys) &&
           slice_eq(a->back, b->back) && slice_eq(a->pos, b->pos) &&
           a->v == b->v && a->seq == b->seq && a->n == b->n &&
           memcmp(&a->counts, &b->counts, sizeof a->counts) == 0 &&
           slice_eq(a->why, b->why) && slice_eq(a->event, b->event);
}

static void look_control(struct slice line)
{
    struct control c;
    struct control again;
    struct err e;
    struct buf b;

    if (control_parse(&c, line, &e) < 0) {
        FUZZ_MUST(e.status == STATUS_STREAM && e.text[0] != '\0');
        return;
    }
    buf_init(&b);
    control_write(&b, &c);
    FUZZ_MUST(b.n > 1 && b.p[b.n - 1] == '\n');
    const struct slice written = {b.p, b.n - 1};
    FUZZ_MUST(control_is(written));
    FUZZ_MUST(control_parse(&again, written, &e) == 0 && same(&c, &again));
    buf_release(&b);
}

static void look_event(struct slice line)
{
    struct event ev;
    struct event again;
    struct err e;
    bool reordered;
    struct buf b;

    if (event_parse(&ev, line, &reordered, &e) < 0) {
        FUZZ_MUST(e.text[0] != '\0');
        return;
    }
    FUZZ_MUST(!reordered);
    buf_init(&b);
    (void)event_value(&ev, &b);
    buf_clear(&b);
    event_write_dead(&b, &ev, SLICE("why \xff"), "fuzz");
    FUZZ_MUST(event_parse(&again, buf_slice(&b), &reordered, &e) == 0);
    FUZZ_MUST(slice_eq(again.id, ev.id) && slice_eq(again.data, ev.data));
    FUZZ_MUST(again.dpporigin.p == NULL);
    struct slice part[2];
    event_without_origin(&ev, part);
    buf_clear(&b);
    buf_append_slice(&b, part[0]);
    buf_append_slice(&b, part[1]);
    FUZZ_MUST(event_parse(&again, buf_slice(&b), &reordered, &e) == 0);
    FUZZ_MUST(again.dpporigin.p == NULL && slice_eq(again.data, ev.data));
    struct buf with;
    buf_init(&with);
    event_add_origin(&with, buf_slice(&b), "t", 7, UINT64_MAX);
    FUZZ_MUST(event_parse(&again, buf_slice(&with), &reordered, &e) == 0);
    FUZZ_MUST(slice_is(again.dpporigin, "\"t/7/18446744073709551615\""));
    buf_release(&with);
    buf_release(&b);
}

static void look_position(struct slice pos)
{
    struct slice rest = pos;
    struct slice key;
    struct slice value;
    struct err e;
    struct buf b;

    if (pos_check(pos, &e) < 0) {
        return;
    }
    buf_init(&b);
    pos_merge(&b, pos);
    FUZZ_MUST(pos_check(buf_slice(&b), &e) == 0);
    while (pos_next(&rest, &key, &value)) {
        FUZZ_MUST(pos_find(buf_slice(&b), key).p != NULL);
    }
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct slice line = {(const char *)data, n};

    if (memchr(data, '\n', n) != NULL) {
        return 0; /* a line has none */
    }
    if (control_is(line)) {
        look_control(line);
    } else {
        look_event(line);
    }
    look_position(line);
    return 0;
}
