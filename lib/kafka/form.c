#include "kafka/form.h"

#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/event.h"
#include "record/json.h"

const struct header kafka_structured_type = {
    SLICE("content-type"),
    SLICE("application/cloudevents+json; charset=UTF-8"),
};

void kafka_scratch_init(struct kafka_scratch *s)
{
    memset(s, 0, sizeof *s);
}

void kafka_scratch_release(struct kafka_scratch *s)
{
    buf_release(&s->bytes);
    buf_release(&s->text);
    buf_release(&s->kinds);
    free(s->headers);
    free(s->names);
    kafka_scratch_init(s);
}

void kafka_headers_add(struct kafka_scratch *s, struct slice name,
                       struct slice value)
{
    if (s->n == s->room) {
        s->room = s->room < 32 ? 32 : s->room * 2;
        s->headers = mem_resize(s->headers, s->room * sizeof s->headers[0]);
    }
    s->headers[s->n++] = (struct header){name, value};
}

/* --- names -------------------------------------------------------------- */

static bool starts_with(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

/* Members that are written otherwise, or that no event may have. */
static bool is_reserved(struct slice name)
{
    static const struct slice names[] = {
        SLICE("data"),
        SLICE("data_base64"),
        SLICE("dpporigin"),
        SLICE("dpp"),
        SLICE("dpphdr"),
        SLICE("dppkey"),
        SLICE("datacontenttype"),
    };

    if (name.n == 0 || name.p[0] != 'd') {
        return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_eq(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool may_be_member(struct slice name)
{
    bool ascii = true;

    for (size_t i = 0; i < name.n; i++) {
        const unsigned char c = (unsigned char)name.p[i];
        if (c < ' ' || c == '"' || c == '\\') {
            return false;
        }
        ascii = ascii && c < 0x80;
    }
    return (ascii || utf8_valid(name)) && !is_reserved(name);
}

enum kafka_kind kafka_kind_of(struct slice name, enum kafka_mode mode)
{
    if (name.n == 12 && memcmp(name.p, "content-type", 12) == 0) {
        return KAFKA_CONTENT_TYPE;
    }
    if (mode == KAFKA_STRUCTURED) {
        return KAFKA_OWN;
    }
    if (starts_with(name, SLICE("ce_"))) {
        return may_be_member((struct slice){name.p + 3, name.n - 3})
                   ? KAFKA_ATTRIBUTE
                   : KAFKA_OWN;
    }
    return slice_eq(name, SLICE(KAFKA_JSON_MARK)) ? KAFKA_MARK : KAFKA_OWN;
}

bool kafka_name_needs_prefix(struct slice name, enum kafka_mode mode)
{
    const struct slice prefix = SLICE(KAFKA_PREFIX);

    while (starts_with(name, prefix)) {
        name.p += prefix.n;
        name.n -= prefix.n;
    }
    return kafka_kind_of(name, mode) != KAFKA_OWN;
}

struct slice kafka_name_bare(struct slice name, enum kafka_mode mode)
{
    const struct slice prefix = SLICE(KAFKA_PREFIX);

    if (starts_with(name, prefix)) {
        const struct slice bare = {name.p + prefix.n, name.n - prefix.n};
        if (kafka_name_needs_prefix(bare, mode)) {
            return bare;
        }
    }
    return name;
}

void kafka_names_add(struct kafka_scratch *s, struct slice name)
{
    if (s->named == s->names_room) {
        s->names_room = s->names_room < 32 ? 32 : s->names_room * 2;
        s->names = mem_resize(s->names, s->names_room * sizeof s->names[0]);
    }
    s->names[s->named++] = name;
}

static int compare(const void *pa, const void *pb)
{
    const struct slice *a = pa;
    const struct slice *b = pb;

    if (a->n != b->n) {
        return a->n < b->n ? -1 : 1;
    }
    return a->n > 0 ? memcmp(a->p, b->p, a->n) : 0;
}

/* Pair by pair while they are few. Many are sorted: ten thousand must not
 * cost fifty million comparisons. */
bool kafka_names_repeat(struct kafka_scratch *s)
{
    enum { FEW = 16 };
    size_t reach = s->named;

    if (s->named > FEW) {
        qsort(s->names, s->named, sizeof s->names[0], compare);
        reach = 1;
    }
    for (size_t i = 0; i < s->named; i++) {
        for (size_t k = i + 1; k < s->named && k - i <= reach; k++) {
            if (slice_eq(s->names[i], s->names[k])) {
                return true;
            }
        }
    }
    return false;
}

/* --- media types -------------------------------------------------------- */

bool kafka_media_is_event(struct slice type)
{
    static const char name[] = "application/cloudevents";
    const size_t n = sizeof name - 1;

    return type.n >= n && strncasecmp(type.p, name, n) == 0;
}

bool kafka_media_is_json_event(struct slice type)
{
    static const char name[] = "application/cloudevents+json";
    const size_t n = sizeof name - 1;

    return type.n >= n && strncasecmp(type.p, name, n) == 0 &&
           (type.n == n || type.p[n] == ';' || type.p[n] == ' ');
}

/* --- foreign records ---------------------------------------------------- */

int64_t kafka_time(struct slice json)
{
    char text[CLOCK_TEXT];
    char again[CLOCK_TEXT];
    uint64_t ms;
    struct err e;

    if (json.n != sizeof "\"2026-11-25T00:00:00.000Z\"" - 1) {
        return -1;
    }
    memcpy(text, json.p + 1, json.n - 2);
    text[json.n - 2] = '\0';
    if (time_parse(text, &ms, &e) < 0) {
        return -1;
    }
    time_format(ms, again);
    return strcmp(text, again) == 0 ? (int64_t)ms : -1;
}

static bool over_number(const char **p, const char *end)
{
    const char *start = *p;

    while (*p < end && **p >= '0' && **p <= '9') {
        ++*p;
    }
    return *p > start && *p - start <= 20;
}

/* "topic/partition/offset" for the source "topic", both with their quotes. */
static bool is_place(struct slice id, struct slice source)
{
    const char *p = id.p + source.n - 1;
    const char *end = id.p + id.n - 1;

    return id.n > source.n && memcmp(id.p, source.p, source.n - 1) == 0 &&
           *p++ == '/' && over_number(&p, end) && p < end && *p++ == '/' &&
           over_number(&p, end) && p == end;
}

bool kafka_event_is_foreign(const struct event *ev)
{
    struct event_walk w;
    struct slice key;
    struct slice v;

    if (!slice_eq(ev->type, SLICE("\"" KAFKA_TYPE "\"")) ||
        !slice_eq(ev->specversion, SLICE("\"1.0\"")) ||
        !is_place(ev->id, ev->source) ||
        (ev->time.p != NULL && kafka_time(ev->time) < 0) ||
        (ev->partitionkey.p != NULL && ev->dppkey.p != NULL)) {
        return false;
    }
    event_walk_init(&w, ev);
    while (event_walk_next(&w, &key, &v)) {
        if (v.p != ev->specversion.p && v.p != ev->id.p &&
            v.p != ev->source.p && v.p != ev->type.p && v.p != ev->time.p &&
            v.p != ev->partitionkey.p && v.p != ev->dppkey.p &&
            v.p != ev->dpphdr.p && v.p != ev->dpporigin.p &&
            v.p != ev->data.p && v.p != ev->data_base64.p) {
            return false;
        }
    }
    return true;
}
