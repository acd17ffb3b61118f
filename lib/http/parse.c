/* The states of a request.
 *
 *   START ─ METHOD ─ TARGET ─ VERSION ─┐
 *     └ (one empty line)               │
 *   ┌──────────────────────────────────┘
 *   FIELD ─ NAME ─ BLANK ─ VALUE ─ VALUE_LF ─┐      once for each field
 *     ▲ └ HEAD_LF ─┐                         │
 *     └────────────┼─────────────────────────┘
 *                  ├─► DONE                         no body
 *                  ├─► BODY ─► DONE                 Content-Length
 *                  └─► SIZE ─ SIZE_MORE ─ (EXT…) ─ SIZE_LF ─┐
 *                        ▲                                  │
 *                        └ DATA_LF ─ DATA_CR ─ DATA ◄───────┤ size > 0
 *                      FIELD … HEAD_LF ─► DONE ◄────────────┘ size 0: trailers
 *
 * Each state is a function that takes as many bytes as it can (none only if it
 * changes the state), so a request in one piece costs a call per element, and
 * one in single bytes runs through the same code. Nothing is looked at twice
 * and no state looks ahead; that is why the cuts between pieces cannot matter.
 *
 * Invariants:
 * - a refusal is decided by the bytes up to that place alone, never by the
 *   size of a piece: limits count bytes, they do not look at what is there;
 * - every line end is CR LF; a CR or LF alone is refused wherever it is;
 * - buf holds method, target, names and values without anything between
 *   them, then the body decoded; spans are offsets, because buf moves as it
 *   grows;
 * - bytes of a head are counted as they come (`head`), so a head that never
 *   ends costs HTTP_HEAD_MAX; a body costs what came of it, whatever its
 *   Content-Length says;
 * - BAD is for ever: what follows a refused request is never looked at. */
#include "http/parse.h"

#include "http/fields.h"

enum state {
    START,
    START_LF,
    METHOD,
    TARGET,
    VERSION,
    FIELD,
    NAME,
    BLANK,
    VALUE,
    VALUE_LF,
    HEAD_LF,
    LAST_OF_HEAD = HEAD_LF, /* states up to here count against the head */
    BODY,
    SIZE,
    SIZE_MORE,
    EXT_NAME,
    EXT_NAME_MORE,
    EXT_VALUE,
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    DONE,
    BAD,
};

typedef const char *step(struct http_parser *, const char *at, const char *end);

/* Leave with a refusal; the byte counts as taken. */
static const char *bad(struct http_parser *p, const char *at, unsigned status,
                       const char *why)
{
    (void)http_refuse(p, status, why);
    p->state = BAD;
    return at + 1;
}

static const char *go(struct http_parser *p, const char *at, enum state next)
{
    p->state = (uint8_t)next;
    return at + 1;
}

static const char *checked(struct http_parser *p, const char *at, int rc,
                           enum state next)
{
    return go(p, at, rc < 0 ? BAD : next);
}

/* Copy the bytes of a class. */
static const char *take(struct http_parser *p, const char *at, const char *end,
                        int class)
{
    const char *stop = at;

    while (stop < end && byte_is(*stop, class)) {
        stop++;
    }
    buf_append(p->buf, at, (size_t)(stop - at));
    return stop;
}

static uint32_t taken(const struct http_parser *p)
{
    return (uint32_t)p->buf->n - p->mark;
}

static void begin(struct http_parser *p)
{
    p->mark = (uint32_t)p->buf->n;
}

/* --- request line ------------------------------------------------------- */

static const char *on_start(struct http_parser *p, const char *at,
                            const char *end)
{
    (void)end;
    if (*at == '\r' && !p->empty_line) {
        p->empty_line = true;
        return go(p, at, START_LF);
    }
    begin(p);
    p->state = METHOD;
    return at;
}

static const char *on_start_lf(struct http_parser *p, const char *at,
                               const char *end)
{
    (void)end;
    return *at == '\n' ? go(p, at, START) : bad(p, at, 400, "bare CR");
}

static const char *on_method(struct http_parser *p, const char *at,
                             const char *end)
{
    const size_t room = HTTP_METHOD_MAX - taken(p);

    at = take(p, at, (size_t)(end - at) > room ? at + room : end, BYTE_TOKEN);
    if (at == end) {
        return at;
    }
    if (*at != ' ' || taken(p) == 0) {
        return bad(p, at, 400, "bad method");
    }
    p->method = (struct http_span){p->mark, taken(p)};
    begin(p);
    return go(p, at, TARGET);
}

static const char *on_target(struct http_parser *p, const char *at,
                             const char *end)
{
    const size_t room = HTTP_TARGET_MAX - taken(p);

    at = take(p, at, (size_t)(end - at) > room ? at + room : end, BYTE_TARGET);
    if (at == end) {
        return at;
    }
    if (taken(p) == HTTP_TARGET_MAX && byte_is(*at, BYTE_TARGET)) {
        return bad(p, at, 414, "the target is too long");
    }
    if (*at != ' ') {
        return bad(p, at, 400,
                   *at == '\r' || *at == '\n' ? "no version"
                                              : "bad byte in the target");
    }
    p->target = (struct http_span){p->mark, taken(p)};
    p->digits = 0;
    return checked(p, at, http_check_target(p), VERSION);
}

static const char *on_version(struct http_parser *p, const char *at,
                              const char *end)
{
    static const char want[] = "HTTP/1.1\r\n";
    enum { MAJOR = 5, MINOR = 7, LAST = 9 };

    (void)end;
    const unsigned i = p->digits++;
    if (*at == want[i]) {
        return i == LAST ? go(p, at, FIELD) : at + 1;
    }
    if (i == MINOR && *at == '0') {
        p->v10 = true;
        return at + 1;
    }
    if ((i == MAJOR || i == MINOR) && *at >= '0' && *at <= '9') {
        return bad(p, at, 505, "another version than HTTP/1.1 or 1.0");
    }
    return bad(p, at, 400, "bad version or line end");
}

/* --- fields ------------------------------------------------------------- */

static bool in_trailer(const struct http_parser *p)
{
    return p->body_at > 0;
}

static const char *on_field(struct http_parser *p, const char *at,
                            const char *end)
{
    (void)end;
    if (*at == '\r') {
        return go(p, at, HEAD_LF);
    }
    if (*at == ' ' || *at == '\t') {
        return bad(p, at, 400, "folded line");
    }
    if (p->fields + p->trailers == HTTP_FIELDS_MAX) {
        return bad(p, at, 431, "too many header fields");
    }
    begin(p);
    p->state = NAME;
    return at;
}

static const char *on_name(struct http_parser *p, const char *at,
                           const char *end)
{
    at = take(p, at, end, BYTE_TOKEN);
    if (at == end) {
        return at;
    }
    if (*at != ':' || taken(p) == 0) {
        return bad(p, at, 400, "bad field name");
    }
    p->name = (struct http_span){p->mark, taken(p)};
    p->tab = false;
    begin(p);
    return go(p, at, BLANK);
}

static const char *on_blank(struct http_parser *p, const char *at,
                            const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        p->tab |= *at++ == '\t';
    }
    if (at < end) {
        p->state = VALUE;
    }
    return at;
}

static const char *on_value(struct http_parser *p, const char *at,
                            const char *end)
{
    at = take(p, at, end, BYTE_VALUE);
    if (at == end) {
        return at;
    }
    return *at == '\r' ? go(p, at, VALUE_LF)
                       : bad(p, at, 400, "bad byte in a field");
}

static const char *on_value_lf(struct http_parser *p, const char *at,
                               const char *end)
{
    (void)end;
    if (*at != '\n') {
        return bad(p, at, 400, "bare CR");
    }
    if (in_trailer(p)) {
        const struct slice name = {p->buf->p + p->name.at, p->name.n};
        p->trailers++;
        p->buf->n = p->name.at;
        return checked(p, at, http_check_trailer(p, name), FIELD);
    }
    while (taken(p) > 0 && (p->buf->p[p->buf->n - 1] == ' ' ||
                            p->buf->p[p->buf->n - 1] == '\t')) {
        p->tab |= p->buf->p[--p->buf->n] == '\t';
    }
    p->field[p->fields][0] = p->name;
    p->field[p->fields][1] = (struct http_span){p->mark, taken(p)};
    struct http_field f;
    http_parser_field(p, p->fields++, &f);
    return checked(p, at, http_check_field(p, f.name, f.value), FIELD);
}

static const char *on_head_lf(struct http_parser *p, const char *at,
                              const char *end)
{
    (void)end;
    if (*at != '\n') {
        return bad(p, at, 400, "bare CR");
    }
    if (in_trailer(p)) {
        return go(p, at, DONE);
    }
    p->body_at = (uint32_t)p->buf->n;
    return checked(p, at, http_check_head(p),
                   p->chunked    ? SIZE
                   : p->left > 0 ? BODY
                                 : DONE);
}

/* --- body --------------------------------------------------------------- */

/* Of a body with a length, or of one chunk. */
static const char *on_data(struct http_parser *p, const char *at,
                           const char *end)
{
    const size_t there = (size_t)(end - at);
    const size_t n = there < p->left ? there : (size_t)p->left;

    buf_append(p->buf, at, n);
    p->left -= n;
    p->body_n += n;
    if (p->left == 0) {
        p->state = p->chunked ? DATA_CR : DONE;
    }
    return at + n;
}

static const char *on_data_cr(struct http_parser *p, const char *at,
                              const char *end)
{
    (void)end;
    return *at == '\r' ? go(p, at, DATA_LF)
                       : bad(p, at, 400, "a chunk is longer than its size");
}

static const char *on_data_lf(struct http_parser *p, const char *at,
                              const char *end)
{
    (void)end;
    return *at == '\n' ? go(p, at, SIZE) : bad(p, at, 400, "bare CR");
}

/* --- chunk sizes -------------------------------------------------------- */

static const char *on_size(struct http_parser *p, const char *at,
                           const char *end)
{
    (void)end;
    if (!byte_is(*at, BYTE_HEX)) {
        return bad(p, at, 400, "bad chunk size");
    }
    p->left = 0;
    p->digits = 0;
    p->state = SIZE_MORE;
    return at;
}

static const char *on_size_more(struct http_parser *p, const char *at,
                                const char *end)
{
    (void)end;
    if (byte_is(*at, BYTE_HEX)) {
        if (++p->digits > 16) {
            return bad(p, at, 400, "bad chunk size");
        }
        p->left = p->left << 4 | hex_value(*at);
        return at + 1;
    }
    if (p->left > p->max_body - p->body_n) {
        return bad(p, at, 413, "the body is too large");
    }
    if (*at == ';') {
        return go(p, at, EXT_NAME);
    }
    return *at == '\r' ? go(p, at, SIZE_LF) : bad(p, at, 400, "bad chunk size");
}

static const char *on_size_lf(struct http_parser *p, const char *at,
                              const char *end)
{
    (void)end;
    return *at == '\n' ? go(p, at, p->left > 0 ? DATA : FIELD)
                       : bad(p, at, 400, "bare CR");
}

/* Extensions, ;name or ;name=value, are read over; without blanks, which
 * RFC 9112 calls bad. */
static const char *on_extension(struct http_parser *p, const char *at,
                                const char *end)
{
    static const struct {
        uint8_t class, next, equals, quote;
        bool may_end;
    } rule[] = {
        [EXT_NAME] = {BYTE_TOKEN, EXT_NAME_MORE, 0, 0, false},
        [EXT_NAME_MORE] = {BYTE_TOKEN, EXT_NAME_MORE, EXT_VALUE, 0, true},
        [EXT_VALUE] = {BYTE_TOKEN, EXT_TOKEN, 0, EXT_QUOTED, false},
        [EXT_TOKEN] = {BYTE_TOKEN, EXT_TOKEN, 0, 0, true},
        [EXT_QUOTED] = {BYTE_QUOTED, EXT_QUOTED, 0, EXT_END, false},
        [EXT_ESCAPE] = {BYTE_VALUE, EXT_QUOTED, 0, 0, false},
        [EXT_END] = {0, 0, 0, 0, true},
    };
    const uint8_t s = p->state;

    (void)end;
    if (++p->extension > HTTP_EXTENSION_MAX) {
        return bad(p, at, 400, "chunk extensions are too long");
    }
    if (byte_is(*at, rule[s].class)) {
        return go(p, at, rule[s].next);
    }
    if (*at == '=' && rule[s].equals != 0) {
        return go(p, at, rule[s].equals);
    }
    if (*at == '"' && rule[s].quote != 0) {
        return go(p, at, rule[s].quote);
    }
    if (*at == '\\' && s == EXT_QUOTED) {
        return go(p, at, EXT_ESCAPE);
    }
    if (rule[s].may_end && (*at == ';' || *at == '\r')) {
        return go(p, at, *at == ';' ? EXT_NAME : SIZE_LF);
    }
    return bad(p, at, 400, "bad chunk extension");
}

/* --- the machine -------------------------------------------------------- */

static step *const steps[] = {
    [START] = on_start,
    [START_LF] = on_start_lf,
    [METHOD] = on_method,
    [TARGET] = on_target,
    [VERSION] = on_version,
    [FIELD] = on_field,
    [NAME] = on_name,
    [BLANK] = on_blank,
    [VALUE] = on_value,
    [VALUE_LF] = on_value_lf,
    [HEAD_LF] = on_head_lf,
    [BODY] = on_data,
    [SIZE] = on_size,
    [SIZE_MORE] = on_size_more,
    [EXT_NAME] = on_extension,
    [EXT_NAME_MORE] = on_extension,
    [EXT_VALUE] = on_extension,
    [EXT_TOKEN] = on_extension,
    [EXT_QUOTED] = on_extension,
    [EXT_ESCAPE] = on_extension,
    [EXT_END] = on_extension,
    [SIZE_LF] = on_size_lf,
    [DATA] = on_data,
    [DATA_CR] = on_data_cr,
    [DATA_LF] = on_data_lf,
};

void http_parser_init(struct http_parser *p, struct buf *buf, uint64_t max_body)
{
    /* The table of fields is written before it is read. */
    memset(p, 0, offsetof(struct http_parser, field));
    p->status = 0;
    p->why = NULL;
    p->buf = buf;
    p->max_body = max_body;
    buf_clear(buf);
}

/* One element of the head, within its limit. */
static const char *step_head(struct http_parser *p, const char *at,
                             const char *end)
{
    const size_t room = HTTP_HEAD_MAX - p->head;

    if (room == 0) {
        return bad(p, at, 431, "the header is too large");
    }
    const char *next =
        steps[p->state](p, at, (size_t)(end - at) > room ? at + room : end);
    p->head += (uint32_t)(next - at);
    return next;
}

enum http_parse http_parser_feed(struct http_parser *p, const char *at,
                                 size_t n, size_t *used)
{
    const char *start = at;
    const char *end = at + n;
    const bool headless = p->body_at == 0;

    while (at < end && p->state < DONE) {
        const bool head = p->state <= LAST_OF_HEAD;
        at = head ? step_head(p, at, end) : steps[p->state](p, at, end);
        if (head && headless && p->body_at > 0) {
            break;
        }
    }
    *used = (size_t)(at - start);
    if (p->state == BAD) {
        return HTTP_PARSE_BAD;
    }
    if (p->state == DONE) {
        return HTTP_PARSE_DONE;
    }
    return headless && p->body_at > 0 ? HTTP_PARSE_HEAD : HTTP_PARSE_MORE;
}
