#include "deliver/request.h"

#include "base/err.h"
#include "crypto/digest.h"
#include "deliver/target.h"
#include "deliver/template.h"
#include "record/event.h"
#include "record/json.h"

enum { KEY_HEX = 32 }; /* 128 bits */

/* The text of a JSON string; in scratch if it has escapes. */
static struct slice text_of(struct slice string, struct buf *scratch)
{
    const struct slice inner = {string.p + 1, string.n - 2};

    if (memchr(inner.p, '\\', inner.n) == NULL) {
        return inner;
    }
    buf_clear(scratch);
    json_decode(scratch, string);
    return buf_slice(scratch);
}

/* An attribute in a header, as CloudEvents' HTTP binding wants it: printable
 * ASCII without blank, quote and percent sign, the rest percent-encoded. */
static void put_attribute(struct request *r, struct slice string)
{
    const struct slice s = text_of(string, &r->scratch);

    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        if (c > 0x20 && c < 0x7f && c != '"' && c != '%') {
            buf_putc(&r->text, s.p[i]);
        } else {
            buf_printf(&r->text, "%%%02X", c);
        }
    }
}

static void put_key(struct target *t, const struct event *ev, struct request *r)
{
    char hex[DIGEST_HEX];
    struct slice s = text_of(ev->source, &r->scratch);

    digest_add(t->digest, s.p, s.n);
    digest_add(t->digest, "\n", 1);
    s = text_of(ev->id, &r->scratch);
    digest_add(t->digest, s.p, s.n);
    digest_hex(t->digest, hex);
    buf_append(&r->text, hex, KEY_HEX);
}

static int put_type(const struct event *ev, struct request *r, struct err *e)
{
    struct slice type = SLICE("application/json");

    if (ev->datacontenttype.p != NULL) {
        type = text_of(ev->datacontenttype, &r->scratch);
        if (target_has_control(type)) {
            return err_set(e, STATUS_STREAM,
                           "datacontenttype has a control character");
        }
    }
    if (type.n == 0 || (ev->data.p == NULL && ev->data_base64.p == NULL &&
                        ev->datacontenttype.p == NULL)) {
        r->text.n--; /* "Content-Type:": none at all */
        return 0;
    }
    buf_append_slice(&r->text, type);
    return 0;
}

/* Offsets first: the text may move while it grows. */
static void begin_line(struct request *r, const char *name)
{
    r->header[r->headers++] = (const char *)(uintptr_t)r->text.n;
    buf_puts(&r->text, name);
    buf_puts(&r->text, ": ");
}

static void end_line(struct request *r)
{
    buf_putc(&r->text, '\0');
}

static int put_own(struct target *t, const struct event *ev, struct request *r,
                   struct err *e)
{
    const struct slice attribute[TARGET_OWN] = {[CE_SPECVERSION] =
                                                    ev->specversion,
                                                [CE_ID] = ev->id,
                                                [CE_SOURCE] = ev->source,
                                                [CE_TYPE] = ev->type,
                                                [CE_TIME] = ev->time};

    for (size_t i = 0; i < TARGET_OWN; i++) {
        if (!t->own[i] ||
            (i >= CE_SPECVERSION && i <= CE_TIME && attribute[i].p == NULL)) {
            continue;
        }
        begin_line(r, target_own_name[i]);
        if (i == CONTENT_TYPE && put_type(ev, r, e) < 0) {
            return -1;
        }
        if (i == IDEMPOTENCY_KEY) {
            put_key(t, ev, r);
        } else if (i == EXPECT) {
            r->text.n--;
        } else if (attribute[i].p != NULL) {
            put_attribute(r, attribute[i]);
        }
        end_line(r);
    }
    return 0;
}

static int put_filled(struct target *t, const struct event *ev,
                      struct request *r, struct err *e)
{
    for (size_t i = 0; i < t->headers; i++) {
        const struct target_header *h = &t->header[i];
        if (!h->value.has_places) {
            continue;
        }
        begin_line(r, h->name);
        const size_t start = r->text.n;
        if (template_fill(&h->value, TEMPLATE_HEADER, ev, safe_slice(&t->value),
                          &r->scratch, &r->text, e) < 0) {
            return err_wrap(e, "header %s", h->name);
        }
        if (r->text.n - start > TARGET_TEXT_MAX) {
            return err_set(e, STATUS_STREAM, "header %s: longer than %d bytes",
                           h->name, TARGET_TEXT_MAX);
        }
        if (r->text.n == start) { /* "Name;" is how to send nothing */
            r->text.n -= 2;
            buf_putc(&r->text, ';');
        }
        end_line(r);
    }
    return 0;
}

/* "/users/{data.id}" with ".." would be another resource. */
static bool has_dot_segment(struct slice url)
{
    const char *end = memchr(url.p, '?', url.n);
    const char *p = url.p;

    end = end != NULL ? end : url.p + url.n;
    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const size_t n = (size_t)((slash != NULL ? slash : end) - p);
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) {
            return true;
        }
        p += n + 1;
    }
    return false;
}

static int put_url(struct target *t, const struct event *ev, struct request *r,
                   struct err *e)
{
    const size_t start = r->text.n;

    if (template_fill(&t->template, TEMPLATE_URL, ev, (struct slice){"", 0},
                      &r->scratch, &r->text, e) < 0) {
        return err_wrap(e, "URL");
    }
    const struct slice url = {r->text.p + start, r->text.n - start};
    if (url.n > TARGET_TEXT_MAX) {
        return err_set(e, STATUS_STREAM, "URL: longer than %d bytes",
                       TARGET_TEXT_MAX);
    }
    if (has_dot_segment(url)) {
        return err_set(e, STATUS_STREAM,
                       "URL: \".\" or \"..\" as a part of the path");
    }
    end_line(r);
    return 0;
}

/* Offsets become pointers, and the lines that never change come behind. */
static void finish(struct target *t, struct request *r, size_t url_at)
{
    for (size_t i = 0; i < r->headers; i++) {
        r->header[i] = r->text.p + (uintptr_t)r->header[i];
    }
    for (size_t i = 0; i < t->headers; i++) {
        if (!t->header[i].value.has_places) {
            r->header[r->headers++] = t->header[i].line.p;
        }
    }
    r->url = t->template.has_places ? r->text.p + url_at : t->url;
}

static int fill(struct target *t, const struct event *ev, struct request *r,
                struct err *e)
{
    buf_clear(&r->text);
    r->headers = 0;
    if (put_own(t, ev, r, e) < 0 || put_filled(t, ev, r, e) < 0) {
        return -1;
    }
    const size_t url_at = r->text.n;
    if (t->template.has_places && put_url(t, ev, r, e) < 0) {
        return -1;
    }
    r->body = ev->data;
    if (ev->data.p == NULL || event_data_is_text(ev)) {
        buf_clear(&r->decoded);
        if (event_value(ev, &r->decoded) < 0) {
            return err_set(e, STATUS_STREAM, "data_base64 is no base 64");
        }
        r->body = buf_slice(&r->decoded);
    }
    finish(t, r, url_at);
    return 0;
}

/* What was opened stays where it is until the next one is. */
static int fill_opened(struct target *t, const struct event *ev,
                       struct request *r, struct err *e)
{
    struct event inside;

    switch (sealer_open(t->sealer, ev, &inside, &r->scratch, e)) {
    case SEALER_DEAD:
        return err_set(e, STATUS_STREAM, "%s", buf_cstr(&r->scratch));
    case SEALER_DROP:
        return err_set(e, STATUS_STREAM, "its subject was forgotten");
    case SEALER_FAILED:
        return -1;
    default:
        break;
    }
    if (fill(t, &inside, r, e) < 0) {
        return -1;
    }
    if (inside.data.p != NULL && r->body.p == inside.data.p) {
        buf_clear(&r->decoded);
        buf_append_slice(&r->decoded, r->body);
        r->body = buf_slice(&r->decoded);
    }
    return 0;
}

int request_fill(struct target *t, const struct event *ev, struct request *r,
                 struct err *e)
{
    return t->sealer != NULL ? fill_opened(t, ev, r, e) : fill(t, ev, r, e);
}

void request_release(struct request *r)
{
    buf_release(&r->text);
    buf_release(&r->decoded);
    buf_release(&r->scratch);
}
