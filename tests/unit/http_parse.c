/* Each case of http_cases.txt in one piece, cut in two at every byte, and byte
 * by byte: the parser must say the same each time, and what is written there.
 *
 *     # a title
 *     > bytes            joined; \r \n \t \\ \xHH, \{N*text} repeats
 *     what must come     400 and why, or
 *                        ok METHOD PATH QUERY FIELDS "body" [rest N] [close]
 *                        [continue] */
#include "http/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "unit.h"

enum { MAX_BODY = 1048576, SHOWN = 60 };

static void escape(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n && i < SHOWN; i++) {
        const char c = s.p[i];
        if (c == '\r' || c == '\n') {
            buf_puts(out, c == '\r' ? "\\r" : "\\n");
        } else if (c < ' ' || c > '~' || c == '"' || c == '\\') {
            buf_printf(out, "\\x%02x", (unsigned char)c);
        } else {
            buf_putc(out, c);
        }
    }
    if (s.n > SHOWN) {
        buf_printf(out, "... %zu", s.n);
    }
}

static void show(struct buf *out, const struct http_parser *p, size_t rest)
{
    const struct slice query = http_parser_query(p);

    buf_puts(out, "ok ");
    buf_append_slice(out, http_parser_method(p));
    buf_putc(out, ' ');
    escape(out, http_parser_path(p));
    buf_putc(out, ' ');
    escape(out, query.n > 0 ? query : SLICE("-"));
    buf_printf(out, " %u \"", p->fields);
    escape(out, http_parser_body(p));
    buf_putc(out, '"');
    if (rest > 0) {
        buf_printf(out, " rest %zu", rest);
    }
    buf_puts(out, p->close ? " close" : "");
    buf_puts(out, p->expect ? " continue" : "");
}

/* Feed in pieces that end at the given places; false where it took more. */
static void run(struct buf *out, struct slice in, size_t cut, size_t piece)
{
    struct http_parser p;
    struct buf b;
    enum http_parse r = HTTP_PARSE_MORE;
    size_t at = 0;
    unsigned heads = 0;

    buf_init(&b);
    http_parser_init(&p, &b, MAX_BODY);
    buf_clear(out);
    while (at < in.n && r != HTTP_PARSE_DONE && r != HTTP_PARSE_BAD) {
        size_t used;
        size_t n = at < cut ? cut - at : in.n - at;
        n = n > piece ? piece : n;
        /* Its own memory, so that a sanitizer sees a look beyond. */
        char *copy = malloc(n);
        memcpy(copy, in.p + at, n);
        r = http_parser_feed(&p, copy, n, &used);
        free(copy);
        heads += r == HTTP_PARSE_HEAD;
        if (r == HTTP_PARSE_MORE && used != n) {
            buf_puts(out, "did not take all ");
        }
        at += used;
    }
    if (r == HTTP_PARSE_DONE) {
        show(out, &p, in.n - at);
        const bool body = p.chunked || p.body_n > 0;
        buf_puts(out, heads == body ? "" : " wrong heads");
    } else if (r == HTTP_PARSE_BAD) {
        buf_printf(out, "%u %s", p.status, p.why);
    } else {
        buf_puts(out, "more");
    }
    buf_release(&b);
}

static bool same(struct slice in, const char *want, size_t cut, size_t piece)
{
    struct buf got;

    buf_init(&got);
    run(&got, in, cut, piece);
    const bool good = slice_is(buf_slice(&got), want);
    if (!good) {
        printf("# cut at %zu, pieces of %zu\n# is:     %s\n# wanted: %s\n", cut,
               piece, buf_cstr(&got), want);
    }
    buf_release(&got);
    return good;
}

static void check(const char *title, struct slice in, const char *want)
{
    bool good = same(in, want, 0, in.n) && same(in, want, 0, 1);
    size_t step = in.n > 3000 ? 61 : 1;

    for (size_t cut = 1; good && cut < in.n; cut += step) {
        if (in.n - cut < 300) {
            step = 1;
        }
        good = same(in, want, cut, in.n);
    }
    unit_check(good, "%s", title);
}

static const char *unescape_one(struct buf *out, const char *s)
{
    char *end;

    switch (*s) {
    case 'r':
        buf_putc(out, '\r');
        return s + 1;
    case 'n':
        buf_putc(out, '\n');
        return s + 1;
    case 't':
        buf_putc(out, '\t');
        return s + 1;
    case 'x': {
        const char hex[3] = {s[1], s[2], 0};
        buf_putc(out, (char)strtoul(hex, NULL, 16));
        return s + 3;
    }
    default:
        buf_putc(out, *s);
        return s + 1;
    case '{':
        break;
    }
    const unsigned long times = strtoul(s + 1, &end, 10);
    struct buf text;
    buf_init(&text);
    for (s = end + 1; *s != '}';) {
        if (*s == '\\') {
            s = unescape_one(&text, s + 1);
        } else {
            buf_putc(&text, *s++);
        }
    }
    for (unsigned long i = 0; i < times; i++) {
        buf_append_slice(out, buf_slice(&text));
    }
    buf_release(&text);
    return s + 1;
}

static void unescape(struct buf *out, const char *s)
{
    while (*s != '\0') {
        if (*s == '\\') {
            s = unescape_one(out, s + 1);
        } else {
            buf_putc(out, *s++);
        }
    }
}

static unsigned run_cases(char *text)
{
    struct buf in;
    const char *title = "";
    unsigned n = 0;
    char *rest = text;

    buf_init(&in);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] == '#') {
            title = line + 2;
        } else if (line[0] == '>') {
            unescape(&in, line + 2);
        } else if (line[0] != '\0') {
            check(title, buf_slice(&in), line);
            buf_clear(&in);
            n++;
        }
    }
    buf_release(&in);
    return n;
}

int main(void)
{
    struct buf text;
    struct err e;

    buf_init(&text);
    if (file_read("tests/unit/http_cases.txt", MAX_BODY, &text, &e) < 0) {
        printf("not ok - %s\n", e.text);
        return 1;
    }
    (void)buf_cstr(&text);
    const unsigned n = run_cases(text.p);
    unit_check(n >= 300, "%u cases were run", n);
    buf_release(&text);
    return unit_end();
}
