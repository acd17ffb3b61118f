#include "record/event.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"
#include "record/json.h"

/* The members that dpp looks at, in the order of their lengths. */
static const struct member {
    struct slice name;
    size_t at; /* offset of the slice in struct event */
    bool string;
} members[] = {
#define M(name, string)                                                        \
    {                                                                          \
        SLICE(#name), offsetof(struct event, name), string                     \
    }
    M(id, true),
    M(type, true),
    M(time, true),
    M(data, false),
    M(source, true),
    M(dpphdr, true),
    M(dppkey, false),
    M(subject, true),
    M(dpporigin, true),
    M(specversion, true),
    M(data_base64, true),
    M(partitionkey, true),
    M(datacontenttype, true),
#undef M
};

enum { MEMBERS = sizeof members / sizeof members[0], LONGEST = 15 };

/* Where those of a length begin; those of the next end them. */
static const unsigned char first[LONGEST + 2] = {
    [3] = 1,   [4] = 1,   [5] = 4,   [6] = 4,        [7] = 7,
    [8] = 8,   [9] = 8,   [10] = 9,  [11] = 9,       [12] = 11,
    [13] = 12, [14] = 12, [15] = 12, [16] = MEMBERS,
};

static uint64_t eight(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t four(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Equal, both n long, at most 16: in two pieces that may overlap. */
static bool same_name(const char *a, const char *b, size_t n)
{
    if (n >= 8) {
        return eight(a) == eight(b) && eight(a + n - 8) == eight(b + n - 8);
    }
    if (n >= 4) {
        return four(a) == four(b) && four(a + n - 4) == four(b + n - 4);
    }
    return memcmp(a, b, n) == 0;
}

/* -1: none of them. */
static int find_member(struct slice key)
{
    if (key.n > LONGEST) {
        return -1;
    }
    for (int i = first[key.n]; i < first[key.n + 1]; i++) {
        if (same_name(members[i].name.p, key.p, key.n)) {
            return i;
        }
    }
    return -1;
}

static int keep(struct event *ev, int i, struct slice value, struct err *e)
{
    struct slice *at = (struct slice *)(void *)((char *)ev + members[i].at);

    if (at->p != NULL) {
        return err_set(e, STATUS_STREAM, "member \"%s\" twice",
                       members[i].name.p);
    }
    if (members[i].string && !json_is_string(value)) {
        return err_set(e, STATUS_STREAM, "member \"%s\" is no string",
                       members[i].name.p);
    }
    *at = value;
    return 0;
}

/* dpporigin from its comma on, or with the comma behind it where it is the
 * first member. */
static void mark_origin(struct event *ev, const char *before, struct slice key,
                        const char *behind)
{
    const char *start = key.p - 1;

    while (start > before && *start != ',' && *start != '{') {
        start--;
    }
    const char *end = behind;
    if (*start == '{') {
        start++;
        const char *last = ev->line.p + ev->line.n;
        while (end < last && *end != ',' && *end != '}') {
            end++; /* the line may break off here */
        }
        end += end < last && *end == ',';
    }
    ev->origin_cut = (struct slice){start, (size_t)(end - start)};
}

int event_parse(struct event *ev, struct slice line, bool *reordered,
                struct err *e)
{
    struct json_walk w;
    struct slice key;
    struct slice value;
    size_t n = 0;
    bool dpp = false;
    int rc;

    *ev = (struct event){.line = line};
    *reordered = false;
    json_walk_init(&w, line);
    for (const char *before = line.p;
         (rc = json_walk_next(&w, &key, &value)) == 1; before = w.p) {
        const int i = find_member(key);
        if (i >= 0 && keep(ev, i, value, e) < 0) {
            return -1;
        }
        if (n < sizeof ev->order) {
            ev->order[n++] = (unsigned char)(i + 1);
        }
        if (i < 0 && memchr(key.p, '\\', key.n) != NULL) {
            return err_set(e, STATUS_STREAM, "an escape in a member's name");
        }
        dpp |= i < 0 && slice_is(key, "dpp");
        if (key.n == 9 && ev->dpporigin.p == value.p) {
            mark_origin(ev, before, key, w.p);
        }
    }
    if (rc < 0) {
        return err_set(e, STATUS_STREAM, "not a JSON object");
    }
    *reordered = dpp && ev->specversion.p == NULL;
    if (ev->specversion.p == NULL || ev->id.p == NULL || ev->source.p == NULL ||
        ev->type.p == NULL) {
        return err_set(e, STATUS_STREAM, "no CloudEvents event: no \"%s\"",
                       ev->specversion.p == NULL ? "specversion"
                       : ev->id.p == NULL        ? "id"
                       : ev->source.p == NULL    ? "source"
                                                 : "type");
    }
    if (ev->data.p != NULL && ev->data_base64.p != NULL) {
        return err_set(e, STATUS_STREAM, "both data and data_base64");
    }
    if (dpp) {
        return err_set(e, STATUS_STREAM, "a member \"dpp\" in an event");
    }
    return 0;
}

void event_walk_init(struct event_walk *w, const struct event *ev)
{
    w->ev = ev;
    w->p = memchr(ev->line.p, '{', ev->line.n);
    w->n = 0;
}

static const char *over_blanks(const char *p)
{
    while ((unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }
    return p;
}

/* Which member has its name at p? It is known of the first ones. */
static int which(struct event_walk *w, const char *p, struct slice *key)
{
    const size_t n = w->n++;

    key->p = p;
    if (n < sizeof w->ev->order && w->ev->order[n] > 0) {
        const int i = w->ev->order[n] - 1;
        key->n = members[i].name.n;
        return i;
    }
    const char *end = w->ev->line.p + w->ev->line.n;
    key->n = (size_t)((const char *)memchr(p, '"', (size_t)(end - p)) - p);
    return find_member(*key);
}

/* The line is known to be valid: every step ends before its last brace. */
bool event_walk_next(struct event_walk *w, struct slice *key,
                     struct slice *value)
{
    const char *p = over_blanks(w->p);

    if (*p == '}') {
        return false;
    }
    const int i = which(w, over_blanks(p + 1) + 1, key);
    if (i >= 0) {
        *value = *(const struct slice *)(const void *)((const char *)w->ev +
                                                       members[i].at);
    } else {
        p = over_blanks(over_blanks(key->p + key->n + 1) + 1);
        value->p = p;
        value->n = (size_t)(json_skip(p, w->ev->line.p + w->ev->line.n) - p);
    }
    w->p = value->p + value->n;
    return true;
}

void event_without_origin(const struct event *ev, struct slice part[2])
{
    part[0] = ev->line;
    part[1] = (struct slice){ev->line.p, 0};
    if (ev->origin_cut.n > 0) {
        const char *end = ev->origin_cut.p + ev->origin_cut.n;
        part[0].n = (size_t)(ev->origin_cut.p - ev->line.p);
        part[1].p = end;
        part[1].n = ev->line.n - (size_t)(end - ev->line.p);
    }
}

static char *put_decimal(char *p, uint64_t v)
{
    char digit[20];
    size_t n = 0;

    do {
        digit[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    while (n > 0) {
        *p++ = digit[--n];
    }
    return p;
}

void event_add_origin(struct buf *b, struct slice line, const char *topic,
                      uint32_t partition, uint64_t offset)
{
    static const char name[] = ",\"dpporigin\":\"";
    const size_t n = strlen(topic);

    while (line.n > 0 && line.p[line.n - 1] != '}') {
        line.n--; /* blanks behind the object */
    }
    char *p = buf_reserve(b, line.n + sizeof name + n + 48);
    char *start = p;
    memcpy(p, line.p, line.n);
    p += line.n - (line.n > 0);
    memcpy(p, name, sizeof name - 1);
    p += sizeof name - 1;
    memcpy(p, topic, n);
    p += n;
    *p++ = '/';
    p = put_decimal(p, partition);
    *p++ = '/';
    p = put_decimal(p, offset);
    *p++ = '"';
    *p++ = '}';
    b->n += (size_t)(p - start);
}

bool event_data_is_text(const struct event *ev)
{
    const struct slice type = ev->datacontenttype;

    return ev->data.p != NULL && json_is_string(ev->data) && type.p != NULL &&
           !event_type_is_json((struct slice){type.p + 1, type.n - 2});
}

int event_value(const struct event *ev, struct buf *b)
{
    if (event_data_is_text(ev)) {
        json_decode(b, ev->data);
        return 1;
    }
    if (ev->data.p != NULL) {
        buf_append_slice(b, ev->data);
        return 1;
    }
    if (ev->data_base64.p != NULL) {
        const struct slice v = ev->data_base64;
        return base64_decode(b, v.p + 1, v.n - 2) < 0 ? -1 : 1;
    }
    return 0;
}

struct slice event_key(const struct event *ev, struct buf *room)
{
    const struct slice record = ev->dppkey;
    const struct slice k = ev->partitionkey;
    const bool other = record.p != NULL && json_is_string(record);

    if (!other && (k.p == NULL || memchr(k.p, '\\', k.n) == NULL)) {
        return k.p != NULL ? (struct slice){k.p + 1, k.n - 2} : k;
    }
    buf_clear(room);
    (void)buf_reserve(room, 1); /* an empty key is one */
    if (!other || base64_decode(room, record.p + 1, record.n - 2) < 0) {
        if (k.p == NULL) {
            return k;
        }
        json_decode(room, k);
    }
    return (struct slice){room->p, room->n};
}

bool event_type_is_json(struct slice type)
{
    static const char json[] = "json";
    size_t n = 0;

    if (type.p == NULL) {
        return true;
    }
    while (n < type.n && type.p[n] != ';' && type.p[n] != ' ') {
        n++;
    }
    return n > 4 && strncasecmp(type.p + n - 4, json, 4) == 0 &&
           (type.p[n - 5] == '/' || type.p[n - 5] == '+');
}

static bool may_splice(struct slice type, struct slice v)
{
    if (v.n == 0 || !event_type_is_json(type) ||
        memchr(v.p, '\n', v.n) != NULL || memchr(v.p, '\r', v.n) != NULL ||
        strchr(" \t", v.p[0]) != NULL || strchr(" \t", v.p[v.n - 1]) != NULL) {
        return false;
    }
    return json_valid(v);
}

void event_write_value(struct buf *b, struct slice type, struct slice value)
{
    if (may_splice(type, value)) {
        buf_puts(b, ",\"data\":");
        buf_append_slice(b, value);
    } else {
        buf_puts(b, ",\"data_base64\":\"");
        base64_encode(b, value.p, value.n);
        buf_putc(b, '"');
    }
}

static void put_member(struct buf *b, const char *name, struct slice text)
{
    if (text.p != NULL) {
        buf_puts(b, name);
        json_encode(b, text);
    }
}

void event_write(struct buf *b, const struct event_parts *parts)
{
    char id[RAND_UUID];
    char now[CLOCK_TEXT];
    struct slice time = parts->time;
    struct slice ident = parts->id;
    const uint64_t now_ms =
        ident.p == NULL || time.p == NULL ? clock_wall_ms() : 0;

    if (ident.p == NULL) {
        rand_uuid7(now_ms, id);
        ident = slice_of(id);
    }
    if (time.p == NULL) {
        time_format(now_ms, now);
        time = slice_of(now);
    }
    put_member(b, "{\"specversion\":\"1.0\",\"id\":", ident);
    put_member(b, ",\"source\":", parts->source);
    put_member(b, ",\"type\":", parts->type);
    put_member(b, ",\"time\":", time);
    put_member(b, ",\"subject\":", parts->subject);
    put_member(b, ",\"partitionkey\":", parts->partitionkey);
    put_member(b, ",\"traceparent\":", parts->traceparent);
    put_member(b, ",\"tracestate\":", parts->tracestate);
    put_member(b, ",\"dpphdr\":", parts->dpphdr);
    put_member(b, ",\"datacontenttype\":", parts->datacontenttype);
    if (!parts->tombstone) {
        event_write_value(b, parts->datacontenttype, parts->value);
    }
    buf_putc(b, '}');
}

static bool dead_member(struct slice key)
{
    return slice_is(key, "deadreason") || slice_is(key, "deadstage") ||
           slice_is(key, "deadtime") || slice_is(key, "deadorigin") ||
           slice_is(key, "dpporigin");
}

void event_write_dead(struct buf *b, const struct event *ev, struct slice why,
                      const char *stage)
{
    struct json_walk w;
    struct slice key;
    struct slice value;
    char now[CLOCK_TEXT];
    char sep = '{';

    json_walk_init(&w, ev->line);
    while (json_walk_next(&w, &key, &value) == 1) {
        if (dead_member(key)) {
            continue;
        }
        buf_putc(b, sep);
        buf_putc(b, '"');
        buf_append_slice(b, key);
        buf_puts(b, "\":");
        buf_append_slice(b, value);
        sep = ',';
    }
    time_format(clock_wall_ms(), now);
    put_member(b, ",\"deadreason\":", why);
    put_member(b, ",\"deadstage\":", slice_of(stage));
    put_member(b, ",\"deadtime\":", slice_of(now));
    if (ev->dpporigin.p != NULL) {
        buf_puts(b, ",\"deadorigin\":");
        buf_append_slice(b, ev->dpporigin);
    }
    buf_putc(b, '}');
}

void event_wrap_invalid(struct buf *b, struct slice bytes)
{
    const struct event_parts parts = {
        .source = SLICE("/dpp/invalid"),
        .type = SLICE("dpp.invalid"),
        .datacontenttype = SLICE("application/octet-stream"),
        .value = bytes,
    };

    event_write(b, &parts);
}
