/* Kafka records: whatever a record holds is read as an event line, which is
 * written as that record again; and a line that becomes a record is read as
 * one that becomes the same.
 *
 * The input is a record's fields: key, value, and names and values of headers
 * by turns, with U+001E between them; one that is U+001D is null. */
#include "kafka/record.h"

#include "base/err.h"
#include "driver/must.h"
#include "kafka/form.h"
#include "record/control.h"
#include "record/event.h"

enum { HEADERS_MAX = 2000 };

static struct kafka_scratch scratch;
static struct kafka_scratch other;

static bool same(struct slice a, struct slice b)
{
    return (a.p == NULL) == (b.p == NULL) && slice_eq(a, b);
}

static bool same_record(const struct kafka_record *a,
                        const struct kafka_record *b)
{
    bool equal = a->n == b->n && same(a->key, b->key);

    for (size_t i = 0; equal && i < a->n; i++) {
        equal = same(a->headers[i].name, b->headers[i].name) &&
                same(a->headers[i].value, b->headers[i].value);
    }
    return equal;
}

/* A structured value on several lines becomes one line. */
static bool same_but_line_ends(struct slice a, struct slice b)
{
    bool equal = a.n == b.n;

    for (size_t i = 0; equal && i < a.n; i++) {
        equal = a.p[i] == b.p[i] ||
                (b.p[i] == ' ' && (a.p[i] == '\n' || a.p[i] == '\r'));
    }
    return equal;
}

static void parse(struct event *ev, struct slice line)
{
    struct err e;
    bool reordered;

    FUZZ_MUST(event_parse(ev, line, &reordered, &e) == 0);
}

static void look_record(const struct kafka_record *r)
{
    struct kafka_record again;
    struct event ev;
    struct buf line;

    buf_init(&line);
    kafka_record_decode(&scratch, r, "top", 3, 42, &line);
    parse(&ev, buf_slice(&line));
    FUZZ_MUST(!control_is(buf_slice(&line)) && ev.dpporigin.p == NULL);
    FUZZ_MUST(memchr(line.p, '\n', line.n) == NULL &&
              memchr(line.p, '\r', line.n) == NULL);
    kafka_record_encode(&other, &ev, KAFKA_BINARY, &again);
    if (same_record(r, &again) && same(r->value, again.value)) {
        FUZZ_MUST(!kafka_event_is_foreign(&ev) || r->time_ms == again.time_ms);
    } else {
        kafka_record_encode(&other, &ev, KAFKA_STRUCTURED, &again);
        FUZZ_MUST(same_record(r, &again) &&
                  same_but_line_ends(r->value, again.value));
    }
    buf_release(&line);
}

static struct slice next_field(struct slice *rest)
{
    const char *end = memchr(rest->p, '\x1e', rest->n);
    const size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
    const struct slice field = {rest->p, n};

    rest->p += n + (end != NULL);
    rest->n -= n + (end != NULL);
    return slice_is(field, "\x1d") ? (struct slice){NULL, 0} : field;
}

static void look_fields(struct slice text)
{
    static struct header h[HEADERS_MAX];
    struct kafka_record r = {.headers = h,
                             .time_ms = (int64_t)text.n * 1000003 - 1000003};

    r.key = next_field(&text);
    r.value = next_field(&text);
    while (text.n > 0 && r.n < HEADERS_MAX) {
        h[r.n].name = next_field(&text);
        h[r.n].value = next_field(&text);
        if (h[r.n].name.p != NULL) {
            r.n++;
        }
    }
    if (r.time_ms < 0) {
        r.time_ms = -1;
    }
    look_record(&r);
}

static void look_line(struct slice line)
{
    static struct header h[HEADERS_MAX];
    struct kafka_record r;
    struct event ev;
    struct err e;
    bool reordered;

    if (control_is(line) || event_parse(&ev, line, &reordered, &e) < 0) {
        return;
    }
    for (int mode = KAFKA_BINARY; mode <= KAFKA_STRUCTURED; mode++) {
        struct kafka_scratch held;
        kafka_scratch_init(&held);
        kafka_record_encode(&held, &ev, (enum kafka_mode)mode, &r);
        if (r.n > 0 && r.n <= HEADERS_MAX) {
            memcpy(h, r.headers, r.n * sizeof h[0]);
            r.headers = h;
            look_record(&r);
        }
        kafka_scratch_release(&held);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct slice text = {(const char *)data, n};

    look_line(text);
    look_fields(text);
    return 0;
}
