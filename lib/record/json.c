/* States of scan(): at `value` a value must come, at `after` one is complete.
 * The bit stack holds one bit for each open container, 1 for an object. */
#include "record/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { INLINE_LEVELS = 1024 };

struct bits {
    uint8_t *p;
    size_t levels; /* room */
    size_t depth;
    uint8_t room[INLINE_LEVELS / 8];
};

static void push(struct bits *b, bool object)
{
    if (b->depth == b->levels) {
        uint8_t *p = mem_alloc(b->levels / 4);
        memcpy(p, b->p, b->levels / 8);
        if (b->p != b->room) {
            free(b->p);
        }
        b->p = p;
        b->levels *= 2;
    }
    const uint8_t bit = (uint8_t)(1U << (b->depth & 7));
    uint8_t *at = &b->p[b->depth >> 3];
    *at = (uint8_t)(object ? *at | bit : *at & ~bit);
    b->depth++;
}

static bool top_is_object(const struct bits *b)
{
    const size_t d = b->depth - 1;

    return (b->p[d >> 3] >> (d & 7) & 1) != 0;
}

static inline const char *blanks(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) {
        p++;
    }
    return p;
}

/* Length of the valid UTF-8 sequence at p (first byte >= 0x80), or 0. */
static size_t utf8_len(const char *s, const char *end)
{
    const unsigned char *p = (const unsigned char *)s;
    const size_t left = (size_t)(end - s);
    size_t n;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
    } else {
        return 0;
    }
    if (left < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0; /* overlong, surrogate, above U+10FFFF */
    }
    return n;
}

bool utf8_valid(struct slice s)
{
    if (s.n == 0) {
        return true;
    }
    const char *end = s.p + s.n;
    size_t n;
    for (const char *p = s.p; p < end; p += n) {
        uint64_t eight = ~0ULL;
        if (end - p >= 8) {
            memcpy(&eight, p, 8);
        }
        n = (eight & 0x8080808080808080ULL) == 0 ? 8
            : (unsigned char)*p < 0x80           ? 1
                                                 : utf8_len(p, end);
        if (n == 0) {
            return false;
        }
    }
    return true;
}

/* Over bytes that need no look: no quote, backslash, control, non-ASCII. */
static inline const char *plain(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i low = _mm_set1_epi8(0x20);
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* signed: bytes above 0x7f are below 0x20 as well */
        const __m128i hit = _mm_or_si128(
            _mm_cmplt_epi8(v, low),
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        const int mask = _mm_movemask_epi8(hit);
        if (mask != 0) {
            return p + __builtin_ctz((unsigned)mask);
        }
    }
#endif
    while (p < end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }
    return p;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static const char *escape(const char *p, const char *end)
{
    if (end - p < 2) {
        return NULL;
    }
    if (p[1] != 'u') {
        return strchr("\"\\/bfnrt", p[1]) != NULL && p[1] != '\0' ? p + 2
                                                                  : NULL;
    }
    if (end - p < 6) {
        return NULL;
    }
    for (int i = 2; i < 6; i++) {
        if (hex_value(p[i]) < 0) {
            return NULL;
        }
    }
    return p + 6;
}

/* A string goes on at p with what plain() stops at. */
static const char *rest_of_string(const char *p, const char *end)
{
    while (p < end && *p != '"') {
        const size_t n = (unsigned char)*p >= 0x80 ? utf8_len(p, end) : 0;
        const char *next = *p == '\\' ? escape(p, end) : n > 0 ? p + n : NULL;
        if (next == NULL) {
            return NULL;
        }
        p = plain(next, end);
    }
    return p < end ? p + 1 : NULL;
}

/* p behind the opening quote; returns behind the closing one. */
static inline const char *string(const char *p, const char *end)
{
    p = plain(p, end);
    return p < end && *p == '"' ? p + 1 : rest_of_string(p, end);
}

static const char *digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p > start ? p : NULL;
}

static const char *number(const char *p, const char *end)
{
    if (p < end && *p == '-') {
        p++;
    }
    if (p < end && *p == '0') {
        p++;
    } else if ((p = digits(p, end)) == NULL) {
        return NULL;
    }
    if (p < end && *p == '.' && (p = digits(p + 1, end)) == NULL) {
        return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        p = digits(p, end);
    }
    return p;
}

static const char *word(const char *p, const char *end, struct slice w)
{
    return (size_t)(end - p) >= w.n && memcmp(p, w.p, w.n) == 0 ? p + w.n
                                                                : NULL;
}

static const char *scalar(const char *p, const char *end)
{
    switch (*p) {
    case '"':
        return string(p + 1, end);
    case 't':
        return word(p, end, SLICE("true"));
    case 'f':
        return word(p, end, SLICE("false"));
    case 'n':
        return word(p, end, SLICE("null"));
    default:
        return number(p, end);
    }
}

/* "key" : at p; returns behind the colon. */
static const char *member(const char *p, const char *end, struct slice *key)
{
    if (p == end || *p != '"') {
        return NULL;
    }
    const char *q = string(p + 1, end);
    if (q == NULL) {
        return NULL;
    }
    if (key != NULL) {
        *key = (struct slice){p + 1, (size_t)(q - p) - 2};
    }
    q = blanks(q, end);
    return q < end && *q == ':' ? q + 1 : NULL;
}

/* Opens a container at p, or skips a scalar. *complete: a value ended. */
static const char *enter(const char *p, const char *end, struct bits *b,
                         bool *complete)
{
    *complete = true;
    if (*p != '{' && *p != '[') {
        return scalar(p, end);
    }
    const bool object = *p == '{';
    p = blanks(p + 1, end);
    if (p < end && *p == (object ? '}' : ']')) {
        return p + 1;
    }
    *complete = false;
    push(b, object);
    return object ? member(p, end, NULL) : p;
}

/* Behind a complete value inside a container. */
static const char *leave(const char *p, const char *end, struct bits *b,
                         bool *complete)
{
    const bool object = top_is_object(b);

    p = blanks(p, end);
    if (p == end) {
        return NULL;
    }
    if (*p == ',') {
        *complete = false;
        p = blanks(p + 1, end);
        return object ? member(p, end, NULL) : p;
    }
    if (*p != (object ? '}' : ']')) {
        return NULL;
    }
    b->depth--;
    return p + 1;
}

/* Over one value, blanks before it included; NULL if it is not valid. */
static const char *scan(const char *p, const char *end)
{
    struct bits b;
    bool complete = false;

    b.p = b.room;
    b.levels = INLINE_LEVELS;
    b.depth = 0;
    do {
        if (complete) {
            p = leave(p, end, &b, &complete);
        } else {
            p = blanks(p, end);
            p = p < end ? enter(p, end, &b, &complete) : NULL;
        }
    } while (p != NULL && (!complete || b.depth > 0));
    if (b.p != b.room) {
        free(b.p);
    }
    return p;
}

const char *json_skip(const char *p, const char *end)
{
    return scan(p, end);
}

bool json_valid(struct slice text)
{
    const char *end = text.p + text.n;
    const char *p = scan(text.p, end);

    return p != NULL && blanks(p, end) == end;
}

void json_walk_init(struct json_walk *w, struct slice text)
{
    *w = (struct json_walk){text.p, text.p + text.n, false};
}

int json_walk_next(struct json_walk *w, struct slice *key, struct slice *value)
{
    const char *p = blanks(w->p, w->end);

    if (p == w->end) {
        return -1;
    }
    if (*p != (w->started ? ',' : '{') && (!w->started || *p != '}')) {
        return -1;
    }
    bool close = *p == '}';
    p = blanks(p + 1, w->end);
    if (!close && !w->started && p < w->end && *p == '}') {
        close = true;
        p++;
    }
    w->started = true;
    if (close) {
        return blanks(p, w->end) == w->end ? 0 : -1;
    }
    p = member(p, w->end, key);
    if (p == NULL) {
        return -1;
    }
    const char *start = blanks(p, w->end);
    p = start < w->end && *start == '"' ? string(start + 1, w->end)
                                        : scan(start, w->end);
    if (p == NULL) {
        return -1;
    }
    *value = (struct slice){start, (size_t)(p - start)};
    w->p = p;
    return 1;
}

static void put_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xc0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_putc(b, (char)(0xe0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(b, (char)(0xf0 | c >> 18));
        buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    }
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        v = v << 4 | (unsigned)hex_value(p[i]);
    }
    return v;
}

/* p at the backslash of a valid escape; returns behind it. */
static const char *decode_escape(struct buf *b, const char *p, const char *end)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";

    if (p[1] != 'u') {
        buf_putc(b, to[strchr(from, p[1]) - from]);
        return p + 2;
    }
    unsigned c = hex4(p + 2);
    p += 6;
    if (c >= 0xd800 && c <= 0xdbff && end - p >= 6 && p[0] == '\\' &&
        p[1] == 'u') {
        const unsigned low = hex4(p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            put_utf8(b, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
            return p + 6;
        }
    }
    put_utf8(b, c >= 0xd800 && c <= 0xdfff ? 0xfffd : c);
    return p;
}

void json_decode(struct buf *b, struct slice s)
{
    const char *p = s.p + 1;
    const char *end = s.p + s.n - 1;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const char *stop = slash != NULL ? slash : end;
        buf_append(b, p, (size_t)(stop - p));
        p = slash != NULL ? decode_escape(b, slash, end) : end;
    }
}

static void encode_special(struct buf *b, unsigned char c)
{
    static const char name[] = "\b\f\n\r\t\"\\";
    static const char letter[] = "bfnrt\"\\";
    const char *at = c != 0 ? strchr(name, c) : NULL;

    if (at != NULL) {
        buf_putc(b, '\\');
        buf_putc(b, letter[at - name]);
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

void json_encode(struct buf *b, struct slice s)
{
    const char *end = s.n > 0 ? s.p + s.n : s.p;

    buf_putc(b, '"');
    for (const char *p = s.p; p < end;) {
        const char *q = plain(p, end);
        buf_append(b, p, (size_t)(q - p));
        p = q;
        if (p == end) {
            break;
        }
        if ((unsigned char)*p < 0x80) {
            encode_special(b, (unsigned char)*p++);
            continue;
        }
        const size_t n = utf8_len(p, end);
        if (n == 0) {
            buf_puts(b, "\xef\xbf\xbd");
            p++;
        } else {
            buf_append(b, p, n);
            p += n;
        }
    }
    buf_putc(b, '"');
}

bool json_count(struct slice v, unsigned long long *out)
{
    unsigned long long n = 0;

    if (v.n == 0 || v.n > 16) {
        return false;
    }
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') {
            return false;
        }
        n = n * 10 + (unsigned)(v.p[i] - '0');
    }
    *out = n;
    return n <= 1ULL << 53;
}
