/* An event line becomes a record: see kafka/record.h.
 *
 * Slices of the record point into scratch.bytes, which must not move while it
 * is filled: encode() reserves what all of it can take. Texts that are decoded
 * are no longer than they stand in the line, names of extensions grow by the
 * three bytes of "ce_" and lose two quotes and a colon, and a header that gets
 * the prefix "dpphdr_" is at most three times as long as its line. */
#include <stddef.h>

#include "base/base64.h"
#include "kafka/form.h"
#include "record/event.h"
#include "record/json.h"

struct encoder {
    const struct event *ev;
    struct kafka_scratch *s;
    struct kafka_record *r;
    enum kafka_mode mode;
    struct event_walk walk;
    struct slice type; /* datacontenttype */
    bool leads;        /* the first member is the record's key, no attribute */
};

/* --- pieces ------------------------------------------------------------- */

/* The text of a string, where it stands if nothing in it is escaped. */
static struct slice text_of(struct encoder *en, struct slice string)
{
    const struct slice raw = {string.p + 1, string.n - 2};
    struct buf *b = &en->s->bytes;
    const size_t start = b->n;

    if (memchr(raw.p, '\\', raw.n) == NULL) {
        return raw;
    }
    json_decode(b, string);
    return (struct slice){b->p + start, b->n - start};
}

static bool bytes_of(struct encoder *en, struct slice string,
                     struct slice *bytes)
{
    struct buf *b = &en->s->bytes;
    const size_t start = b->n;

    if (!json_is_string(string) ||
        base64_decode(b, string.p + 1, string.n - 2) < 0) {
        return false;
    }
    *bytes = (struct slice){b->p + start, b->n - start};
    return true;
}

static struct slice prefixed(struct encoder *en, struct slice prefix,
                             struct slice name)
{
    struct buf *b = &en->s->bytes;
    const size_t start = b->n;

    buf_append_slice(b, prefix);
    buf_append_slice(b, name);
    return (struct slice){b->p + start, b->n - start};
}

static bool put_key(struct encoder *en)
{
    const struct slice k = en->ev->dppkey;

    en->r->key = (struct slice){NULL, 0};
    if (k.p != NULL) {
        return slice_eq(k, SLICE("null")) || bytes_of(en, k, &en->r->key);
    }
    if (en->ev->partitionkey.p != NULL) {
        en->r->key = text_of(en, en->ev->partitionkey);
    }
    return true;
}

static bool put_value(struct encoder *en)
{
    const struct event *ev = en->ev;

    en->r->value = event_data_is_text(ev) ? text_of(en, ev->data) : ev->data;
    return ev->data_base64.p == NULL ||
           bytes_of(en, ev->data_base64, &en->r->value);
}

static void put_own(struct encoder *en, const struct header *h)
{
    struct slice name = h->name;

    if (kafka_name_needs_prefix(name, en->mode)) {
        name = prefixed(en, SLICE(KAFKA_PREFIX), name);
    }
    kafka_headers_add(en->s, name, h->value);
}

/* The text of dpphdr, decoded apart from what its lines hold. */
static struct slice kept_headers(struct encoder *en)
{
    buf_clear(&en->s->text);
    json_decode(&en->s->text, en->ev->dpphdr);
    return buf_slice(&en->s->text);
}

/* --- binary mode -------------------------------------------------------- */

/* Attributes that every event knows: they come once. */
static const struct {
    size_t at; /* offset of the slice in struct event */
    struct slice name;
} known[] = {
#define K(name)                                                                \
    {                                                                          \
        offsetof(struct event, name), SLICE("ce_" #name)                       \
    }
    K(specversion), K(id), K(source), K(type), K(time), K(subject),
#undef K
};

static struct slice known_name(const struct event *ev, struct slice value)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct slice *v = (const void *)((const char *)ev + known[i].at);
        if (v->p == value.p) {
            return known[i].name;
        }
    }
    return (struct slice){NULL, 0};
}

static void put_attribute(struct encoder *en, struct slice key, struct slice v)
{
    struct slice name = known_name(en->ev, v);

    if (name.p == NULL) {
        name = prefixed(en, SLICE("ce_"), key);
        kafka_names_add(en->s, key);
    }
    if (json_is_string(v)) {
        kafka_headers_add(en->s, name, text_of(en, v));
    } else {
        kafka_headers_add(en->s, name, v);
        kafka_headers_add(en->s, SLICE(KAFKA_JSON_MARK), SLICE(""));
    }
}

enum step { END, ATTRIBUTE, HEADERS };

/* On to the next member that is a header, which is added, or to dpphdr. */
static enum step step(struct encoder *en)
{
    const struct event *ev = en->ev;
    struct slice key;
    struct slice v;

    while (event_walk_next(&en->walk, &key, &v)) {
        if (v.p == ev->dpphdr.p) {
            return HEADERS;
        }
        if (v.p == ev->partitionkey.p) {
            if (en->leads && ev->dppkey.p == NULL) {
                continue;
            }
            kafka_headers_add(en->s, SLICE("ce_partitionkey"),
                              ev->dppkey.p == NULL ? en->r->key
                                                   : text_of(en, v));
            return ATTRIBUTE;
        }
        if (v.p == ev->datacontenttype.p) {
            kafka_headers_add(en->s, kafka_structured_type.name, en->type);
            return ATTRIBUTE;
        }
        if (v.p != ev->data.p && v.p != ev->data_base64.p &&
            v.p != ev->dpporigin.p && v.p != ev->dppkey.p && v.p[0] != 'n') {
            put_attribute(en, key, v);
            return ATTRIBUTE;
        }
    }
    return END;
}

/* Own headers, with the attributes that stood among them. */
static void put_headers(struct encoder *en)
{
    struct slice rest = kept_headers(en);
    struct header h;
    size_t marked;
    int what;

    while ((what = header_next(&rest, &en->s->bytes, &h, &marked)) != 0) {
        if (what == 1) {
            put_own(en, &h);
            continue;
        }
        while (marked > 0 && step(en) == ATTRIBUTE) {
            marked--;
        }
    }
}

static bool encode_binary(struct encoder *en)
{
    const struct event *ev = en->ev;
    enum step what;

    en->mode = KAFKA_BINARY;
    if (ev->datacontenttype.p != NULL) {
        en->type = text_of(en, ev->datacontenttype);
    }
    if (!slice_eq(ev->specversion, SLICE("\"1.0\"")) || !put_key(en) ||
        kafka_media_is_event(en->type) || !put_value(en)) {
        return false;
    }
    while ((what = step(en)) != END) {
        if (what == HEADERS) {
            put_headers(en);
        }
    }
    return !kafka_names_repeat(en->s);
}

static bool encode_foreign(struct encoder *en)
{
    struct slice rest;
    struct header h;
    size_t marked;
    int what;

    if (!put_key(en) || !put_value(en)) {
        return false;
    }
    if (en->ev->time.p != NULL) {
        en->r->time_ms = kafka_time(en->ev->time);
    }
    if (en->ev->dpphdr.p != NULL) {
        rest = kept_headers(en);
        while ((what = header_next(&rest, &en->s->bytes, &h, &marked)) != 0) {
            if (what == 1) {
                kafka_headers_add(en->s, h.name, h.value);
            }
        }
    }
    return true;
}

/* --- structured mode ---------------------------------------------------- */

/* The line without dpporigin, a leading member that holds the record's key,
 * and dpphdr if it is last. Returns whether that is so. */
static bool put_line(struct encoder *en)
{
    const struct event *ev = en->ev;
    struct event_walk w;
    struct slice key;
    struct slice v;
    struct buf *b = &en->s->bytes;
    const size_t start = b->n;
    const char *done = ev->line.p; /* all before it is copied, or left out */
    const char *last = NULL;
    bool leads = en->leads;
    bool copied = false;

    event_walk_init(&w, ev);
    while (event_walk_next(&w, &key, &v)) {
        last = v.p != ev->dpporigin.p ? v.p : last;
    }
    const bool cut = ev->dpphdr.p != NULL && last == ev->dpphdr.p;
    event_walk_init(&w, ev);
    while (event_walk_next(&w, &key, &v)) {
        const char *name = key.p - 1;
        if (done == ev->line.p) {
            buf_append(b, done, (size_t)(name - done));
            done = name;
        }
        if (v.p == ev->dpporigin.p || (cut && v.p == last) || leads) {
            leads = leads && v.p == ev->dpporigin.p;
            done = v.p + v.n;
            continue;
        }
        if (!copied && *done != '"') { /* something was left out before it */
            done = (const char *)memchr(done, ',', (size_t)(name - done)) + 1;
        }
        buf_append(b, done, (size_t)(v.p + v.n - done));
        done = v.p + v.n;
        copied = true;
    }
    buf_append(b, done, (size_t)(ev->line.p + ev->line.n - done));
    en->r->value = (struct slice){b->p + start, b->n - start};
    return cut;
}

/* Does dpphdr hold the content type of a structured record? */
static bool has_type(struct slice rest, struct buf *room)
{
    const size_t start = room->n;
    struct header h;
    size_t marked;
    int what;
    bool found = false;

    while (!found && (what = header_next(&rest, room, &h, &marked)) != 0) {
        found = what == 1 && slice_eq(h.name, kafka_structured_type.name) &&
                h.value.p != NULL && kafka_media_is_json_event(h.value);
    }
    room->n = start;
    return found;
}

static void encode_structured(struct encoder *en)
{
    struct slice rest = {NULL, 0};
    struct header h;
    size_t marked;
    int what;

    en->mode = KAFKA_STRUCTURED;
    if (!put_key(en)) { /* then dppkey stays where it is */
        en->leads = false;
        if (en->ev->partitionkey.p != NULL) {
            en->r->key = text_of(en, en->ev->partitionkey);
        }
    }
    if (put_line(en)) {
        rest = kept_headers(en);
    }
    bool typed = !has_type(rest, &en->s->bytes);
    if (typed) {
        kafka_headers_add(en->s, kafka_structured_type.name,
                          kafka_structured_type.value);
    }
    while ((what = header_next(&rest, &en->s->bytes, &h, &marked)) != 0) {
        if (what != 1) {
            continue;
        }
        if (!typed && slice_eq(h.name, kafka_structured_type.name) &&
            h.value.p != NULL && kafka_media_is_json_event(h.value)) {
            kafka_headers_add(en->s, h.name, h.value);
            typed = true;
        } else {
            put_own(en, &h);
        }
    }
}

/* --- the way in --------------------------------------------------------- */

/* Is the first member, dpporigin aside, what the key comes from? */
static bool key_leads(const struct event *ev)
{
    const char *from = ev->dppkey.p != NULL ? ev->dppkey.p : ev->partitionkey.p;
    struct event_walk w;
    struct slice name;
    struct slice v;

    event_walk_init(&w, ev);
    while (from != NULL && event_walk_next(&w, &name, &v)) {
        if (v.p != ev->dpporigin.p) {
            return v.p == from;
        }
    }
    return false;
}

static void start(struct encoder *en)
{
    buf_clear(&en->s->bytes);
    en->s->n = 0;
    en->s->named = 0;
    en->r->time_ms = -1;
    event_walk_init(&en->walk, en->ev);
}

void kafka_record_encode(struct kafka_scratch *s, const struct event *ev,
                         enum kafka_mode mode, struct kafka_record *r)
{
    struct encoder en = {.ev = ev, .s = s, .r = r, .leads = key_leads(ev)};
    const size_t kept = 3 * ev->dpphdr.n + 64;
    bool done = false;

    start(&en);
    (void)buf_reserve(&s->bytes, ev->line.n + kept);
    if (mode == KAFKA_BINARY && kafka_event_is_foreign(ev)) {
        done = encode_foreign(&en);
    } else if (mode == KAFKA_BINARY) {
        done = encode_binary(&en);
    }
    if (!done) {
        start(&en);
        (void)buf_reserve(&s->bytes, 2 * ev->line.n + kept);
        encode_structured(&en);
    }
    r->headers = s->headers;
    r->n = s->n;
}
