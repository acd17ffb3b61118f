#include "http/fields.h"

#include "http/message.h"

#define T     BYTE_TOKEN
#define V     BYTE_VALUE
#define U     BYTE_TARGET
#define X     BYTE_HEX
#define Q     BYTE_QUOTED
#define ALPHA (T | V | U | Q)
#define HEX   (T | V | U | X | Q)
#define MARK  (T | V | U | Q) /* of a token, and of a target */
#define DELIM (V | U | Q)     /* of a target, of no token */

/* Target: visible ASCII but for '"' '#' '<' '>' '\' '^' '`'. '{', '|' and '}'
 * are no URI characters, but senders use them in queries. */
const uint8_t http_byte_class[256] = {
    ['\t'] = V | Q,
    [' '] = V | Q,
    ['!'] = MARK,
    ['"'] = V,
    ['#'] = T | V | Q,
    ['$'] = MARK,
    ['%'] = MARK,
    ['&'] = MARK,
    ['\''] = MARK,
    ['('] = DELIM,
    [')'] = DELIM,
    ['*'] = MARK,
    ['+'] = MARK,
    [','] = DELIM,
    ['-'] = MARK,
    ['.'] = MARK,
    ['/'] = DELIM,
    ['0' ... '9'] = HEX,
    [':'] = DELIM,
    [';'] = DELIM,
    ['<'] = V | Q,
    ['='] = DELIM,
    ['>'] = V | Q,
    ['?'] = DELIM,
    ['@'] = DELIM,
    ['A' ... 'F'] = HEX,
    ['G' ... 'Z'] = ALPHA,
    ['['] = DELIM,
    ['\\'] = V,
    [']'] = DELIM,
    ['^'] = T | V | Q,
    ['_'] = MARK,
    ['`'] = T | V | Q,
    ['a' ... 'f'] = HEX,
    ['g' ... 'z'] = ALPHA,
    ['{'] = DELIM,
    ['|'] = MARK,
    ['}'] = DELIM,
    ['~'] = MARK,
    [0x80 ... 0xff] = V | Q,
};

int http_refuse(struct http_parser *p, unsigned status, const char *why)
{
    p->status = (uint16_t)status;
    p->why = why;
    return -1;
}

static bool all_of(struct slice s, int class)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!byte_is(s.p[i], class)) {
            return false;
        }
    }
    return true;
}

bool http_token_valid(struct slice s)
{
    return s.n > 0 && all_of(s, BYTE_TOKEN);
}

bool http_value_valid(struct slice s)
{
    return all_of(s, BYTE_VALUE);
}

/* --- the target --------------------------------------------------------- */

/* One segment of a path: neither empty (but for the last) nor a dot segment,
 * spelled in whatever way. Paths are compared as they were sent; these are
 * the ones that a proxy may rewrite. */
static bool segment_plain(const char *p, const char *end)
{
    unsigned dots = 0;

    for (const char *c = p; c < end;) {
        if (*c == '.') {
            c++;
        } else if (end - c >= 3 && c[0] == '%' && c[1] == '2' &&
                   (c[2] | 0x20) == 'e') {
            c += 3;
        } else {
            return true;
        }
        dots++;
    }
    return dots > 2;
}

static int check_path(struct http_parser *p, struct slice path)
{
    const char *end = path.p + path.n;
    const char *s = path.p + 1;

    for (const char *c = s; c <= end; c++) {
        if (c < end && *c != '/') {
            continue;
        }
        if ((c > s || c < end) && !segment_plain(s, c)) {
            return http_refuse(p, 400, "empty or dot segment in the path");
        }
        s = c + 1;
    }
    return 0;
}

static int check_escapes(struct http_parser *p, struct slice t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != '%') {
            continue;
        }
        if (t.n - i < 3 || !byte_is(t.p[i + 1], BYTE_HEX) ||
            !byte_is(t.p[i + 2], BYTE_HEX)) {
            return http_refuse(p, 400, "broken percent escape in the target");
        }
        if (t.p[i + 1] == '0' && t.p[i + 2] == '0') {
            return http_refuse(p, 400, "NUL in the target");
        }
    }
    return 0;
}

int http_check_target(struct http_parser *p)
{
    const struct slice t = {p->buf->p + p->target.at, p->target.n};

    if (t.n == 0 || t.p[0] != '/') {
        return http_refuse(p, 400, "the target is no path");
    }
    const char *q = memchr(t.p, '?', t.n);
    const struct slice path = {t.p, q != NULL ? (size_t)(q - t.p) : t.n};
    return check_escapes(p, t) < 0 ? -1 : check_path(p, path);
}

/* --- fields ------------------------------------------------------------- */

static int check_host(struct http_parser *p, struct slice v)
{
    if (p->has_host) {
        return http_refuse(p, 400, "two Host fields");
    }
    p->has_host = true;
    const char *port = v.n > 0 ? memrchr(v.p, ':', v.n) : NULL;
    const char *bracket = v.n > 0 ? memrchr(v.p, ']', v.n) : NULL;
    if (port != NULL && (bracket == NULL || port > bracket)) {
        for (const char *c = port + 1; c < v.p + v.n; c++) {
            if (*c < '0' || *c > '9') {
                return http_refuse(p, 400, "bad port in Host");
            }
        }
        v.n = (size_t)(port - v.p);
    }
    const bool ip6 = v.n > 2 && v.p[0] == '[' && v.p[v.n - 1] == ']';
    const struct slice name = ip6 ? (struct slice){v.p + 1, v.n - 2} : v;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];
        if (c == ':' ? !ip6
                     : c == '/' || c == '?' || c == '@' || c == '[' ||
                           c == ']' || c == ',' || c == '|' || c == '{' ||
                           c == '}' || c == '%' || !byte_is(c, BYTE_TARGET)) {
            return http_refuse(p, 400, "bad Host");
        }
    }
    return name.n > 0 ? 0 : http_refuse(p, 400, "empty Host");
}

static int check_length(struct http_parser *p, struct slice v)
{
    if (p->has_length) {
        return http_refuse(p, 400, "two Content-Length fields");
    }
    p->has_length = true;
    if (p->tab) {
        return http_refuse(p, 400, "a tab beside Content-Length");
    }
    uint64_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') {
            return http_refuse(p, 400, "Content-Length is no number");
        }
        /* Beyond 2^50 only "too large" matters, and it must not wrap. */
        if (n < (uint64_t)1 << 50) {
            n = n * 10 + (uint64_t)(v.p[i] - '0');
        }
    }
    p->left = n;
    return v.n > 0 ? 0 : http_refuse(p, 400, "empty Content-Length");
}

static int check_encoding(struct http_parser *p, struct slice v)
{
    if (p->chunked) {
        return http_refuse(p, 400, "two Transfer-Encoding fields");
    }
    if (p->tab || !http_name_is(v, SLICE("chunked"))) {
        return http_refuse(p, 400, "Transfer-Encoding is not just chunked");
    }
    p->chunked = true;
    return 0;
}

static int check_connection(struct http_parser *p, struct slice v)
{
    const char *end = v.p + v.n;

    for (const char *c = v.p; c < end;) {
        const char *comma = memchr(c, ',', (size_t)(end - c));
        const char *stop = comma != NULL ? comma : end;
        while (c < stop && (*c == ' ' || *c == '\t')) {
            c++;
        }
        const char *last = stop;
        while (last > c && (last[-1] == ' ' || last[-1] == '\t')) {
            last--;
        }
        const struct slice token = {c, (size_t)(last - c)};
        if (token.n > 0 && !http_token_valid(token)) {
            return http_refuse(p, 400, "bad Connection");
        }
        p->close |= http_name_is(token, SLICE("close"));
        c = comma != NULL ? comma + 1 : end;
    }
    return 0;
}

static int check_expect(struct http_parser *p, struct slice v)
{
    if (!http_name_is(v, SLICE("100-continue"))) {
        return http_refuse(p, 417, "unknown expectation");
    }
    p->expect = true;
    return 0;
}

static const struct {
    struct slice name;
    int (*check)(struct http_parser *, struct slice value);
} framing[] = {
    {SLICE("host"), check_host},
    {SLICE("content-length"), check_length},
    {SLICE("transfer-encoding"), check_encoding},
    {SLICE("connection"), check_connection},
    {SLICE("expect"), check_expect},
};

int http_check_field(struct http_parser *p, struct slice name,
                     struct slice value)
{
    for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++) {
        if (http_name_is(name, framing[i].name)) {
            return framing[i].check(p, value);
        }
    }
    return 0;
}

int http_check_trailer(struct http_parser *p, struct slice name)
{
    for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++) {
        if (http_name_is(name, framing[i].name)) {
            return http_refuse(p, 400, "framing in a trailer");
        }
    }
    return 0;
}

int http_check_head(struct http_parser *p)
{
    if (!p->has_host && !p->v10) {
        return http_refuse(p, 400, "no Host");
    }
    if (p->chunked && p->v10) {
        return http_refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
    }
    if (p->chunked && p->has_length) {
        return http_refuse(p, 400, "Content-Length and Transfer-Encoding");
    }
    if (!p->chunked && p->left > p->max_body) {
        return http_refuse(p, 413, "the body is too large");
    }
    p->close |= p->v10;
    p->expect &= !p->v10;
    return 0;
}

/* --- what was read ------------------------------------------------------ */

bool http_parser_started(const struct http_parser *p)
{
    return p->head > 0;
}

static struct slice span(const struct http_parser *p, struct http_span s)
{
    return (struct slice){p->buf->p + s.at, s.n};
}

struct slice http_parser_method(const struct http_parser *p)
{
    return span(p, p->method);
}

struct slice http_parser_path(const struct http_parser *p)
{
    struct slice t = span(p, p->target);
    const char *q = memchr(t.p, '?', t.n);

    if (q != NULL) {
        t.n = (size_t)(q - t.p);
    }
    return t;
}

struct slice http_parser_query(const struct http_parser *p)
{
    const struct slice t = span(p, p->target);
    const size_t path = http_parser_path(p).n;

    return path == t.n ? (struct slice){t.p + t.n, 0}
                       : (struct slice){t.p + path + 1, t.n - path - 1};
}

void http_parser_field(const struct http_parser *p, unsigned i,
                       struct http_field *f)
{
    f->name = span(p, p->field[i][0]);
    f->value = span(p, p->field[i][1]);
}

struct slice http_parser_body(const struct http_parser *p)
{
    return (struct slice){p->buf->p + p->body_at, p->body_n};
}

void http_message_of(struct http_message *m, const struct http_parser *p,
                     struct http_field room[HTTP_FIELDS_MAX])
{
    *m = (struct http_message){
        .method = http_parser_method(p),
        .path = http_parser_path(p),
        .query = http_parser_query(p),
        .body = http_parser_body(p),
        .field = room,
        .fields = p->fields,
    };
    for (unsigned i = 0; i < p->fields; i++) {
        http_parser_field(p, i, &room[i]);
    }
}

unsigned http_message_find(const struct http_message *m, const char *name,
                           struct slice *value)
{
    const struct slice wanted = slice_of(name);
    unsigned found = 0;

    for (unsigned i = 0; i < m->fields; i++) {
        if (http_name_is(m->field[i].name, wanted) && found++ == 0) {
            *value = m->field[i].value;
        }
    }
    return found;
}
