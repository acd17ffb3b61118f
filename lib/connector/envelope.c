#include "connector/envelope.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "connector/connector.h"
#include "record/event.h"
#include "record/json.h"
#include "record/pointer.h"

enum { ID_MAX = 512, TYPE_MAX = 256, KEY_MAX = 1024 };

void envelope_init(struct envelope *e)
{
    memset(e, 0, sizeof *e);
}

void envelope_release(struct envelope *e)
{
    buf_release(&e->header);
    buf_release(&e->id);
    buf_release(&e->type);
    buf_release(&e->key);
    buf_release(&e->subject);
}

/* --- values ------------------------------------------------------------- */

static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) {
            return false;
        }
    }
    return utf8_valid(s);
}

/* The text behind a reference; p == NULL where there is none that could be an
 * attribute. */
static struct slice resolve(const struct connector_ref *r,
                            const struct http_message *m, struct buf *room,
                            size_t max)
{
    struct slice s = {0};

    buf_clear(room);
    switch (r->from) {
    case CONNECTOR_NOWHERE:
        break;
    case CONNECTOR_TEXT:
        s = slice_of(r->text);
        break;
    case CONNECTOR_HEADER:
        (void)http_message_find(m, r->text, &s);
        break;
    case CONNECTOR_BODY:
        if (json_scalar(room, json_pointer(m->body, r->text))) {
            s = buf_slice(room);
        }
        break;
    }
    return s.n > 0 && s.n <= max && is_text(s) ? s : (struct slice){0};
}

/* A field that becomes an attribute: it comes once and is text. */
static struct slice attribute(const struct http_message *m, const char *name)
{
    struct slice s = {0};

    return http_message_find(m, name, &s) == 1 && s.n > 0 && is_text(s)
               ? s
               : (struct slice){0};
}

/* --- the header --------------------------------------------------------- */

/* A name that contains one of these words, anywhere and in any case. Looked
 * for in every field of every request, so by first letters before all else. */
static bool is_secret(struct slice name)
{
    static const struct slice words[] = {
        SLICE("authorization"), SLICE("cookie"),    SLICE("token"),
        SLICE("secret"),        SLICE("signature"), SLICE("password"),
        SLICE("api-key"),       SLICE("apikey"),
    };
    static const bool first[256] = {
        ['a'] = true, ['A'] = true, ['c'] = true, ['C'] = true, ['t'] = true,
        ['T'] = true, ['s'] = true, ['S'] = true, ['p'] = true, ['P'] = true,
    };

    for (size_t at = 0; at < name.n; at++) {
        if (!first[(unsigned char)name.p[at]]) {
            continue;
        }
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            const struct slice *w = &words[i];
            if (w->p[0] == (name.p[at] | 0x20) && w->n <= name.n - at &&
                strncasecmp(name.p + at, w->p, w->n) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_of_connection(struct slice name)
{
    static const struct slice names[] = {
        SLICE("connection"), SLICE("content-length"),
        SLICE("expect"),     SLICE("keep-alive"),
        SLICE("te"),         SLICE("trailer"),
        SLICE("upgrade"),    SLICE("transfer-encoding"),
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (http_name_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

static void put_field(struct buf *b, const struct http_field *f)
{
    if (b->n > 0) {
        buf_putc(b, '\n');
    }
    buf_append_slice(b, f->name);
    if (is_text(f->value)) {
        buf_append(b, ": ", 2);
        buf_append_slice(b, f->value);
    } else {
        buf_append(b, ":: ", 3);
        base64_encode(b, f->value.p, f->value.n);
    }
}

static bool same(struct slice a, struct slice b)
{
    return a.p == b.p;
}

static struct slice keep_header(struct envelope *e, const struct connector *c,
                                const struct http_message *m,
                                const struct event_parts *parts)
{
    buf_clear(&e->header);
    for (unsigned i = 0; i < m->fields; i++) {
        const struct http_field *f = &m->field[i];
        const bool taken =
            f->value.n > 0 && (same(f->value, parts->datacontenttype) ||
                               same(f->value, parts->traceparent) ||
                               same(f->value, parts->tracestate));
        if (!taken && !is_of_connection(f->name) && !is_secret(f->name) &&
            !(c != NULL && c->is_signed && sign_is_field(&c->sign, f->name))) {
            put_field(&e->header, f);
        }
    }
    return e->header.n > 0 ? buf_slice(&e->header) : (struct slice){0};
}

/* --- the event ---------------------------------------------------------- */

void envelope_write(struct envelope *e, const struct connector *c,
                    const char *source, const struct http_message *m,
                    struct buf *line, struct slice *key)
{
    struct event_parts parts = {
        .source = SLICE("/dpp/http"),
        .type = SLICE("dpp.http"),
        .value = m->body,
        .datacontenttype = attribute(m, "content-type"),
        .traceparent = attribute(m, "traceparent"),
        .tracestate = attribute(m, "tracestate"),
    };

    if (c != NULL) {
        parts.source = slice_of(c->source);
        parts.id = resolve(&c->id, m, &e->id, ID_MAX);
        parts.type = resolve(&c->type, m, &e->type, TYPE_MAX);
        parts.partitionkey = resolve(&c->key, m, &e->key, KEY_MAX);
        parts.subject = resolve(&c->subject, m, &e->subject, KEY_MAX);
        if (parts.type.p == NULL) {
            parts.type = SLICE("unknown");
        }
    } else {
        parts.subject = m->path;
    }
    if (source != NULL) {
        parts.source = slice_of(source);
    }
    parts.dpphdr = keep_header(e, c, m, &parts);
    event_write(line, &parts);
    *key = parts.partitionkey;
}
