#include "deliver/template.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/event.h"
#include "record/json.h"

static int parse_path(struct template_piece *p, struct slice inside,
                      enum template_use use, struct err *e)
{
    p->encoded = slice_is(inside, "secret.base64");
    p->secret = p->encoded || slice_is(inside, "secret");
    if (p->secret && use == TEMPLATE_URL) {
        return err_set(e, STATUS_USAGE,
                       "{secret} in a URL: it would end up in logs; put it "
                       "into a header");
    }
    for (size_t at = 0; at <= inside.n;) {
        const char *dot = memchr(inside.p + at, '.', inside.n - at);
        const size_t end = dot != NULL ? (size_t)(dot - inside.p) : inside.n;
        if (end == at || p->depth == TEMPLATE_DEPTH) {
            return err_set(e, STATUS_USAGE,
                           "{%.*s}: not a member of an event, as {id} or "
                           "{data.user.id}",
                           (int)inside.n, inside.p);
        }
        p->path[p->depth++] = (struct slice){inside.p + at, end - at};
        at = end + 1;
    }
    return 0;
}

static struct template_piece *add_piece(struct template *t)
{
    t->piece = mem_resize(t->piece, (t->n + 1) * sizeof *t->piece);
    t->piece[t->n] = (struct template_piece){0};
    return &t->piece[t->n++];
}

static int parse_place(struct template *t, const char **at,
                       enum template_use use, struct err *e)
{
    const char *start = *at + 1;
    const char *end = strchr(start, '}');

    if (end == NULL) {
        return err_set(e, STATUS_USAGE, "a { without its } (a brace is {{)");
    }
    struct template_piece *p = add_piece(t);
    if (parse_path(p, (struct slice){start, (size_t)(end - start)}, use, e) <
        0) {
        return -1;
    }
    t->has_places = t->has_places || !p->secret;
    t->has_secret = t->has_secret || p->secret;
    *at = end + 1;
    return 0;
}

int template_parse(struct template *t, const char *text, enum template_use use,
                   struct err *e)
{
    *t = (struct template){.text = mem_strdup(text)};
    for (const char *p = t->text; *p != '\0';) {
        const size_t n = strcspn(p, "{}");
        if (n > 0) {
            add_piece(t)->literal = (struct slice){p, n};
            p += n;
        } else if (p[1] == p[0]) {
            add_piece(t)->literal = (struct slice){p, 1};
            p += 2;
        } else if (*p == '}') {
            (void)err_set(e, STATUS_USAGE, "a } without its { (a brace is }})");
            goto fail;
        } else if (parse_place(t, &p, use, e) < 0) {
            goto fail;
        }
    }
    return 0;
fail:
    template_release(t);
    return -1;
}

void template_release(struct template *t)
{
    free(t->piece);
    free(t->text);
    *t = (struct template){0};
}

static bool find_member(struct slice object, struct slice name,
                        struct slice *value)
{
    struct json_walk w;
    struct slice key;

    json_walk_init(&w, object);
    while (json_walk_next(&w, &key, value) == 1) {
        if (slice_eq(key, name)) {
            return true;
        }
    }
    return false;
}

/* The JSON text of a place's value, or p == NULL. */
static struct slice find_value(const struct template_piece *p,
                               const struct event *ev, struct buf *scratch)
{
    const struct slice none = {NULL, 0};
    struct slice at = ev->line;
    size_t i = 0;

    if (p->depth > 1 && slice_is(p->path[0], "data")) {
        at = ev->data;
        if (at.p == NULL) {
            buf_clear(scratch);
            if (event_value(ev, scratch) != 1) {
                return none;
            }
            at = buf_slice(scratch);
        }
        i = 1;
    }
    for (; i < p->depth; i++) {
        if (at.n == 0 || !find_member(at, p->path[i], &at)) {
            return none;
        }
    }
    return at;
}

static int place_error(const struct template_piece *p, const char *what,
                       struct err *e)
{
    const char *start = p->path[0].p;
    const struct slice *last = &p->path[p->depth - 1];

    return err_set(e, STATUS_STREAM, "{%.*s}: %s",
                   (int)(last->p + last->n - start), start, what);
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

void template_percent(struct buf *b, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.n; i++) {
        const char c = text.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c))) {
            buf_putc(b, c);
        } else {
            const char out[3] = {'%', hex[(unsigned char)c >> 4],
                                 hex[(unsigned char)c & 15]};
            buf_append(b, out, sizeof out);
        }
    }
}

static int fill_place(const struct template_piece *p, enum template_use use,
                      const struct event *ev, struct buf *scratch,
                      struct buf *out, struct err *e)
{
    const struct slice v = find_value(p, ev, scratch);
    struct buf text;
    int rc = 0;

    if (v.p == NULL || v.n == 0 || slice_is(v, "null")) {
        return place_error(p, "the event has no such value", e);
    }
    if (v.p[0] == '{' || v.p[0] == '[') {
        return place_error(p, "the value is an object or an array", e);
    }
    buf_init(&text);
    if (json_is_string(v)) {
        json_decode(&text, v);
    } else {
        buf_append_slice(&text, v);
    }
    if (has_control(buf_slice(&text))) {
        rc = place_error(p, "a control character in the value", e);
    } else if (use == TEMPLATE_HEADER) {
        buf_append_slice(out, buf_slice(&text));
    } else if (text.n == 0) {
        rc = place_error(p, "the value is empty", e);
    } else {
        template_percent(out, buf_slice(&text));
    }
    buf_release(&text);
    return rc;
}

int template_fill(const struct template *t, enum template_use use,
                  const struct event *ev, struct slice secret,
                  struct buf *scratch, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct template_piece *p = &t->piece[i];
        if (p->literal.p != NULL) {
            buf_append_slice(out, p->literal);
        } else if (p->encoded) {
            base64_encode(out, secret.p, secret.n);
        } else if (p->secret) {
            buf_append_slice(out, secret);
        } else if (fill_place(p, use, ev, scratch, out, e) < 0) {
            return -1;
        }
    }
    return 0;
}
