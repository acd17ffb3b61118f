/* Event lines and Kafka records: thousands of random records and lines, hostile
 * ones among them, each there and back. */
#include <inttypes.h>
#include <stdlib.h>

#include "gen.h"
#include "kafka/form.h"
#include "kafka_test.h"
#include "record/control.h"
#include "record/json.h"
#include "unit.h"

#define COUNT(list)   (unsigned)(sizeof(list) / sizeof(list)[0])
#define PICK(g, list) (list)[gen_below(g, COUNT(list))]

static const struct slice names[] = {
    SLICE("ce_specversion"),
    SLICE("ce_id"),
    SLICE("ce_source"),
    SLICE("ce_type"),
    SLICE("ce_time"),
    SLICE("ce_subject"),
    SLICE("ce_partitionkey"),
    SLICE("ce_x"),
    SLICE("ce_y"),
    SLICE("ce_"),
    SLICE("ce_\xc3\xa4"),
    SLICE("ce_\xff"),
    SLICE("ce_\""),
    SLICE("ce_data"),
    SLICE("ce_dpp"),
    SLICE("ce_dpporigin"),
    SLICE("ce_dpphdr"),
    SLICE("ce_dppkey"),
    SLICE("ce_datacontenttype"),
    SLICE("content-type"),
    SLICE("Content-Type"),
    SLICE("dppjson"),
    SLICE("dpphdr_ce_id"),
    SLICE("dpphdr_dpphdr_content-type"),
    SLICE("dpphdr_content-type"),
    SLICE("dpphdr_x"),
    SLICE("dpphdr_dppjson"),
    SLICE("x"),
    SLICE("y"),
    SLICE(""),
    SLICE("a:b"),
    SLICE(":"),
    SLICE(": 2"),
    SLICE("\n"),
    SLICE("\xff"),
    SLICE(" x"),
    SLICE("a\0b"),
    SLICE("\xf0\x9f\x98\x80"),
};

static const struct slice values[] = {
    SLICE("1.0"),
    SLICE("1.1"),
    SLICE(""),
    SLICE("text"),
    SLICE("42"),
    SLICE("-0.10e1"),
    SLICE("true"),
    SLICE("null"),
    SLICE("\"x\""),
    SLICE("[1, {}]"),
    SLICE(" 1"),
    SLICE("1\n"),
    SLICE("\xff\xfe"),
    SLICE("a\0b"),
    SLICE("\x7f"),
    SLICE("a\tb"),
    SLICE(": x"),
    SLICE(" x "),
    SLICE("\\\"\xe2\x82\xac"),
    SLICE("k"),
    SLICE("kafka.record"),
    SLICE("top/3/42"),
    SLICE("top"),
    SLICE("2026-11-25T00:00:00.000Z"),
    SLICE("application/json"),
    SLICE("text/plain; a=b"),
    SLICE("application/cloudevents+avro"),
    SLICE("application/cloudevents+json"),
    SLICE(STRUCTURED),
    {NULL, 0},
};

static const struct slice keys[] = {
    {NULL, 0},  SLICE(""),      SLICE("k"),
    SLICE("k"), SLICE("k\"\n"), SLICE("\xff\0"),
};

static const struct slice bodies[] = {
    {NULL, 0},
    SLICE(""),
    SLICE("null"),
    SLICE("{\"a\":[0.1,1e2]}"),
    SLICE("{\n}"),
    SLICE("\xff"),
    SLICE(" 1"),
    SLICE("\"a\""),
    SLICE("text"),
    SLICE(LINE "}"),
    SLICE(LINE ",\"partitionkey\":\"k\"}"),
    SLICE("{\"partitionkey\":\"k\","
          "\"specversion\":\"1.0\",\"id\":\"1\","
          "\"source\":\"/s\",\"type\":\"t\"}"),
    SLICE(LINE ",\"dppkey\":\"aw==\"}"),
    SLICE(LINE ",\"dppkey\":null}"),
    SLICE(LINE ",\"dppkey\":7 ,\"partitionkey\":\"k\"}"),
    SLICE(LINE ",\"dpphdr\":\"x: y\"}"),
    SLICE(LINE ",\"dpphdr\":\"x: y\",\"data\":1} "),
    SLICE(LINE ",\"dpporigin\":\"t/0/1\"}"),
    SLICE(" { "
          "\"id\":\"1\",\n"
          "\"source\":\"s\" , \"specversion\":\"1.0\",\"type\":\"t\"\n}\n"),
    SLICE("{\"dppkey\":\"?\",\"specversion\":\"1.0\",\"id\":\"1\","
          "\"source\":\"/s\",\"type\":\"t\"}"),
    SLICE("{\"dpp\":\"end\",\"specversion\":\"1.0\",\"id\":\"1\",\"source\":"
          "\"/s\",\"type\":\"t\"}"),
    SLICE("{\"specversion\":\"1.0\",\"id\":\"top/3/42\",\"source\":\"top\","
          "\"type\":\"kafka.record\"}"),
};

static void shuffle(struct gen *g, struct header *h, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t k = gen_below(g, (unsigned)i);
        const struct header held = h[k];
        h[k] = h[i - 1];
        h[i - 1] = held;
    }
}

enum { HEADERS_MAX = 24 };

static void gen_record(struct gen *g, struct kafka_record *r, struct header *h)
{
    static const struct header event[] = {CE};
    const unsigned kind = gen_below(g, 8);
    size_t n = 0;

    if (kind < 5) {
        memcpy(h, event, sizeof event);
        n = 4;
    }
    if (kind > 5) {
        h[n++] = (struct header){SLICE("content-type"), SLICE(STRUCTURED)};
    }
    for (unsigned more = gen_below(g, 2 + gen_below(g, 10)); more > 0; more--) {
        h[n] = (struct header){PICK(g, names), PICK(g, values)};
        n++;
        if (gen_below(g, 8) == 0) {
            h[n++] = (struct header){SLICE("dppjson"), SLICE("")};
        }
    }
    if (gen_below(g, 3) == 0) {
        shuffle(g, h, n);
    }
    *r = (struct kafka_record){PICK(g, keys), PICK(g, bodies), -1, h, n};
    if (gen_below(g, 2) == 0) {
        r->time_ms = (int64_t)(gen_next(g) % 253402300800000);
    }
}

static bool same_but_line_ends(struct slice a, struct slice b)
{
    bool equal = a.n == b.n;

    for (size_t i = 0; equal && i < a.n; i++) {
        equal = a.p[i] == b.p[i] ||
                (b.p[i] == ' ' && (a.p[i] == '\n' || a.p[i] == '\r'));
    }
    return equal;
}

/* 0 not as it was, else 1 an event, 2 a structured one, 3 a foreign one. */
static int record_returns(const struct kafka_record *r, struct buf *line)
{
    struct kafka_record want = *r;
    struct kafka_record again;
    struct event ev;

    buf_clear(line);
    kafka_record_decode(&back, r, "top", 3, 42, line);
    if (!parse(&ev, buf_slice(line)) || control_is(buf_slice(line)) ||
        memchr(line->p, '\n', line->n) != NULL || ev.dpporigin.p != NULL) {
        return 0;
    }
    kafka_record_encode(&there, &ev, KAFKA_BINARY, &again);
    if (same_record(r, &again)) {
        return !kafka_event_is_foreign(&ev)  ? 1
               : again.time_ms == r->time_ms ? 3
                                             : 0;
    }
    kafka_record_encode(&there, &ev, KAFKA_STRUCTURED, &again);
    if (same_but_line_ends(r->value, again.value)) {
        want.value = again.value;
    }
    return same_record(&want, &again) ? 2 : 0;
}

static void test_records(uint64_t seed)
{
    enum { ROUNDS = 40000 };
    struct gen g = {.state = seed};
    struct header h[HEADERS_MAX];
    struct kafka_record r;
    struct buf line;
    unsigned kinds[4] = {0};

    buf_init(&line);
    for (int i = 0; i < ROUNDS && kinds[0] == 0; i++) {
        gen_record(&g, &r, h);
        const int kind = record_returns(&r, &line);
        kinds[kind]++;
        if (kind == 0) {
            show_record(&r);
            show("line", buf_slice(&line));
        }
    }
    buf_release(&line);
    unit_check(kinds[0] == 0,
               "random records come back as they were: %u events, %u "
               "structured, %u foreign (DPP_SEED=%" PRIu64 ")",
               kinds[1], kinds[2], kinds[3], seed);
    unit_check(kinds[1] > ROUNDS / 10 && kinds[2] > ROUNDS / 50 &&
                   kinds[3] > ROUNDS / 10,
               "and there are many of each kind");
}

/* Text that an attribute or a header may have. */
static void put_text(struct gen *g, struct buf *b)
{
    struct slice v;

    do {
        v = PICK(g, values);
    } while (v.p == NULL || !utf8_valid(v) ||
             (v.n > 0 && strchr("aA", v.p[0]) != NULL));
    json_encode(b, v);
}

static void put_headers(struct gen *g, struct buf *b)
{
    struct buf text;
    unsigned n = 1 + gen_below(g, 4);

    buf_init(&text);
    while (n-- > 0) {
        struct header h = {PICK(g, names), PICK(g, values)};
        if (h.value.n == 0 || h.value.p[0] != 'a') {
            header_put(&text, &h);
        }
    }
    if (text.n == 0) {
        buf_puts(&text, "x: y");
    }
    json_encode(b, buf_slice(&text));
    buf_release(&text);
}

/* A line as dpp writes it, its members in any order. */
static void gen_line(struct gen *g, struct buf *b)
{
    static const char *const member[] = {
        "specversion",     "id",   "source", "type", "partitionkey",
        "dpphdr",          "time", "x1",     "x2",   "traceparent",
        "datacontenttype", "dppx",
    };
    static const struct slice types[] = {SLICE("application/json"),
                                         SLICE("text/plain")};
    unsigned at[COUNT(member)] = {0};
    struct slice type = {NULL, 0};

    for (unsigned i = 0; i < COUNT(member); i++) {
        const unsigned k = gen_below(g, i + 1);
        at[i] = at[k];
        at[k] = i;
    }
    buf_putc(b, '{');
    const unsigned lead = gen_below(g, 12); /* null: not without a key */
    if (lead < 2) {
        buf_puts(b, lead == 0 ? "\"dppkey\":\"/w==\"," : "\"dppkey\":null,");
    }
    for (unsigned i = 0; i < COUNT(member); i++) {
        const unsigned m = at[i];
        if (m > 3 && gen_below(g, 2) == 0 && (m != 4 || lead != 1)) {
            continue;
        }
        buf_printf(b, "\"%s\":", member[m]);
        if (m == 0) {
            buf_puts(b, "\"1.0\"");
        } else if (m == 5) {
            put_headers(g, b);
        } else if (m == 10) {
            type = PICK(g, types);
            json_encode(b, type);
        } else if (m > 6 && m < 9 && gen_below(g, 2) == 0) {
            buf_puts(b, gen_below(g, 2) == 0 ? "[1, 2]" : "-0.10");
        } else {
            put_text(g, b);
        }
        buf_putc(b, ',');
    }
    b->n--;
    const struct slice body = PICK(g, bodies);
    if (body.p != NULL) {
        event_write_value(b, type, body);
    }
    buf_putc(b, '}');
}

/* Where the event came from, first or last, is in no record. */
static bool same_without_origin(const struct kafka_record *r, struct slice line,
                                enum kafka_mode mode, struct buf *room)
{
    static const char first[] = "{\"dpporigin\":\"t/0/1\",";
    struct kafka_record again;
    struct event ev;
    bool good = true;

    for (int last = 0; last <= 1 && good; last++) {
        buf_clear(room);
        if (last == 1) {
            event_add_origin(room, line, "t", 0, 1);
        } else {
            buf_append(room, first, sizeof first - 1);
            buf_append(room, line.p + 1, line.n - 1);
        }
        good = parse(&ev, buf_slice(room));
        if (good) {
            kafka_record_encode(&back, &ev, mode, &again);
            good = same_record(r, &again) && again.time_ms == r->time_ms;
        }
    }
    return good;
}

static void test_lines(uint64_t seed)
{
    enum { ROUNDS = 40000 };
    struct gen g = {.state = seed};
    struct buf line;
    struct buf again;
    struct event ev;
    struct kafka_record r;
    bool good = true;
    bool same = true;

    buf_init(&line);
    buf_init(&again);
    for (int i = 0; i < ROUNDS && good && same; i++) {
        buf_clear(&line);
        gen_line(&g, &line);
        good = parse(&ev, buf_slice(&line));
        for (int mode = KAFKA_BINARY;
             mode <= KAFKA_STRUCTURED && good && !kafka_event_is_foreign(&ev);
             mode++) {
            kafka_record_encode(&there, &ev, (enum kafka_mode)mode, &r);
            same = same && same_without_origin(&r, buf_slice(&line),
                                               (enum kafka_mode)mode, &again);
            buf_clear(&again);
            kafka_record_decode(&back, &r, "top", 3, 42, &again);
            good = slice_eq(buf_slice(&line), buf_slice(&again));
        }
        if (!good || !same) {
            show("line ", buf_slice(&line));
            show_record(&r);
            show("again", buf_slice(&again));
        }
    }
    buf_release(&line);
    buf_release(&again);
    unit_check(good,
               "random lines come back in both modes (DPP_SEED=%" PRIu64 ")",
               seed);
    unit_check(same, "and where they came from makes no other record");
}

int main(void)
{
    const uint64_t seed = getenv("DPP_SEED") != NULL ? gen_seed() : 20261125;

    test_records(seed);
    test_lines(seed);
    kafka_scratch_release(&there);
    kafka_scratch_release(&back);
    return unit_end();
}
