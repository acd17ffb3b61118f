#include "jq/value.h"

#include <math.h>
#include <stdlib.h>

#include "record/json.h"

void value_keys_init(struct value_keys *k)
{
    memset(k, 0, sizeof *k);
}

void value_keys_release(struct value_keys *k)
{
    for (size_t i = 0; i < VALUE_KEYS; i++) {
        if (k->used[i]) {
            jv_free(k->key[i]);
        }
    }
    buf_release(&k->text);
    value_keys_init(k);
}

struct slice value_text(jv s)
{
    return (struct slice){jv_string_value(s),
                          (size_t)jv_string_length_bytes(jv_copy(s))};
}

/* --- walking valid text --------------------------------------------------- */

const char *value_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }
    return p;
}

/* p behind the opening quote; returns the closing one. */
static const char *string_end(const char *p, const char *end, bool *escaped)
{
    const char *q = json_skip(p - 1, end) - 1;

    *escaped = memchr(p, '\\', (size_t)(q - p)) != NULL;
    return q;
}

/* --- building ------------------------------------------------------------- */

static jv text_value(struct value_keys *k, const char *p, const char *q,
                     bool escaped)
{
    if (!escaped) {
        return jv_string_sized(p, (int)(q - p));
    }
    buf_clear(&k->text);
    json_decode(&k->text, (struct slice){p - 1, (size_t)(q - p) + 2});
    return jv_string_sized(k->text.n > 0 ? k->text.p : "", (int)k->text.n);
}

static jv find_key(struct value_keys *k, const char *p, size_t n)
{
    uint32_t h = 2166136261U;

    for (size_t i = 0; i < n; i++) {
        h = (h ^ (unsigned char)p[i]) * 16777619U;
    }
    h = (h ^ h >> 15) % VALUE_KEYS;
    if (!k->used[h] || k->n[h] != n ||
        memcmp(jv_string_value(k->key[h]), p, n) != 0) {
        if (k->used[h]) {
            jv_free(k->key[h]);
        }
        k->key[h] = jv_string_sized(p, (int)n);
        k->n[h] = (uint8_t)n;
        k->used[h] = true;
    }
    return jv_copy(k->key[h]);
}

static jv key_value(struct value_keys *k, const char *p, const char *q,
                    bool escaped)
{
    const size_t n = (size_t)(q - p);

    return escaped || n > VALUE_KEY_MAX ? text_value(k, p, q, escaped)
                                        : find_key(k, p, n);
}

jv value_key(struct value_keys *k, struct slice raw)
{
    return key_value(k, raw.p, raw.p + raw.n,
                     memchr(raw.p, '\\', raw.n) != NULL);
}

/* Digits into *n while they are few enough to be exact; returns behind them. */
static const char *digits(const char *p, const char *end, uint64_t *n,
                          int *count)
{
    while (p < end && *p >= '0' && *p <= '9') {
        if (++*count <= 18) {
            *n = *n * 10 + (uint64_t)(*p - '0');
        }
        p++;
    }
    return p;
}

/* Where the digits make an integer below 2^53 and the power of ten is exact
 * too, one division gives the nearest double (Clinger 1990); all others go
 * through strtod(). */
static const char *number(struct value_keys *k, const char *p, const char *end,
                          jv *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3, 1e4,  1e5,
                                   1e6,  1e7,  1e8,  1e9, 1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15};
    const char *start = p;
    const bool negative = *p == '-';
    uint64_t n = 0;
    int count = 0;
    int whole;

    p = digits(p + negative, end, &n, &count);
    whole = count;
    if (p < end && *p == '.') {
        p = digits(p + 1, end, &n, &count);
    }
    if (count <= 15 && (p == end || (*p != 'e' && *p != 'E'))) {
        const double d = (double)n / power[count - whole];
        *out = jv_number(negative ? -d : d);
        return p;
    }
    while (p < end && strchr("0123456789.eE+-", *p) != NULL) {
        p++;
    }
    buf_clear(&k->text);
    buf_append(&k->text, start, (size_t)(p - start));
    *out = jv_number(strtod(buf_cstr(&k->text), NULL));
    return p;
}

/* A value that is no container. */
static const char *scalar(struct value_keys *k, const char *p, const char *end,
                          jv *out)
{
    bool escaped;
    const char *q;

    switch (*p) {
    case '"':
        q = string_end(p + 1, end, &escaped);
        *out = text_value(k, p + 1, q, escaped);
        return q + 1;
    case 't':
        *out = jv_true();
        return p + 4;
    case 'f':
        *out = jv_false();
        return p + 5;
    case 'n':
        *out = jv_null();
        return p + 4;
    default:
        return number(k, p, end, out);
    }
}

/* The open containers, from the outside in. */
struct level {
    jv container;
    jv key; /* of the member under way; invalid in an array */
    bool object;
};

/* "key": at p */
static const char *open_member(struct value_keys *k, struct level *l,
                               const char *p, const char *end)
{
    bool escaped;
    const char *q = string_end(p + 1, end, &escaped);

    l->key = key_value(k, p + 1, q, escaped);
    p = value_blanks(q + 1, end) + 1;
    return value_blanks(p, end);
}

static void add(struct level *l, jv v)
{
    if (l->object) {
        l->container = jv_object_set(l->container, l->key, v);
        l->key = jv_invalid();
    } else {
        l->container = jv_array_append(l->container, v);
    }
}

/* Behind a complete value: close what ends here. At depth 0 *v is all of it.
 */
static const char *after(struct value_keys *k, struct level *stack, int *depth,
                         const char *p, const char *end, jv *v)
{
    while (*depth > 0) {
        struct level *l = &stack[*depth - 1];
        add(l, *v);
        p = value_blanks(p, end);
        if (*p == ',') {
            p = value_blanks(p + 1, end);
            return l->object ? open_member(k, l, p, end) : p;
        }
        *v = l->container;
        --*depth;
        p++;
    }
    return p;
}

static void abandon(struct level *stack, int depth)
{
    while (depth-- > 0) {
        jv_free(stack[depth].container);
        jv_free(stack[depth].key);
    }
}

const char *value_parse(struct value_keys *k, const char *p, const char *end,
                        jv *out)
{
    struct level stack[VALUE_DEPTH];
    int depth = 0;
    jv v = jv_invalid();

    p = value_blanks(p, end);
    do {
        if (*p != '{' && *p != '[') {
            p = scalar(k, p, end, &v);
            p = after(k, stack, &depth, p, end, &v);
            continue;
        }
        const bool object = *p == '{';
        p = value_blanks(p + 1, end);
        if (*p == '}' || *p == ']') {
            v = object ? jv_object() : jv_array();
            p = after(k, stack, &depth, p + 1, end, &v);
            continue;
        }
        if (depth == VALUE_DEPTH) {
            abandon(stack, depth);
            return NULL;
        }
        struct level *l = &stack[depth++];
        *l = (struct level){object ? jv_object() : jv_array(), jv_invalid(),
                            object};
        p = object ? open_member(k, l, p, end) : p;
    } while (depth > 0);
    *out = v;
    return p;
}

/* --- printing ------------------------------------------------------------- */

static void print_number(struct buf *out, double d)
{
    if (fabs(d) < 1e15 && d == trunc(d) && !(d == 0 && signbit(d))) {
        buf_printf(out, "%lld", (long long)d);
        return;
    }
    jv s = jv_dump_string(jv_number(d), 0);
    buf_append_slice(out, value_text(s));
    jv_free(s);
}

static int print(struct buf *out, jv v, int depth);

static int print_array(struct buf *out, jv v, int depth)
{
    const int n = jv_array_length(jv_copy(v));
    int rc = 0;

    buf_putc(out, '[');
    for (int i = 0; i < n && rc == 0; i++) {
        jv item = jv_array_get(jv_copy(v), i);
        if (i > 0) {
            buf_putc(out, ',');
        }
        rc = print(out, item, depth);
        jv_free(item);
    }
    buf_putc(out, ']');
    return rc;
}

static int print_object(struct buf *out, jv v, int depth)
{
    const char *sep = "";
    int rc = 0;

    buf_putc(out, '{');
    for (int i = jv_object_iter(v); rc == 0 && jv_object_iter_valid(v, i);
         i = jv_object_iter_next(v, i)) {
        jv key = jv_object_iter_key(v, i);
        jv item = jv_object_iter_value(v, i);
        buf_puts(out, sep);
        json_encode(out, value_text(key));
        buf_putc(out, ':');
        rc = print(out, item, depth);
        sep = ",";
        jv_free(key);
        jv_free(item);
    }
    buf_putc(out, '}');
    return rc;
}

static int print(struct buf *out, jv v, int depth)
{
    switch (jv_get_kind(v)) {
    case JV_KIND_NULL:
        buf_puts(out, "null");
        return 0;
    case JV_KIND_TRUE:
        buf_puts(out, "true");
        return 0;
    case JV_KIND_FALSE:
        buf_puts(out, "false");
        return 0;
    case JV_KIND_NUMBER:
        print_number(out, jv_number_value(v));
        return 0;
    case JV_KIND_STRING:
        json_encode(out, value_text(v));
        return 0;
    case JV_KIND_ARRAY:
        return depth > 0 ? print_array(out, v, depth - 1) : -1;
    case JV_KIND_OBJECT:
        return depth > 0 ? print_object(out, v, depth - 1) : -1;
    default:
        return -1;
    }
}

int value_print(struct buf *out, jv v)
{
    return print(out, v, 2 * VALUE_DEPTH);
}
