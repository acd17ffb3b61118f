/* Programs over events: the cheap look at select(…) against libjq itself, and
 * lines that come out. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "gen.h"
#include "jq/program.h"
#include "jq/select.h"
#include "jq/transform.h"
#include "jq/value.h"
#include "record/json.h"
#include "unit.h"

enum { PROGRAMS = 60, EVENTS = 60 };

/* --- select(…) ------------------------------------------------------------ */

/* A program as one line. */
static const char *shown(const char *program)
{
    static char line[200];

    (void)snprintf(line, sizeof line, "%s", program);
    for (char *p = line; *p != '\0'; p++) {
        *p = *p == '\n' ? ' ' : *p;
    }
    return line;
}

static void test_understood(void)
{
    static const struct {
        const char *program;
        enum select_kind kind;
    } cases[] = {
        {".", SELECT_IDENTITY},
        {" . # nothing\n", SELECT_IDENTITY},
        {"..", SELECT_UNKNOWN},
        {".data", SELECT_UNKNOWN},
        {"select(.type == \"push\")", SELECT_ONLY},
        {"# pushes\nselect ( .type==\"push\" ) # only\n", SELECT_ONLY},
        {"# a \\\nselect(.type==\"push\")", SELECT_UNKNOWN},
        {"select(.type==\"a\")|.data", SELECT_FIRST},
        {"select(.type==\"a\")|.data,.", SELECT_FIRST},
        {"select(.type==\"a\")|=.data", SELECT_UNKNOWN},
        {"select(.type==\"a\")|", SELECT_FIRST},
        {"select(.type==\"a\").data", SELECT_UNKNOWN},
        {"select(.type==\"a\"),.", SELECT_UNKNOWN},
        {"select(.type==\"a\")//.", SELECT_UNKNOWN},
        {"select(.type==\"a\") as $x|.", SELECT_UNKNOWN},
        {"select(.type==\"a\")?", SELECT_UNKNOWN},
        {"select(.type==\"a\" and .source!=\"b\" or .id==\"c\")", SELECT_ONLY},
        {"select(.type==\"a\"or.source==\"b\")", SELECT_ONLY},
        {"select(.type==\"a\"orr .source==\"b\")", SELECT_UNKNOWN},
        {"select(.type==\"\\u0061\")", SELECT_UNKNOWN},
        {"select(.type==\"\\(.id)\")", SELECT_UNKNOWN},
        {"select(.type==\"\xff\")", SELECT_UNKNOWN},
        {"select(.type==1)", SELECT_UNKNOWN},
        {"select(.types==\"a\")", SELECT_UNKNOWN},
        {"select(. type==\"a\")", SELECT_UNKNOWN},
        {"select(.data.type==\"a\")", SELECT_UNKNOWN},
        {"select(.data==\"a\")", SELECT_UNKNOWN},
        {"select(.type.x==\"a\")", SELECT_UNKNOWN},
        {"select(.type==\"a\"==\"b\")", SELECT_UNKNOWN},
        {"select(.type==\"a\"+\"b\")", SELECT_UNKNOWN},
        {"select(.type==\"a\";.)", SELECT_UNKNOWN},
        {"select(.type==\"a\"", SELECT_UNKNOWN},
        {"def select(f): .; select(.type==\"a\")", SELECT_UNKNOWN},
        {"selects(.type==\"a\")", SELECT_UNKNOWN},
        {"", SELECT_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct select s;
        select_parse(&s, slice_of(cases[i].program));
        unit_check(s.kind == cases[i].kind, "%s %s", shown(cases[i].program),
                   cases[i].kind == SELECT_UNKNOWN ? "is left to libjq"
                                                   : "is understood");
    }
}

static const char *const names[] = {"type", "source",       "subject",
                                    "id",   "partitionkey", "datacontenttype",
                                    "time", "dpporigin"};
static const char *const texts[] = {"a", "b", "", "a b", "\xc3\xa4", "'"};

static void gen_program(struct gen *g, struct buf *b)
{
    static const char *const rest[] = {"", "", "|.", " | (.id, .type)"};
    static const char *const glue[] = {" and ", " or ", "and\n"};

    buf_clear(b);
    buf_puts(b, "select(");
    for (unsigned n = gen_below(g, 4) + 1; n > 0; n--) {
        buf_printf(b, ".%s %s \"%s\"", gen_pick(g, names, 8),
                   gen_below(g, 3) == 0 ? "!=" : "==", gen_pick(g, texts, 6));
        buf_puts(b, n > 1 ? gen_pick(g, glue, 3) : ")");
    }
    buf_puts(b, gen_pick(g, rest, 4));
}

/* Attributes from few values, so that they are often equal; some of them are
 * written with escapes. */
static void gen_event(struct gen *g, struct buf *b)
{
    static const char *const raw[] = {"a",        "b",   "",        "a b",
                                      "\xc3\xa4", "'",   "\\u0061", "a\\u0020b",
                                      "\\u00e4",  "a\\n"};
    const char *sep = "{\"specversion\":\"1.0\"";

    buf_clear(b);
    for (unsigned i = 0; i < 8; i++) {
        const bool needed = i == 0 || i == 1 || i == 3;
        if (needed || gen_below(g, 2) == 0) {
            buf_printf(b, "%s,\"%s\":\"%s\"", sep, names[i],
                       gen_pick(g, raw, sizeof raw / sizeof raw[0]));
            sep = "";
        }
    }
    buf_puts(b, ",\"data\":");
    gen_value(g, b);
    buf_putc(b, '}');
}

/* What libjq says: does anything come out? */
static bool passes(struct program *p, struct value_keys *keys,
                   struct slice line)
{
    struct buf why;
    jv v;
    jv out;

    buf_init(&why);
    (void)value_parse(keys, line.p, line.p + line.n, &v);
    program_start(p, v);
    bool any = false;
    while (program_next(p, &out, &why) == 1) {
        any = true;
        jv_free(out);
    }
    buf_release(&why);
    return any;
}

static void test_random_select(uint64_t seed)
{
    struct gen g = {.state = seed, .depth = 1};
    struct value_keys keys;
    struct buf text;
    struct buf line;
    unsigned count[3] = {0};
    unsigned wrong = 0;

    value_keys_init(&keys);
    buf_init(&text);
    buf_init(&line);
    for (int i = 0; i < PROGRAMS; i++) {
        struct select s;
        struct err e;
        gen_program(&g, &text);
        const struct transform_options o = {.program = buf_cstr(&text)};
        struct program *p = program_new(&o, buf_slice(&text), &e);
        select_parse(&s, buf_slice(&text));
        wrong += p == NULL || s.kind == SELECT_UNKNOWN;
        for (int k = 0; k < EVENTS && p != NULL; k++) {
            struct event ev;
            bool reordered;
            gen_event(&g, &line);
            if (event_parse(&ev, buf_slice(&line), &reordered, &e) < 0) {
                wrong++;
                continue;
            }
            const enum select_answer a = select_ask(&s, &ev);
            const bool want = passes(p, &keys, ev.line);
            count[a]++;
            if (a != SELECT_MAYBE && (a == SELECT_YES) != want &&
                wrong++ == 0) {
                printf("# %s\n# %s\n", buf_cstr(&text), buf_cstr(&line));
            }
        }
        program_free(p);
    }
    unit_check(wrong == 0, "%d random selections say what libjq says",
               PROGRAMS * EVENTS);
    unit_check(count[SELECT_NO] > 100 && count[SELECT_YES] > 100 &&
                   count[SELECT_MAYBE] > 100,
               "no, yes and maybe all come up (%u, %u, %u)", count[0], count[2],
               count[1]);
    value_keys_release(&keys);
    buf_release(&text);
    buf_release(&line);
}

/* --- whole events ----------------------------------------------------------
 */

#define HEAD "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/s\","

/* What comes out of one event: lines as they are, or "dead: REASON". */
static void run(const char *program, struct slice line, struct buf *out)
{
    const struct transform_options o = {.program = program};
    struct err e;
    struct transform *t = transform_new(&o, &e);
    struct event ev;
    bool reordered;

    buf_clear(out);
    if (t == NULL || event_parse(&ev, line, &reordered, &e) < 0) {
        buf_puts(out, e.text);
        transform_free(t);
        return;
    }
    struct buf b;
    buf_init(&b);
    switch (transform_event(t, &ev, &b)) {
    case TRANSFORM_PASS:
        buf_append_slice(out, line);
        buf_putc(out, '\n');
        break;
    case TRANSFORM_DEAD:
        buf_puts(out, "dead: ");
        /* fall through */
    case TRANSFORM_LINES:
        buf_append_slice(out, buf_slice(&b));
        break;
    }
    buf_release(&b);
    transform_free(t);
}

static void test_events(void)
{
    static const struct {
        const char *what;
        const char *program;
        const char *line;
        const char *want; /* cut: begins so */
    } cases[] = {
        {"an untouched event keeps its blanks", ".data|=.",
         HEAD " \"type\" : \"t\", \"data\": [ 1e2 ] } ",
         HEAD " \"type\" : \"t\", \"data\": [ 1e2 ] } \n"},
        {"a changed attribute leaves data alone", ".type=\"u\"",
         HEAD "\"type\":\"t\",\"data\":[0.10, 12345678901234567890]}",
         HEAD "\"type\":\"u\",\"data\":[0.10, 12345678901234567890]}\n"},
        {"an attribute set to null is left out", ".subject=.data.x",
         HEAD "\"subject\":\"a\",\"type\":\"t\",\"data\":{}}",
         HEAD "\"type\":\"t\",\"data\":{}}\n"},
        {"data set to null is null", ".data=null",
         HEAD "\"type\":\"t\",\"data\":{}}",
         HEAD "\"type\":\"t\",\"data\":null}\n"},
        {"data removed makes a tombstone", "del(.data)",
         HEAD "\"type\":\"t\",\"data\":{}}", HEAD "\"type\":\"t\"}\n"},
        {"new attributes follow", ".subject=\"x\"|.n=1",
         HEAD "\"type\":\"t\",\"data\":1.0}",
         HEAD "\"type\":\"t\",\"data\":1.0,\"subject\":\"x\",\"n\":1}\n"},
        {"outputs 2 and 3 get ids of their own", ".,(.data=2),.",
         HEAD "\"type\":\"t\",\"data\":1.0}",
         HEAD "\"type\":\"t\",\"data\":1.0}\n"
              "{\"specversion\":\"1.0\",\"id\":\"7#2\",\"source\":\"/s\","
              "\"type\":\"t\",\"data\":2}\n"
              "{\"specversion\":\"1.0\",\"id\":\"7#3\",\"source\":\"/s\","
              "\"type\":\"t\",\"data\":1.0}\n"},
        {"an output with an id of its own keeps it", "(.id=\"8\"),.",
         HEAD "\"type\":\"t\"}",
         "{\"specversion\":\"1.0\",\"id\":\"8\",\"source\":\"/s\","
         "\"type\":\"t\"}\n" HEAD "\"type\":\"t\"}\n"},
        {"nothing comes out of empty", "empty", HEAD "\"type\":\"t\"}", ""},
        {"an error in the second output takes the first back", ".,error(\"x\")",
         HEAD "\"type\":\"t\"}", "dead: dpp-transform: x"},
        {"an output that is no event is dead, with a hint", ".data",
         HEAD "\"type\":\"t\",\"data\":[1]}",
         "dead: dpp-transform: output 1: array is no event; an output must"},
        {"so is one without an id", "del(.id)", HEAD "\"type\":\"t\"}",
         "dead: dpp-transform: output 1: no CloudEvents event: no \"id\""},
        {"an attribute that is no string is dead", ".partitionkey=1",
         HEAD "\"type\":\"t\"}",
         "dead: dpp-transform: output 1: member \"partitionkey\" is no string"},
        {"an output cannot become a control line", "{dpp:\"end\"}+.",
         HEAD "\"type\":\"t\"}",
         "dead: dpp-transform: output 1: a member \"dpp\" in an event"},
        {"halt gives the event up", "halt", HEAD "\"type\":\"t\"}",
         "dead: dpp-transform: the program halted"},
        {"after halt_error comes its message", "\"m\"|halt_error",
         HEAD "\"type\":\"t\"}", "dead: dpp-transform: the program halted: m"},
        {"an error that is no text is printed", "error({a:1})",
         HEAD "\"type\":\"t\"}", "dead: dpp-transform: {\"a\":1}"},
        {"input is not available", "input", HEAD "\"type\":\"t\"}",
         "dead: dpp-transform: input and inputs are not available"},
        {"a name with an escape is no event", ".",
         HEAD "\"type\":\"t\",\"\\u0064ata\":1}", "an escape in a member's"},
        {"select() with an escape in the value asks libjq",
         "select(.type==\"t\")", HEAD "\"type\":\"\\u0074\"}",
         HEAD "\"type\":\"\\u0074\"}\n"},
        {"select() drops without libjq", "select(.type==\"t\")|.data",
         HEAD "\"type\":\"u\"}", ""},
    };
    struct buf out;

    buf_init(&out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *want = cases[i].want;
        const bool whole = want[0] == '\0' || want[strlen(want) - 1] == '\n';
        run(cases[i].program, slice_of(cases[i].line), &out);
        const char *have = buf_cstr(&out);
        const bool good = whole ? strcmp(have, want) == 0
                                : strncmp(have, want, strlen(want)) == 0;
        if (!unit_check(good, "%s", cases[i].what)) {
            printf("# have %s\n# want %s\n", have, want);
        }
    }
    buf_release(&out);
}

/* program over HEAD + members + the body in base 64 */
static bool body_is(const char *program, const char *members, const char *body,
                    const char *want)
{
    struct buf line;
    struct buf out;
    struct buf coded;

    buf_init(&line);
    buf_init(&out);
    buf_init(&coded);
    base64_encode(&coded, body, strlen(body));
    buf_printf(&line, HEAD "%s\"data_base64\":\"%s\"}", members,
               buf_cstr(&coded));
    run(program, buf_slice(&line), &out);
    if (want == NULL) {
        buf_putc(&line, '\n');
        want = buf_cstr(&line);
    }
    const bool good = strcmp(buf_cstr(&out), want) == 0;
    if (!good) {
        printf("# have %s\n# want %s\n", buf_cstr(&out), want);
    }
    buf_release(&line);
    buf_release(&out);
    buf_release(&coded);
    return good;
}

static void test_bodies(void)
{
    static const char json[] =
        "\"type\":\"t\",\"datacontenttype\":\"application/json\",";
    static const char text[] =
        "\"type\":\"t\",\"datacontenttype\":\"text/plain\",";

    unit_check(body_is("select(.data.a==1)", json, "{\n \"a\": 1.0\n}", NULL),
               "a pretty-printed body is seen as .data, and passes as it was");
    unit_check(body_is(".data.a=2", json, "{\n \"a\": 1.0,\n \"b\": 1.0\n}",
                       HEAD "\"type\":\"t\",\"datacontenttype\":\"application/"
                            "json\",\"data\":{\"a\":2,\"b\":1.0}}\n"),
               "if it changes, data takes the place of data_base64");
    unit_check(body_is("del(.data)", json, "{\n}",
                       HEAD "\"type\":\"t\",\"datacontenttype\":\"application/"
                            "json\"}\n"),
               "if it is removed, so is data_base64");
    unit_check(body_is("select(has(\"data_base64\") and (has(\"data\")|not))",
                       text, "{}", NULL),
               "a body of another type stays in data_base64");
    unit_check(body_is("select(has(\"data_base64\"))", json, "{\"a\":}", NULL),
               "so does a broken one");
    unit_check(body_is("select(has(\"data_base64\"))", json, "", NULL),
               "and an empty one");
    unit_check(body_is(".data=(.data_base64|@base64d)", text, "hi",
                       HEAD "\"type\":\"t\",\"datacontenttype\":\"text/"
                            "plain\",\"data\":\"hi\"}\n"),
               "new data takes the place of data_base64");
    unit_check(
        body_is("select(.data.a==1)", "\"type\":\"t\",", " {\"a\":1}", NULL),
        "a body without a type is taken for JSON");
    unit_check(body_is(".data.a=2|.data_base64=\"AA==\"", json, " {}",
                       "dead: dpp-transform: output 1: both data and "
                       "data_base64"),
               "data and data_base64 together are no event");
}

static void test_depth(void)
{
    struct buf line;
    struct buf out;

    buf_init(&line);
    buf_init(&out);
    buf_puts(&line, HEAD "\"type\":\"t\",\"data\":");
    for (int i = 0; i < 5000; i++) {
        buf_putc(&line, '[');
    }
    for (int i = 0; i < 5000; i++) {
        buf_putc(&line, ']');
    }
    buf_putc(&line, '}');
    run(".", buf_slice(&line), &out);
    unit_check(out.n == line.n + 1 && memcmp(out.p, line.p, line.n) == 0,
               "an event that is nested deep passes the program .");
    run("select(.type==\"t\")", buf_slice(&line), &out);
    unit_check(out.n == line.n + 1, "and a select() on its type");
    run(".data=1", buf_slice(&line), &out);
    unit_check(
        strncmp(buf_cstr(&out), "dead: dpp-transform: nested deeper", 34) == 0,
        "under another program it is dead");
    run(".data=(reduce range(3000) as $i (0; [.]))",
        SLICE(HEAD "\"type\":\"t\"}"), &out);
    unit_check(strncmp(buf_cstr(&out),
                       "dead: dpp-transform: output 1: nested too deep",
                       46) == 0,
               "so is what a program nests too deep");
    buf_release(&line);
    buf_release(&out);
}

static void test_compile(void)
{
    static const struct {
        const char *program;
        const char *says;
    } cases[] = {
        {".a b", "the program, line 1: syntax error"},
        {".a\n| b", "the program, line 2: b/0 is not defined"},
        {"import \"nope\" as n; .", "the program, line 1: module not found"},
        {"{", "the program, line 1: syntax error"},
        {"$x", "the program, line 1: $x is not defined"},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct transform_options o = {.program = cases[i].program};
        struct err e = {0};
        struct transform *t = transform_new(&o, &e);
        const char *says = cases[i].says;
        const bool good = says == NULL
                              ? t != NULL
                              : t == NULL && e.status == STATUS_USAGE &&
                                    strncmp(e.text, says, strlen(says)) == 0 &&
                                    strchr(e.text, '\n') == NULL;
        if (!unit_check(good, "compiling \"%s\" %s", shown(cases[i].program),
                        says == NULL ? "works" : "fails with one line")) {
            printf("# %s\n", e.text);
        }
        transform_free(t);
    }
}

int main(void)
{
    const uint64_t seed = gen_seed();

    printf("# DPP_SEED=%llu\n", (unsigned long long)seed);
    test_understood();
    test_random_select(seed);
    test_events();
    test_bodies();
    test_depth();
    test_compile();
    return unit_end();
}
