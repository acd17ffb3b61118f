/* Values and their texts: what is built is what libjq would build, and what is
 * printed over an old text keeps the bytes of what has not changed. */
#include <jq.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gen.h"
#include "jq/over.h"
#include "jq/value.h"
#include "record/json.h"
#include "unit.h"

enum { ROUNDS = 20000 };

static struct value_keys keys;

static jv parse(struct slice text)
{
    const char *end = text.p + text.n;
    jv v;

    return value_parse(&keys, text.p, end, &v) == end ? v : jv_invalid();
}

static jv parse_text(const char *text)
{
    return parse(slice_of(text));
}

/* As libjq prints them: it prints infinity as the greatest double. */
static bool same_dump(jv a, jv b, int flags)
{
    jv x = jv_dump_string(jv_copy(a), flags);
    jv y = jv_dump_string(jv_copy(b), flags);
    const bool same = slice_eq(value_text(x), value_text(y));

    jv_free(x);
    jv_free(y);
    return same;
}

/* The text of the value, with all blanks of its own around it. */
static void trim(struct buf *b)
{
    while (b->n > 0 && strchr(" \t\r\n", b->p[b->n - 1]) != NULL) {
        b->n--;
    }
}

static void test_random_build(uint64_t seed)
{
    struct gen g = {.state = seed, .flags = GEN_BLANKS | GEN_HUGE | GEN_TWICE};
    struct buf b;
    struct buf out;
    unsigned wrong = 0;
    unsigned printed = 0;

    buf_init(&b);
    buf_init(&out);
    for (int i = 0; i < ROUNDS; i++) {
        g.depth = i % 6;
        buf_clear(&b);
        gen_value(&g, &b);
        trim(&b);
        jv want = jv_parse_sized(buf_cstr(&b), (int)b.n);
        jv have = parse(buf_slice(&b));
        buf_clear(&out);
        const bool well = jv_is_valid(want) && same_dump(want, have, 0) &&
                          jv_equal(jv_copy(want), jv_copy(have)) != 0;
        const bool back =
            value_print(&out, have) == 0 && json_valid(buf_slice(&out));
        jv again = jv_parse_sized(buf_cstr(&out), (int)out.n);
        const bool round = back && same_dump(again, want, 0);
        if ((!well && wrong++ == 0) || (!round && printed++ == 0)) {
            printf("# %.*s\n# %.*s\n", (int)b.n, b.p, (int)out.n, out.p);
        }
        jv_free(again);
        jv_free(want);
        jv_free(have);
    }
    unit_check(wrong == 0, "%d random texts build what jv_parse() builds",
               ROUNDS);
    unit_check(printed == 0, "and what is printed of them reads the same");
    buf_release(&b);
    buf_release(&out);
}

static void test_build(void)
{
    struct buf b;

    jv v = parse_text("\"\\ud800\"");
    unit_check(slice_is(value_text(v), "\xef\xbf\xbd"),
               "a lone surrogate becomes U+FFFD");
    jv_free(v);
    v = parse_text("\"a\\u0000b\"");
    unit_check(slice_eq(value_text(v), (struct slice){"a\0b", 3}),
               "a NUL in a string does not end it");
    jv_free(v);
    buf_init(&b);
    for (int i = 0; i < VALUE_DEPTH; i++) {
        buf_putc(&b, '[');
    }
    for (int i = 0; i < VALUE_DEPTH; i++) {
        buf_putc(&b, ']');
    }
    v = parse(buf_slice(&b));
    unit_check(jv_is_valid(v), "%d levels are built", VALUE_DEPTH);
    jv_free(v);
    buf_clear(&b);
    for (int i = 0; i <= VALUE_DEPTH; i++) {
        buf_puts(&b, "{\"a\":");
    }
    buf_putc(&b, '1');
    for (int i = 0; i <= VALUE_DEPTH; i++) {
        buf_putc(&b, '}');
    }
    v = parse(buf_slice(&b));
    unit_check(!jv_is_valid(v), "%d levels are not", VALUE_DEPTH + 1);
    buf_release(&b);
}

static void test_numbers(void)
{
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {-7, "-7"},
        {999999999999999, "999999999999999"},
        {0.1, "0.1"},
        {1e300, "1e+300"},
        {-0.0, "-0"},
        {1.0 / 3, "0.3333333333333333"},
        {INFINITY, "1.7976931348623157e+308"},
    };
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        jv n = jv_number(cases[i].d);
        buf_clear(&b);
        (void)value_print(&b, n);
        unit_check(slice_is(buf_slice(&b), cases[i].text), "%s is printed so",
                   cases[i].text);
        jv_free(n);
    }
    buf_release(&b);
}

/* Runs one program over a text and prints the result over it. */
static bool over_is(const char *program, const char *raw, const char *want)
{
    jq_state *jq = jq_init();
    struct buf out;
    const struct over over = {&out, &keys, strchr(raw, '\n') != NULL};
    bool good = false;

    buf_init(&out);
    if (jq_compile(jq, program)) {
        jv old = parse_text(raw);
        jq_start(jq, jv_copy(old), 0);
        jv now = jq_next(jq);
        (void)over_print(&over, now, old, slice_of(raw));
        good = slice_is(buf_slice(&out), want);
        jv_free(now);
        jv_free(old);
    }
    jq_teardown(&jq);
    if (!good) {
        printf("# have %.*s\n# want %s\n", (int)out.n, out.p, want);
    }
    buf_release(&out);
    return good;
}

static void test_over(void)
{
    static const struct {
        const char *what;
        const char *program;
        const char *raw;
        const char *want;
    } cases[] = {
        {"what is equal keeps its bytes, blanks and all", ".",
         "{ \"a\" : 1e2 }", "{ \"a\" : 1e2 }"},
        {"a value made anew but equal keeps its bytes", "{a:.a}",
         "{ \"a\" : 1e2 }", "{ \"a\" : 1e2 }"},
        {"a number beside the changed one keeps its text", ".a=2",
         "{\"a\":1,\"b\":12345678901234567890,\"c\":0.10}",
         "{\"a\":2,\"b\":12345678901234567890,\"c\":0.10}"},
        {"at any depth", ".a.b[1].c=true",
         "{\"a\":{\"b\":[1e0,{\"c\":null,\"d\":1.0}],\"e\":-0.0}}",
         "{\"a\":{\"b\":[1e0,{\"c\":true,\"d\":1.0}],\"e\":-0.0}}"},
        {"a removed member goes, a new one follows", "del(.a)|.c=3",
         "{\"a\":1.0,\"b\":2.0}", "{\"b\":2.0,\"c\":3}"},
        {"an object emptied is empty", "{}", "{\"a\":1.0}", "{}"},
        {"an element left out does not disturb the others", "map(select(.!=2))",
         "[1.0,2.0,3.0,4.0]", "[1.0,3.0,4.0]"},
        {"the first one left out as well", ".[1:]", "[1.0,2.0,[3.0],4.0]",
         "[2.0,[3.0],4.0]"},
        {"new elements follow", ".+[5]", "[1.0,\"\\u0041\"]",
         "[1.0,\"\\u0041\",5]"},
        {"elements in a new order are printed", "reverse", "[1.0,2.0]",
         "[2,1]"},
        {"zero in the place of minus zero is zero", ".a=0",
         "{\"a\":-0.0,\"b\":-0.0}", "{\"a\":0,\"b\":-0.0}"},
        {"an array emptied is empty", "[]", "[1.0]", "[]"},
        {"another kind of value is printed", ".a=[1]", "{\"a\":{\"b\":1.0}}",
         "{\"a\":[1]}"},
        {"escaped names find their members", ".a=2",
         "{\"\\u0061\":1.0,\"b\\n\":1.0}", "{\"\\u0061\":2,\"b\\n\":1.0}"},
        {"a name that comes twice, untouched, keeps its bytes", ".b=2",
         "{\"a\":{\"x\":1.0,\"x\":2.0},\"b\":1.0}",
         "{\"a\":{\"x\":1.0,\"x\":2.0},\"b\":2}"},
        {"a name that comes twice is printed once when it changes", ".x=3",
         "{\"x\":1.0,\"x\":2.0,\"y\":1.0}", "{\"x\":3,\"y\":1}"},
        {"a text with line ends is printed without them", ".a=2",
         "{\n \"a\": 1,\n \"b\": [ 1.0, \"x \\\" y\" ]\n}",
         "{\"a\":2,\"b\":[1.0,\"x \\\" y\"]}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unit_check(over_is(cases[i].program, cases[i].raw, cases[i].want), "%s",
                   cases[i].what);
    }
}

/* Whatever becomes of a value, the text printed over the old one reads as what
 * it became. */
static void test_random_over(uint64_t seed)
{
    static const char program[] =
        "def f: if type == \"array\" then (.[1:], map(f)[:3], . + [0.5], [])\n"
        "  elif type == \"object\" then\n"
        "    (with_entries(.value |= first(f)), del(.[keys[0]?]),\n"
        "     . + {z: 1}, map_values(first(f)), {})\n"
        "  elif type == \"number\" then (. + 1, ., tostring)\n"
        "  else (., [.], \"x\") end; f";
    struct gen g = {.state = seed + 1,
                    .flags = GEN_BLANKS | GEN_HUGE | GEN_TWICE | GEN_LONE};
    struct buf b;
    struct buf out;
    const struct over over = {&out, &keys, true};
    jq_state *jq = jq_init();
    unsigned wrong = 0;
    unsigned runs = 0;

    buf_init(&b);
    buf_init(&out);
    unit_check(jq_compile(jq, program), "the program of changes compiles");
    for (int i = 0; i < ROUNDS / 4; i++) {
        g.depth = i % 6;
        buf_clear(&b);
        gen_value(&g, &b);
        trim(&b);
        const char *start = value_blanks(b.p, b.p + b.n);
        const struct slice raw = {start, b.n - (size_t)(start - b.p)};
        jv old = parse(raw);
        jq_start(jq, jv_copy(old), 0);
        jv now;
        for (; jv_is_valid(now = jq_next(jq)); jv_free(now)) {
            buf_clear(&out);
            const int rc = over_print(&over, now, old, raw);
            const bool valid = rc >= 0 && json_valid(buf_slice(&out)) &&
                               memchr(out.p, '\n', out.n) == NULL;
            jv read = valid ? parse(buf_slice(&out)) : jv_invalid();
            runs++;
            if (!(valid && same_dump(read, now, JV_PRINT_SORTED)) &&
                wrong++ == 0) {
                printf("# %.*s\n# %.*s\n", (int)raw.n, raw.p, (int)out.n,
                       out.p);
                jv_dump(jv_copy(now), 0);
                (void)putchar('\n');
            }
            jv_free(read);
        }
        jv_free(now);
        jv_free(old);
    }
    unit_check(wrong == 0 && runs > ROUNDS / 4,
               "random changes (%u) printed over random texts read as the "
               "program made them",
               runs);
    jq_teardown(&jq);
    buf_release(&b);
    buf_release(&out);
}

int main(void)
{
    const uint64_t seed = gen_seed();

    printf("# DPP_SEED=%llu\n", (unsigned long long)seed);
    value_keys_init(&keys);
    test_build();
    test_numbers();
    test_random_build(seed);
    test_over();
    test_random_over(seed);
    value_keys_release(&keys);
    return unit_end();
}
