/* The event line, control lines and positions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "record/control.h"
#include "record/event.h"
#include "record/json.h"
#include "record/pos.h"
#include "unit.h"

static bool parses(const char *line, struct event *ev, struct err *e)
{
    bool reordered;

    return event_parse(ev, slice_of(line), &reordered, e) == 0;
}

static bool has_key(const char *members, const char *key)
{
    char line[300];
    struct event ev;
    struct err e;
    struct buf room;

    (void)snprintf(line, sizeof line,
                   "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\","
                   "\"type\":\"t\"%s}",
                   members);
    buf_init(&room);
    const struct slice k = parses(line, &ev, &e)
                               ? event_key(&ev, &room)
                               : (struct slice){"not parsed", 10};
    const bool good =
        key == NULL ? k.p == NULL : k.p != NULL && slice_is(k, key);
    buf_release(&room);
    return good;
}

static void test_key(void)
{
    unit_check(has_key("", NULL), "an event without a key has none");
    unit_check(has_key(",\"partitionkey\":\"k\"", "k") &&
                   has_key(",\"partitionkey\":\"a\\u0041\\n\"", "aA\n"),
               "partitionkey orders events, by its text");
    unit_check(has_key(",\"partitionkey\":\"\"", "") &&
                   has_key(",\"dppkey\":\"\",\"partitionkey\":\"k\"", ""),
               "an empty key is one");
    unit_check(
        has_key(",\"dppkey\":\"/v8=\"", "\xfe\xff") &&
            has_key(",\"partitionkey\":\"k\",\"dppkey\":\"aw==\"", "k") &&
            has_key(",\"partitionkey\":\"k\",\"dppkey\":\"/v8=\"", "\xfe\xff"),
        "the key that a record had goes before");
    unit_check(
        has_key(",\"dppkey\":null", NULL) &&
            has_key(",\"dppkey\":null,\"partitionkey\":\"k\"", "k") &&
            has_key(",\"dppkey\":\"?\",\"partitionkey\":\"\\u006b\"", "k") &&
            has_key(",\"dppkey\":7", NULL),
        "a record without a key, and what is no base 64, leave it to "
        "partitionkey");
}

static void test_members(void)
{
    static const char line[] =
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":"
        "\"t\",\"x\":{\"id\":\"2\"},\"data\":{\"a\":[1e2,0.10]}}";
    struct event ev;
    struct err e;

    unit_check(parses(line, &ev, &e), "an event with its members is one");
    unit_check(slice_is(ev.id, "\"1\"") && slice_is(ev.type, "\"t\""),
               "members are found as they stand, at the top level only");
    unit_check(slice_is(ev.data, "{\"a\":[1e2,0.10]}"),
               "data keeps the text of its numbers");
    unit_check(ev.partitionkey.p == NULL, "a member that is not there is NULL");
    unit_check(
        !parses("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\"}", &ev,
                &e) &&
            strstr(e.text, "\"type\"") != NULL,
        "a missing member is named");
    unit_check(!parses("{\"specversion\":\"1.0\",\"id\":\"1\",\"id\":\"2\","
                       "\"source\":\"s\",\"type\":\"t\"}",
                       &ev, &e) &&
                   strstr(e.text, "twice") != NULL,
               "a member of the envelope that comes twice is refused");
    unit_check(parses("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                      "\"type\":\"t\",\"data\":{\"a\":1,\"a\":2}}",
                      &ev, &e),
               "members that come twice inside data are left alone");
    unit_check(
        !parses("{\"dpporigin\":\"t/0/1\",\"dpp\":\"end\","
                "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":"
                "\"s\",\"type\":\"t\"}",
                &ev, &e) &&
            strstr(e.text, "\"dpp\"") != NULL,
        "what would be a control line without its dpporigin is no event");
    unit_check(!parses("{\"specversion\":\"1.0\",\"id\":7,\"source\":\"s\","
                       "\"type\":\"t\"}",
                       &ev, &e),
               "an id that is no string is refused");
    unit_check(!parses("{\"specversion\":\"1.0\",\"id\":\"\xff\",\"source\":"
                       "\"s\",\"type\":\"t\"}",
                       &ev, &e),
               "invalid UTF-8 is refused");
}

static void test_origin(void)
{
    static const char *const lines[] = {
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":"
        "\"t\"}",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
        "\"data\":[1, 2]}",
    };
    struct event ev;
    struct err e;
    struct slice part[2];
    struct buf b;
    struct buf back;

    buf_init(&b);
    buf_init(&back);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        buf_clear(&b);
        buf_clear(&back);
        event_add_origin(&b, slice_of(lines[i]), "orders", 3,
                         18446744073709551615ULL);
        unit_check(
            parses(buf_cstr(&b), &ev, &e) &&
                slice_is(ev.dpporigin, "\"orders/3/18446744073709551615\""),
            "the origin is put behind the other members");
        event_without_origin(&ev, part);
        buf_append_slice(&back, part[0]);
        buf_append_slice(&back, part[1]);
        unit_check(slice_is(buf_slice(&back), lines[i]),
                   "and taken out again, byte for byte");
    }
    static const char first[] = "{ \"dpporigin\":\"x/0/1\" ,\"specversion\":"
                                "\"1.0\",\"id\":\"1\",\"source\":\"s\","
                                "\"type\":\"t\"}";
    (void)parses(first, &ev, &e);
    event_without_origin(&ev, part);
    buf_clear(&back);
    buf_append_slice(&back, part[0]);
    buf_append_slice(&back, part[1]);
    unit_check(parses(buf_cstr(&back), &ev, &e) && ev.dpporigin.p == NULL,
               "an origin that a filter put first can be taken out too");
    buf_release(&b);
    buf_release(&back);
}

static const char *value_member(struct buf *b, const char *type,
                                struct slice value)
{
    struct event ev;
    struct err e;
    const struct event_parts parts = {.source = SLICE("s"),
                                      .type = SLICE("t"),
                                      .datacontenttype = slice_of(type),
                                      .value = value};

    buf_clear(b);
    event_write(b, &parts);
    if (!parses(buf_cstr(b), &ev, &e)) {
        return "no event";
    }
    struct buf out;
    buf_init(&out);
    const bool same =
        event_value(&ev, &out) == 1 && slice_eq(buf_slice(&out), value);
    buf_release(&out);
    return !same ? "changed" : ev.data.p != NULL ? "data" : "data_base64";
}

static void test_values(void)
{
    static const struct {
        const char *type;
        struct slice value;
        const char *member;
        const char *what;
    } cases[] = {
        {"application/json", SLICE("{\"a\":12345678901234567890}"), "data",
         "JSON is spliced in"},
        {"application/vnd.x+json; charset=utf-8", SLICE("1e400"), "data",
         "so is +json, and a number no double holds"},
        {"application/json", SLICE("\"\\u0000\""), "data", "and \\u0000"},
        {"application/json", SLICE("{\n\"a\":1}"), "data_base64",
         "JSON with a line end goes to base 64"},
        {"application/json", SLICE(" 1"), "data_base64",
         "so does JSON with a blank at an end"},
        {"application/json", SLICE("{\"a\":}"), "data_base64",
         "and what is no JSON"},
        {"application/json", SLICE("\"\xc3\""), "data_base64",
         "and invalid UTF-8"},
        {"text/plain", SLICE("1"), "data_base64", "and another type"},
        {"application/json", SLICE(""), "data_base64", "and an empty body"},
        {"application/octet-stream", SLICE("\0\x01\xff"), "data_base64",
         "and bytes"},
    };
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = value_member(&b, cases[i].type, cases[i].value);
        unit_check(strcmp(got, cases[i].member) == 0, "%s (%s)", cases[i].what,
                   got);
    }
    buf_release(&b);
}

/* What others write: dpp itself has no strings under another type. */
static void test_text(void)
{
    static const struct {
        const char *type;
        const char *data;
        const char *value;
        const char *what;
    } cases[] = {
        {"text/xml", "\"<a b=\\\"\\u00e9\\\"/>\"", "<a b=\"\xc3\xa9\"/>",
         "a string under another type than JSON is its text"},
        {"application/x+json", "\"a\"", "\"a\"", "under JSON it is JSON"},
        {"text/plain", "{\"a\":\"b\"}", "{\"a\":\"b\"}",
         "an object is JSON under any type"},
    };
    struct event ev;
    struct err e;
    struct buf line;
    struct buf out;

    buf_init(&line);
    buf_init(&out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&line);
        buf_clear(&out);
        buf_printf(&line,
                   "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                   "\"type\":\"t\",\"datacontenttype\":\"%s\",\"data\":%s}",
                   cases[i].type, cases[i].data);
        unit_check(parses(buf_cstr(&line), &ev, &e) &&
                       event_value(&ev, &out) == 1 &&
                       slice_is(buf_slice(&out), cases[i].value),
                   "%s", cases[i].what);
    }
    buf_release(&line);
    buf_release(&out);
}

static void test_controls(void)
{
    struct control c = {.kind = CONTROL_MARK,
                        .run = SLICE("0123456789abcdef0123456789abcdef"),
                        .seq = 9007199254740992ULL,
                        .n = 180,
                        .pos = SLICE("x:1"),
                        .counts = {.dropped = 2, .net = -3}};
    struct control d;
    struct err e;
    struct buf b;

    buf_init(&b);
    control_write(&b, &c);
    b.n--;
    unit_check(control_is(buf_slice(&b)) &&
                   control_parse(&d, buf_slice(&b), &e) == 0 &&
                   d.seq == c.seq && d.n == 180 && d.counts.dropped == 2 &&
                   d.counts.net == -3 && slice_eq(d.pos, c.pos),
               "a mark that is written reads the same");
    unit_check(control_is(SLICE(" { \"dpp\" : \"end\" }")) &&
                   !control_is(SLICE("{\"x\":1,\"dpp\":\"end\"}")) &&
                   !control_is(SLICE("{\"dppx\":1}")),
               "a control line has dpp as its first member");
    static const char *const bad[] = {
        "{\"dpp\":\"mark\",\"run\":\"a\",\"seq\":1}",
        "{\"dpp\":\"mark\",\"run\":\"a\",\"seq\":1.5,\"n\":1}",
        "{\"dpp\":\"mark\",\"run\":\"a\",\"seq\":9007199254740993,\"n\":1}",
        "{\"dpp\":\"mark\",\"run\":\"a\",\"seq\":1,\"seq\":2,\"n\":1}",
        "{\"dpp\":\"mark\",\"run\":\"\\u0061\",\"seq\":1,\"n\":1}",
        "{\"dpp\":\"seven\",\"run\":\"a\"}",
        "{\"dpp\":\"dead\",\"why\":\"x\",\"event\":[]}",
        "{\"dpp\":\"end\",\"run\":\"a\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unit_check(control_parse(&d, slice_of(bad[i]), &e) < 0, "refused: %s",
                   bad[i]);
    }
    buf_release(&b);
}

static void test_positions(void)
{
    struct buf a;
    struct buf b;
    struct err e;

    buf_init(&a);
    buf_init(&b);
    pos_put(&a, SLICE("t/0"), SLICE("5@1.ab"));
    pos_put(&a, SLICE("t/1"), SLICE("9@1.ab"));
    pos_seal(&a);
    unit_check(pos_check(buf_slice(&a), &e) == 0, "a sealed position is whole");
    unit_check(slice_is(pos_find(buf_slice(&a), SLICE("t/1")), "9@1.ab") &&
                   pos_find(buf_slice(&a), SLICE("t/2")).p == NULL,
               "values are found by key");
    pos_put(&b, SLICE("t/1"), SLICE("10@1.ab"));
    pos_put(&b, SLICE("u/0"), SLICE("1@1.ab"));
    pos_seal(&b);
    pos_merge(&a, buf_slice(&b));
    unit_check(pos_check(buf_slice(&a), &e) == 0 &&
                   slice_is(pos_find(buf_slice(&a), SLICE("t/0")), "5@1.ab") &&
                   slice_is(pos_find(buf_slice(&a), SLICE("t/1")), "10@1.ab") &&
                   slice_is(pos_find(buf_slice(&a), SLICE("u/0")), "1@1.ab"),
               "positions merge by key");
    bool all = true;
    for (size_t i = 0; i < a.n; i++) {
        a.p[i] ^= 1;
        all = all && pos_check(buf_slice(&a), &e) < 0;
        a.p[i] ^= 1;
    }
    unit_check(all, "a position with any byte changed is refused");
    buf_release(&a);
    buf_release(&b);
}

/* Does event_walk_next() see what a walk of the text sees? */
static bool walks_alike(const char *line)
{
    struct json_walk text;
    struct event_walk w;
    struct event ev;
    struct err e;
    struct slice want[2];
    struct slice got[2];
    bool alike = parses(line, &ev, &e);

    json_walk_init(&text, slice_of(line));
    event_walk_init(&w, &ev);
    while (alike && json_walk_next(&text, &want[0], &want[1]) == 1) {
        alike = event_walk_next(&w, &got[0], &got[1]) &&
                got[0].p == want[0].p && got[0].n == want[0].n &&
                got[1].p == want[1].p && got[1].n == want[1].n;
    }
    return alike && !event_walk_next(&w, &got[0], &got[1]);
}

static void test_walk(void)
{
#define KNOWN                                                                  \
    "\"specversion\":\"1.0\",\"id\" : \"1\",\"source\":\"s\",\"type\":\"t\","  \
    "\"time\":\"\",\"subject\":\"\\\"\" , \"data\":{\"id\":[1]},"              \
    "\"datacontenttype\":\"a\",\"partitionkey\":\"k\",\"dpporigin\":\"t/0/"    \
    "1\","                                                                     \
    "\"dpphdr\":\"\",\"dppkey\":null"
#define STRANGE                                                                \
    "\"\":1,\"i\":2,\"if\":3,\"idx\":4,\"tyme\":5,\"dato\":6,\"dppka\":7,"     \
    "\"dppkez\":8,\"subjekt\":9,\"datatype\":10,\"dppxrigin\":11,"             \
    "\"datacontent\":12,\"data_base65\":13,\"specversiom\":14,"                \
    "\"partitionkex\":15,\"datacontenttypx\":16,\"datacontenttypes\":17"
    struct event ev;
    struct err e;

    unit_check(walks_alike("{" KNOWN "," STRANGE "}") &&
                   walks_alike(" { " STRANGE " , " KNOWN " } "),
               "a walk gives each member where it stands, however many");
    unit_check(parses("{" STRANGE "," KNOWN "}", &ev, &e) &&
                   slice_is(ev.id, "\"1\"") && slice_is(ev.type, "\"t\"") &&
                   slice_is(ev.dppkey, "null") && ev.data_base64.p == NULL,
               "a name that is nearly a member's is another");
    unit_check(!parses("{" KNOWN ",\"i\\u0064\":\"2\"}", &ev, &e) &&
                   strstr(e.text, "escape") != NULL,
               "an escape in a member's name is refused");
#undef KNOWN
#undef STRANGE
}

static void test_dead(void)
{
    struct event ev;
    struct err e;
    struct buf b;
    struct buf again;

    buf_init(&b);
    buf_init(&again);
    (void)parses("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
                 "\"type\":\"t\",\"data\":1e2,\"dpporigin\":\"t/0/4\"}",
                 &ev, &e);
    event_write_dead(&b, &ev, SLICE("no \"x\"\n"), "dpp-test");
    unit_check(parses(buf_cstr(&b), &ev, &e) && slice_is(ev.data, "1e2") &&
                   ev.dpporigin.p == NULL &&
                   strstr(b.p, "\"deadorigin\":\"t/0/4\"") != NULL &&
                   strstr(b.p, "\"deadreason\":\"no \\\"x\\\"\\n\"") != NULL,
               "a dead letter is the event with the reason and its origin");
    event_write_dead(&again, &ev, SLICE("second"), "dpp-test");
    unit_check(parses(buf_cstr(&again), &ev, &e) &&
                   strstr(again.p, "no \\\"x") == NULL,
               "one that dies again carries the last reason only");
    buf_release(&b);
    buf_release(&again);
}

/* Base 64 by the book: what comes in six bits at a time. */
static void plain_base64(struct buf *out, const unsigned char *p, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                  "stuvwxyz0123456789+/";

    for (size_t bit = 0; bit < n * 8; bit += 6) {
        unsigned six = 0;
        for (size_t i = bit; i < bit + 6; i++) {
            six = six << 1 |
                  (i < n * 8 ? (unsigned)p[i / 8] >> (7 - i % 8) & 1U : 0);
        }
        buf_putc(out, letters[six]);
    }
    while (out->n % 4 != 0) {
        buf_putc(out, '=');
    }
}

static void test_base64(void)
{
    unsigned char bytes[300];
    size_t wrong = 0;
    size_t taken = 0;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 167 + i / 7);
    }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf want = {0};
        struct buf is = {0};
        struct buf back = {0};
        plain_base64(&want, bytes + sizeof bytes - n, n);
        base64_encode(&is, bytes + sizeof bytes - n, n);
        wrong += !slice_eq(buf_slice(&want), buf_slice(&is));
        wrong += base64_decode(&back, want.p, want.n) < 0 ||
                 !slice_eq(buf_slice(&back),
                           (struct slice){(char *)bytes + sizeof bytes - n, n});
        for (size_t i = 0; i < is.n; i += 7) {
            is.p[i] = "\n=-\x80"[i % 4];
            back.n = 0;
            taken += base64_decode(&back, is.p, is.n) == 0 || back.n > 0;
            is.p[i] = want.p[i];
        }
        buf_release(&want);
        buf_release(&is);
        buf_release(&back);
    }
    unit_check(wrong == 0, "base 64 of every length, there and back");
    unit_check(taken == 0, "and nothing of what is none");
}

int main(void)
{
    test_base64();
    test_key();
    test_members();
    test_origin();
    test_values();
    test_text();
    test_controls();
    test_positions();
    test_walk();
    test_dead();
    return unit_end();
}
