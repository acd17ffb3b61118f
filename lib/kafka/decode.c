/* A record becomes an event line: see kafka/record.h.
 *
 * A record is read as an event only if writing that event would give the
 * record again; every doubt makes it a foreign one, which keeps all there is.
 * In binary mode scan() knows the conditions; a structured record is written
 * once more and compared. */
#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"
#include "kafka/form.h"
#include "record/event.h"
#include "record/json.h"

struct decoder {
    struct kafka_scratch *s;
    const struct kafka_record *r;
    struct buf *line;
    size_t start;              /* of the line in its buffer */
    struct slice type;         /* ce_type */
    struct slice partitionkey; /* ce_partitionkey */
    struct slice content_type;
    size_t first_own; /* SIZE_MAX: none */
    size_t last_own;
};

static void put_member(struct buf *b, const char *name, struct slice text)
{
    buf_puts(b, name);
    json_encode(b, text);
}

static void put_base64(struct buf *b, const char *name, struct slice bytes)
{
    buf_puts(b, name);
    buf_putc(b, '"');
    base64_encode(b, bytes.p, bytes.n);
    buf_putc(b, '"');
}

static void put_dpphdr(struct decoder *d, const char *name)
{
    if (d->s->text.n > 0) {
        put_member(d->line, name, buf_slice(&d->s->text));
    }
}

/* The member in front of an event that has this partitionkey (p == NULL:
 * none), so that the record's key comes out, and a comma. An attribute that is
 * itself the first member would not count as one: then dppkey goes before. */
static void put_leading_key(struct decoder *d, struct slice partitionkey,
                            bool first)
{
    const struct slice key = d->r->key;
    struct buf *b = d->line;

    if (key.p == NULL) {
        if (partitionkey.p != NULL) {
            buf_puts(b, "\"dppkey\":null,");
        }
    } else if (partitionkey.p != NULL && !first &&
               slice_eq(key, partitionkey)) {
        return;
    } else if (partitionkey.p == NULL && utf8_valid(key)) {
        put_member(b, "\"partitionkey\":", key);
        buf_putc(b, ',');
    } else {
        put_base64(b, "\"dppkey\":", key);
        buf_putc(b, ',');
    }
}

/* --- binary mode: may it be one? ---------------------------------------- */

enum {
    SPECVERSION,
    ID,
    SOURCE,
    TYPE,
    TIME,
    SUBJECT,
    PARTITIONKEY,
    NAMES,
};

/* Attributes that are strings and come once; NAMES for any other. */
static unsigned find(struct slice name)
{
    static const struct slice names[NAMES] = {
        SLICE("specversion"),  SLICE("id"),   SLICE("source"),
        SLICE("type"),         SLICE("time"), SLICE("subject"),
        SLICE("partitionkey"),
    };

    for (unsigned i = 0; i < NAMES; i++) {
        if (name.n == names[i].n && name.p[1] == names[i].p[1] &&
            memcmp(name.p, names[i].p, name.n) == 0) {
            return i;
        }
    }
    return NAMES;
}

static struct slice attribute_of(const struct header *h)
{
    return (struct slice){h->name.p + 3, h->name.n - 3};
}

static bool scan_attribute(struct decoder *d, const struct header *h,
                           unsigned *seen)
{
    const struct slice name = attribute_of(h);
    const unsigned i = find(name);

    if (h->value.p == NULL || !utf8_valid(h->value) ||
        (i == SPECVERSION && !slice_is(h->value, "1.0"))) {
        return false;
    }
    if (i == NAMES) {
        kafka_names_add(d->s, name);
        return true;
    }
    if (i == TYPE) {
        d->type = h->value;
    } else if (i == PARTITIONKEY) {
        d->partitionkey = h->value;
    }
    const bool twice = (*seen >> i & 1) != 0;
    *seen |= 1U << i;
    return !twice;
}

/* The mark behind an attribute whose text is JSON but for strings and null. */
static bool scan_mark(const struct header *mark, const struct header *h)
{
    const struct slice v = h->value;

    return mark->value.p != NULL && mark->value.n == 0 &&
           find(attribute_of(h)) == NAMES && v.n > 0 && v.p[0] != '"' &&
           v.p[0] != 'n' && memchr(v.p, '\n', v.n) == NULL &&
           memchr(v.p, '\r', v.n) == NULL && strchr(" \t", v.p[0]) == NULL &&
           strchr(" \t", v.p[v.n - 1]) == NULL && json_valid(v);
}

static bool scan_content_type(struct decoder *d, const struct header *h)
{
    const bool first = d->content_type.p == NULL;

    d->content_type = h->value;
    return first && h->value.p != NULL && utf8_valid(h->value) &&
           !kafka_media_is_event(h->value);
}

static bool scan_header(struct decoder *d, size_t i, const char *kinds,
                        unsigned *seen)
{
    const struct header *h = &d->r->headers[i];

    switch ((enum kafka_kind)kinds[i]) {
    case KAFKA_ATTRIBUTE:
        return scan_attribute(d, h, seen);
    case KAFKA_MARK:
        return i > 0 && kinds[i - 1] == KAFKA_ATTRIBUTE && scan_mark(h, h - 1);
    case KAFKA_CONTENT_TYPE:
        return scan_content_type(d, h);
    case KAFKA_OWN:
        d->first_own = d->first_own == SIZE_MAX ? i : d->first_own;
        d->last_own = i;
        break;
    }
    return true;
}

/* A complete event, of which nothing would be written otherwise. */
static bool scan(struct decoder *d)
{
    const unsigned required =
        1U << SPECVERSION | 1U << ID | 1U << SOURCE | 1U << TYPE;
    const size_t n = d->r->n;
    unsigned seen = 0;

    buf_clear(&d->s->kinds);
    char *kinds = buf_reserve(&d->s->kinds, n + 1);
    for (size_t i = 0; i < n; i++) {
        kinds[i] = (char)kafka_kind_of(d->r->headers[i].name, KAFKA_BINARY);
        if (!scan_header(d, i, kinds, &seen)) {
            return false;
        }
    }
    return (seen & required) == required && !kafka_names_repeat(d->s);
}

/* --- binary mode: the line ---------------------------------------------- */

/* Own headers, and how many attributes stand between them. */
static void gather_own(struct decoder *d)
{
    const char *kinds = d->s->kinds.p;
    struct buf *text = &d->s->text;
    size_t between = 0;

    buf_clear(text);
    for (size_t i = d->first_own; i <= d->last_own; i++) {
        if (kinds[i] != KAFKA_OWN) {
            between += kinds[i] != KAFKA_MARK;
            continue;
        }
        if (between > 0) {
            header_put_mark(text, between);
            between = 0;
        }
        struct header h = d->r->headers[i];
        h.name = kafka_name_bare(h.name, KAFKA_BINARY);
        header_put(text, &h);
    }
}

static void put_attribute(struct decoder *d, size_t i)
{
    const struct header *h = &d->r->headers[i];
    const struct slice name = attribute_of(h);
    const bool json = i + 1 < d->r->n && d->s->kinds.p[i + 1] == KAFKA_MARK;
    char *p = buf_reserve(d->line, name.n + 3);

    *p++ = '"';
    memcpy(p, name.p, name.n);
    memcpy(p + name.n, "\":", 2);
    d->line->n += name.n + 3;
    if (json) {
        buf_append_slice(d->line, h->value);
    } else {
        json_encode(d->line, h->value);
    }
    buf_putc(d->line, ',');
}

static bool decode_binary(struct decoder *d)
{
    struct event ev;
    struct err e;
    bool reordered;

    d->first_own = SIZE_MAX;
    d->s->named = 0;
    if (!scan(d)) {
        return false;
    }
    buf_putc(d->line, '{');
    put_leading_key(d, d->partitionkey,
                    slice_is(d->r->headers[0].name, "ce_partitionkey"));
    for (size_t i = 0; i < d->r->n; i++) {
        const char kind = d->s->kinds.p[i];
        if (kind == KAFKA_ATTRIBUTE) {
            put_attribute(d, i);
        } else if (kind == KAFKA_CONTENT_TYPE) {
            put_member(d->line, "\"datacontenttype\":", d->content_type);
            buf_putc(d->line, ',');
        } else if (i == d->first_own) {
            gather_own(d);
            put_dpphdr(d, "\"dpphdr\":");
            buf_putc(d->line, ',');
        }
    }
    d->line->n--;
    if (d->r->value.p != NULL) {
        event_write_value(d->line, d->content_type, d->r->value);
    }
    buf_putc(d->line, '}');
    const struct slice line = {d->line->p + d->start, d->line->n - d->start};
    return !slice_eq(d->type, SLICE(KAFKA_TYPE)) ||
           (event_parse(&ev, line, &reordered, &e) == 0 &&
            !kafka_event_is_foreign(&ev));
}

/* --- structured mode ---------------------------------------------------- */

/* Equal but for line ends that have become blanks. */
static bool same_value(struct slice a, struct slice b)
{
    if (slice_eq(a, b)) {
        return true;
    }
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] != b.p[i] &&
            (b.p[i] != ' ' || (a.p[i] != '\n' && a.p[i] != '\r'))) {
            return false;
        }
    }
    return true;
}

static bool same(struct slice a, struct slice b)
{
    return (a.p == NULL) == (b.p == NULL) && slice_eq(a, b);
}

static bool same_record(const struct kafka_record *a,
                        const struct kafka_record *b)
{
    if (a->n != b->n || !same(a->key, b->key) ||
        !same_value(a->value, b->value)) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (!same(a->headers[i].name, b->headers[i].name) ||
            !same(a->headers[i].value, b->headers[i].value)) {
            return false;
        }
    }
    return true;
}

static void gather_structured(struct decoder *d)
{
    const struct header *h = d->r->headers;
    const bool usual = slice_eq(h->name, kafka_structured_type.name) &&
                       slice_eq(h->value, kafka_structured_type.value);

    buf_clear(&d->s->text);
    for (size_t i = usual; i < d->r->n; i++) {
        struct header own = h[i];
        own.name = kafka_name_bare(own.name, KAFKA_STRUCTURED);
        header_put(&d->s->text, &own);
    }
}

static void blank(struct decoder *d, char c)
{
    char *end = d->line->p + d->line->n;
    char *p = d->line->p + d->start;

    while ((p = memchr(p, c, (size_t)(end - p))) != NULL) {
        *p++ = ' ';
    }
}

/* The value with the key in front and dpphdr at the end; blanks for its line
 * ends. */
static void put_structured(struct decoder *d, const struct event *inner)
{
    const struct slice v = d->r->value;
    const char *open = (const char *)memchr(v.p, '{', v.n) + 1;
    const char *close = memrchr(v.p, '}', v.n);
    struct slice key = {NULL, 0};
    struct buf *text = &d->s->text;

    buf_append(d->line, v.p, (size_t)(open - v.p));
    if (inner->dppkey.p == NULL) {
        if (inner->partitionkey.p != NULL) {
            buf_clear(text);
            (void)buf_reserve(text, 1);
            json_decode(text, inner->partitionkey);
            key = buf_slice(text);
        }
        put_leading_key(d, key, false);
    }
    buf_append(d->line, open, (size_t)(close - open));
    gather_structured(d);
    put_dpphdr(d, ",\"dpphdr\":");
    buf_append(d->line, close, (size_t)(v.p + v.n - close));
    blank(d, '\n');
    blank(d, '\r');
}

static bool decode_structured(struct decoder *d)
{
    struct event ev;
    struct err e;
    struct kafka_record again;
    bool reordered;

    if (d->r->value.p == NULL ||
        event_parse(&ev, d->r->value, &reordered, &e) < 0) {
        return false;
    }
    put_structured(d, &ev);
    const struct slice line = {d->line->p + d->start, d->line->n - d->start};
    if (event_parse(&ev, line, &reordered, &e) < 0) {
        return false;
    }
    kafka_record_encode(d->s, &ev, KAFKA_STRUCTURED, &again);
    return same_record(d->r, &again);
}

/* --- foreign records ---------------------------------------------------- */

static void decode_foreign(struct decoder *d, const char *topic,
                           uint32_t partition, uint64_t offset)
{
    const struct kafka_record *r = d->r;
    const int64_t last_ms = 253402300799999; /* of the year 9999 */
    const struct slice none = {NULL, 0};
    struct buf *b = d->line;
    char now[CLOCK_TEXT];

    put_member(b, "{\"specversion\":\"1.0\",\"id\":", slice_of(topic));
    b->n--;
    buf_printf(b, "/%" PRIu32 "/%" PRIu64 "\"", partition, offset);
    put_member(b, ",\"source\":", slice_of(topic));
    put_member(b, ",\"type\":", SLICE(KAFKA_TYPE));
    if (r->time_ms >= 0 && r->time_ms <= last_ms) {
        time_format((uint64_t)r->time_ms, now);
        put_member(b, ",\"time\":", slice_of(now));
    }
    if (r->key.p != NULL && utf8_valid(r->key)) {
        put_member(b, ",\"partitionkey\":", r->key);
    } else if (r->key.p != NULL) {
        put_base64(b, ",\"dppkey\":", r->key);
    }
    buf_clear(&d->s->text);
    for (size_t i = 0; i < r->n; i++) {
        header_put(&d->s->text, &r->headers[i]);
    }
    put_dpphdr(d, ",\"dpphdr\":");
    if (r->value.p != NULL) {
        event_write_value(b, none, r->value);
    }
    buf_putc(b, '}');
}

/* --- the way in --------------------------------------------------------- */

static bool is_structured(const struct kafka_record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct header *h = &r->headers[i];
        if (slice_eq(h->name, kafka_structured_type.name)) {
            return h->value.p != NULL && kafka_media_is_json_event(h->value);
        }
    }
    return false;
}

void kafka_record_decode(struct kafka_scratch *s, const struct kafka_record *r,
                         const char *topic, uint32_t partition, uint64_t offset,
                         struct buf *line)
{
    struct decoder d = {.s = s, .r = r, .line = line, .start = line->n};

    if (is_structured(r) ? decode_structured(&d) : decode_binary(&d)) {
        return;
    }
    line->n = d.start;
    decode_foreign(&d, topic, partition, offset);
}
