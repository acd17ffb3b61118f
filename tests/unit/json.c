/* The JSON scanner: cases for every rule of RFC 8259, the JSONTestSuite where
 * it is found, and jansson on random texts, whole and damaged. */
#include "record/json.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "gen.h"
#include "unit.h"

enum { ROUNDS = 30000 };

/* A copy of its own size, so that a look beyond the end is found. */
static bool valid(const char *p, size_t n)
{
    char *exact = malloc(n > 0 ? n : 1);

    memcpy(exact, p, n);
    const bool good = json_valid((struct slice){exact, n});
    free(exact);
    return good;
}

struct text {
    const char *what;
    const char *p;
    size_t n;
};

#define TEXT(what, literal)                                                    \
    {                                                                          \
        what, literal, sizeof(literal) - 1                                     \
    }

static void test_valid(void)
{
    static const struct text cases[] = {
        TEXT("an empty object", "{}"),
        TEXT("an empty array", "[]"),
        TEXT("blanks of four kinds everywhere",
             " \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ \t\r\n1 \t\r\n, "
             "\t\r\n2 \t\r\n] \t\r\n} \t\r\n"),
        TEXT("an empty array with blanks", "[ \n ]"),
        TEXT("an empty object with blanks", "{\t}"),
        TEXT("a number alone", "0"),
        TEXT("a string alone", "\"\""),
        TEXT("true alone", "true"),
        TEXT("false alone", "false"),
        TEXT("null alone", "null"),
        TEXT("minus zero", "-0"),
        TEXT("a fraction", "0.10"),
        TEXT("exponents", "[1e2,1E2,1e+2,1e-2,1.5E-0007]"),
        TEXT("a number longer than any machine's",
             "1234567890123456789012345678901234567890e12345"),
        TEXT("each short escape", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
        TEXT("an escape in hex, both cases", "\"\\u00fF\""),
        TEXT("an escaped NUL", "\"\\u0000\""),
        TEXT("a surrogate pair", "\"\\ud83d\\ude00\""),
        TEXT("a lone surrogate", "\"\\ud800\""),
        TEXT("the byte 0x7f", "\"\x7f\""),
        TEXT("two bytes of UTF-8, first and last", "\"\xc2\x80\xdf\xbf\""),
        TEXT("three bytes, first and last", "\"\xe0\xa0\x80\xef\xbf\xbf\""),
        TEXT("three bytes beside the surrogates",
             "\"\xed\x9f\xbf\xee\x80\x80\""),
        TEXT("four bytes, first and last",
             "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
        TEXT("a name that comes twice", "{\"a\":1,\"a\":2}"),
        TEXT("an empty name", "{\"\":0}"),
        TEXT("containers in one another", "[[],{},[{}],{\"a\":[]}]"),
        TEXT("a string longer than a vector register",
             "\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\""),
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unit_check(valid(cases[i].p, cases[i].n), "accepted: %s",
                   cases[i].what);
    }
}

static void test_invalid(void)
{
    static const struct text cases[] = {
        TEXT("nothing", ""),
        TEXT("blanks alone", " \n"),
        TEXT("two values", "1 2"),
        TEXT("a value and a comma", "1,"),
        TEXT("a byte order mark", "\xef\xbb\xbf{}"),
        TEXT("another blank (form feed)", "\f1"),
        TEXT("another blank (no-break space)", "\xc2\xa0[]"),
        TEXT("a NUL behind the value", "1\0"),
        TEXT("a NUL in a string", "\"\0\""),
        TEXT("a line feed in a string", "\"\n\""),
        TEXT("the byte 0x1f in a string", "\"\x1f\""),
        TEXT("a string without an end", "\"abc"),
        TEXT("a string that ends in a backslash", "\"abc\\"),
        TEXT("a string whose last quote is escaped", "\"abc\\\""),
        TEXT("an unknown escape", "\"\\a\""),
        TEXT("an escaped NUL byte", "\"\\\0\""),
        TEXT("an escape with an upper-case U", "\"\\U0041\""),
        TEXT("an escape of three digits", "\"\\u004\""),
        TEXT("an escape that is cut", "\"\\u00"),
        TEXT("an escape with a letter that is no digit", "\"\\u00g0\""),
        TEXT("single quotes", "'a'"),
        TEXT("a leading zero", "01"),
        TEXT("a leading zero behind minus", "-01"),
        TEXT("a plus", "+1"),
        TEXT("minus alone", "-"),
        TEXT("two minuses", "--1"),
        TEXT("a point without a digit before", ".5"),
        TEXT("a point without a digit behind", "1."),
        TEXT("minus and a point", "-.5"),
        TEXT("an exponent without digits", "1e"),
        TEXT("an exponent with a sign alone", "1e+"),
        TEXT("an exponent with a fraction", "1e2.5"),
        TEXT("hexadecimal", "0x10"),
        TEXT("a separator in a number", "1_000"),
        TEXT("infinity", "Infinity"),
        TEXT("NaN", "NaN"),
        TEXT("nan", "nan"),
        TEXT("a word in capitals", "True"),
        TEXT("a word that is cut", "tru"),
        TEXT("a word that goes on", "truex"),
        TEXT("nul", "nul"),
        TEXT("a bare word", "a"),
        TEXT("a comment", "/* */1"),
        TEXT("another comment", "1 // one"),
        TEXT("an array without an end", "[1"),
        TEXT("an array with a comma at its end", "[1,]"),
        TEXT("an array with a comma at its start", "[,1]"),
        TEXT("an array with two commas", "[1,,2]"),
        TEXT("an array without a comma", "[1 2]"),
        TEXT("an array with a colon", "[1:2]"),
        TEXT("an array that ends as an object", "[1}"),
        TEXT("an object that ends as an array", "{\"a\":1]"),
        TEXT("an end without a start", "]"),
        TEXT("one end too many", "[]]"),
        TEXT("an object without an end", "{\"a\":1"),
        TEXT("an object with a comma at its end", "{\"a\":1,}"),
        TEXT("an object with a comma at its start", "{,\"a\":1}"),
        TEXT("an object without a colon", "{\"a\" 1}"),
        TEXT("an object with two colons", "{\"a\"::1}"),
        TEXT("an object with a name alone", "{\"a\"}"),
        TEXT("an object without a value", "{\"a\":}"),
        TEXT("an object without a name", "{:1}"),
        TEXT("a name without quotes", "{a:1}"),
        TEXT("a name that is a number", "{1:1}"),
        TEXT("a name that is null", "{null:1}"),
        TEXT("a lone continuation byte", "\"\x80\""),
        TEXT("a start byte alone", "\"\xc3\""),
        TEXT("a start byte and another", "\"\xc3\xc3\xa4\""),
        TEXT("three bytes that are two", "\"\xe2\x82\""),
        TEXT("four bytes that are three", "\"\xf0\x9f\x98\""),
        TEXT("UTF-8 that is cut by the end", "\"\xe2\x82"),
        TEXT("overlong, two bytes", "\"\xc0\xaf\""),
        TEXT("overlong, c1", "\"\xc1\xbf\""),
        TEXT("overlong, three bytes", "\"\xe0\x9f\xbf\""),
        TEXT("overlong, four bytes", "\"\xf0\x8f\xbf\xbf\""),
        TEXT("a surrogate in UTF-8", "\"\xed\xa0\x80\""),
        TEXT("above U+10FFFF", "\"\xf4\x90\x80\x80\""),
        TEXT("the byte 0xf5", "\"\xf5\x80\x80\x80\""),
        TEXT("the byte 0xff", "\"\xff\""),
        TEXT("bytes above 0x7f outside a string", "[\xc3\xa4]"),
        TEXT("UTF-16", "{\0}\0"),
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unit_check(!valid(cases[i].p, cases[i].n), "refused: %s",
                   cases[i].what);
    }
}

static void test_depth(void)
{
    enum { DEEP = 1000000 };
    char *p = malloc(2 * DEEP + 1);

    memset(p, '[', DEEP);
    memset(p + DEEP, ']', DEEP);
    unit_check(valid(p, 2 * DEEP), "a million levels are no trouble");
    unit_check(!valid(p, 2 * DEEP - 1), "one of them left open is seen");
    p[2 * DEEP] = ']';
    unit_check(!valid(p, 2 * DEEP + 1), "so is one end too many");
    p[DEEP + DEEP / 2] = '}';
    unit_check(!valid(p, 2 * DEEP), "so is a wrong bracket half way up");
    free(p);
}

static void test_walk(void)
{
    static const char text[] =
        " { \"a\" : 1.0 , \"b\\n\":\"x\\\"}\" ,\"c\":[ {} , 2 ] } ";
    struct json_walk w;
    struct slice key;
    struct slice value;

    json_walk_init(&w, slice_of(text));
    unit_check(json_walk_next(&w, &key, &value) == 1 && slice_is(key, "a") &&
                   slice_is(value, "1.0"),
               "a member comes as it stands, without the blanks around");
    unit_check(json_walk_next(&w, &key, &value) == 1 && slice_is(key, "b\\n") &&
                   slice_is(value, "\"x\\\"}\"") && value.p[0] == '"',
               "escapes stay escapes");
    unit_check(json_walk_next(&w, &key, &value) == 1 && slice_is(key, "c") &&
                   slice_is(value, "[ {} , 2 ]"),
               "a container comes with its insides");
    unit_check(json_walk_next(&w, &key, &value) == 0,
               "then the object has ended");

    static const char *const broken[] = {
        "",         "[]",         "1",          "{",
        "{\"a\":1", "{\"a\":1}}", "{\"a\":1,}", "{,\"a\":1}",
        "{} x",     "{\"a\":01}", "{\"a\" 1}",  "{\"a\":1 \"b\":2}",
    };
    bool good = true;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        int rc;
        json_walk_init(&w, slice_of(broken[i]));
        while ((rc = json_walk_next(&w, &key, &value)) == 1) {
        }
        good = good && rc == -1;
    }
    unit_check(good, "what is no object, or breaks off, is -1");
}

static void test_text(void)
{
    struct buf b;

    buf_init(&b);
    json_decode(&b, SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20ac"
                          "\\ud83d\\ude00\""));
    unit_check(slice_is(buf_slice(&b), "\"\\/\b\f\n\r\tA\xc3\xa4\xe2\x82\xac"
                                       "\xf0\x9f\x98\x80"),
               "all escapes are decoded");
    buf_clear(&b);
    json_decode(&b, SLICE("\"\\ud800\\ud83d\\ude00\\udc00x\""));
    unit_check(slice_is(buf_slice(&b), "\xef\xbf\xbd\xf0\x9f\x98\x80"
                                       "\xef\xbf\xbdx"),
               "lone surrogates become U+FFFD");
    buf_clear(&b);
    json_encode(&b, (struct slice){"\"\\\b\f\n\r\t\0\x1f/\xc3\xa4", 12});
    unit_check(slice_is(buf_slice(&b), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000"
                                       "\\u001f/\xc3\xa4\""),
               "what must be escaped is, and nothing else");
    buf_clear(&b);
    json_encode(&b, SLICE("a\xff\xe2\x82z"));
    unit_check(json_valid(buf_slice(&b)) &&
                   slice_is(buf_slice(&b),
                            "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\""),
               "what is no UTF-8 becomes U+FFFD");
    buf_release(&b);

    unsigned long long n = 0;
    unit_check(json_count(SLICE("9007199254740992"), &n) &&
                   n == 9007199254740992ULL &&
                   !json_count(SLICE("9007199254740993"), &n) &&
                   !json_count(SLICE("99999999999999999"), &n) &&
                   !json_count(SLICE("-1"), &n) && !json_count(SLICE(""), &n) &&
                   !json_count(SLICE("1e2"), &n),
               "counts are digits, up to 2^53");
}

/* --- the JSONTestSuite -----------------------------------------------------
 */

static void test_suite(void)
{
    const char *folder = getenv("DPP_JSONTESTSUITE");
    char path[512];
    unsigned must = 0;
    unsigned wrong = 0;
    unsigned may = 0;
    struct buf b;
    struct err e;

    if (folder == NULL) {
        folder = "../shared/data/JSONTestSuite/test_parsing";
    }
    DIR *d = opendir(folder);
    if (d == NULL) {
        printf("ok - JSONTestSuite # skip no folder %s "
               "($DPP_JSONTESTSUITE)\n",
               folder);
        return;
    }
    buf_init(&b);
    for (const struct dirent *f; (f = readdir(d)) != NULL;) {
        if (strchr("yni", f->d_name[0]) == NULL || f->d_name[1] != '_') {
            continue;
        }
        buf_clear(&b);
        (void)snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
        if (file_read(path, 1 << 24, &b, &e) < 0) {
            unit_check(false, "%s", e.text);
            continue;
        }
        const bool good = valid(b.n > 0 ? b.p : "", b.n);
        if (f->d_name[0] == 'i') {
            may += good;
            continue;
        }
        must++;
        if (good != (f->d_name[0] == 'y')) {
            wrong++;
            printf("# %s: %s\n", f->d_name, good ? "accepted" : "refused");
        }
    }
    (void)closedir(d);
    buf_release(&b);
    /* i_: lone surrogates, huge numbers and deep nesting are legal here, since
     * nobody decodes them; bytes that are no UTF-8, UTF-16 and a byte order
     * mark are not. */
    unit_check(must > 250 && wrong == 0,
               "JSONTestSuite: all %u texts with a verdict get it", must);
    unit_check(may == 21, "of those without one %u are accepted, 21 wanted",
               may);
}

/* --- jansson ----------------------------------------------------------------
 */

/* jansson refuses some legal texts: it decodes what we only look over. */
static bool is_jansson_limit(const json_error_t *e, struct slice text)
{
    const enum json_error_code code = json_error_code(e);

    return code == json_error_numeric_overflow ||
           code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow ||
           memmem(text.p, text.n, "\\ud", 3) != NULL ||
           memmem(text.p, text.n, "\\uD", 3) != NULL;
}

static void damage(struct gen *g, struct buf *b)
{
    static const char bytes[] = "{}[]\",:\\/0123456789.eE+-tfnu \n\x01\x80\xc3";
    const size_t at = gen_below(g, (unsigned)b->n);

    switch (gen_below(g, 3)) {
    case 0:
        b->p[at] = bytes[gen_below(g, sizeof bytes - 1)];
        break;
    case 1:
        memmove(b->p + at, b->p + at + 1, b->n - at - 1);
        b->n--;
        break;
    default:
        b->n = at;
        break;
    }
}

/* Members of the top object: each key and string decoded as jansson does. Of
 * a name that comes twice (by damage) jansson knows the last one only. */
static bool same_members(struct slice text, json_t *object)
{
    struct json_walk w;
    struct slice key;
    struct slice value;
    struct buf b;
    size_t n = 0;
    bool same = true;
    int rc;

    buf_init(&b);
    json_walk_init(&w, text);
    while ((rc = json_walk_next(&w, &key, &value)) == 1) {
        buf_clear(&b);
        json_decode(&b, (struct slice){key.p - 1, key.n + 2});
        json_t *member = json_object_get(object, buf_cstr(&b));
        same = same && member != NULL &&
               (value.p[0] == '"') == (json_typeof(member) == JSON_STRING);
        if (same && json_typeof(member) == JSON_STRING) {
            buf_clear(&b);
            json_decode(&b, value);
            same = b.n == json_string_length(member) &&
                   memcmp(buf_cstr(&b), json_string_value(member), b.n) == 0;
        }
        n++;
    }
    buf_release(&b);
    const size_t theirs = json_object_size(object);
    return rc == 0 && (n > theirs || (same && n == theirs));
}

static void test_jansson(uint64_t seed)
{
    struct gen g = {.state = seed, .flags = GEN_BLANKS | GEN_HUGE};
    struct buf b;
    unsigned wrong = 0;
    unsigned good = 0;
    unsigned bad = 0;
    unsigned objects = 0;
    unsigned odd = 0;

    buf_init(&b);
    for (int i = 0; i < ROUNDS; i++) {
        json_error_t e;
        g.depth = i % 5;
        buf_clear(&b);
        gen_value(&g, &b);
        for (int k = i % 3; k > 0 && b.n > 0; k--) {
            damage(&g, &b);
        }
        const bool ours = valid(b.n > 0 ? b.p : "", b.n);
        json_t *theirs = json_loadb(b.n > 0 ? b.p : "", b.n,
                                    JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
        good += ours;
        bad += !ours;
        if (ours != (theirs != NULL) &&
            !(ours && is_jansson_limit(&e, buf_slice(&b))) && wrong++ == 0) {
            printf("# %s: %.*s\n", ours ? "accepted" : "refused", (int)b.n,
                   b.p);
        }
        if (theirs != NULL && json_typeof(theirs) == JSON_OBJECT) {
            objects++;
            odd += !same_members(buf_slice(&b), theirs);
        }
        json_decref(theirs);
    }
    unit_check(wrong == 0 && good > ROUNDS / 4 && bad > ROUNDS / 4,
               "%u valid and %u damaged random texts get jansson's verdict",
               good, bad);
    unit_check(odd == 0 && objects > 100,
               "the members of %u objects are those that jansson finds",
               objects);
    buf_release(&b);
}

int main(void)
{
    const uint64_t seed = gen_seed();

    printf("# DPP_SEED=%llu\n", (unsigned long long)seed);
    test_valid();
    test_invalid();
    test_depth();
    test_walk();
    test_text();
    test_suite();
    test_jansson(seed);
    return unit_end();
}
