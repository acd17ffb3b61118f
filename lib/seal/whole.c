/* The whole payload. What is sealed says how the event was:
 *
 *     0   1   1: data, as its JSON text stood; 2: data_base64, decoded
 *     1   2   length of the JSON text of datacontenttype; 0: it had none
 *     3   n   that text, quotes and all
 *   n+3       the value
 *
 * In the line, data (or data_base64) becomes the data_base64 of the piece, and
 * datacontenttype what dpp-seal(7) calls it; one that was missing is put before
 * the data, and taken away again. */
#include "base/base64.h"
#include "base/little.h"
#include "record/json.h"
#include "seal/part.h"

enum { WAS_DATA = 1, WAS_BASE64 = 2, PLAIN_HEAD = 3, TYPE_MAX = 0xffff };

/* A line on its way from the old event to the new one. */
struct rewrite {
    const struct event *ev;
    const char *at; /* copied up to here */
    struct buf *out;
    struct slice type; /* the new datacontenttype; n == 0: none */
    const char *name;  /* of the member for the value */
    struct slice value;
    bool base64;
};

static void copy_to(struct rewrite *w, const char *to)
{
    buf_append(w->out, w->at, (size_t)(to - w->at));
    w->at = to;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where the name of a member begins, from its value. */
static const char *name_of(struct slice value, size_t name)
{
    const char *p = value.p;

    do {
        p--;
    } while (*p != ':');
    do {
        p--;
    } while (is_blank(*p));
    return p - name - 1; /* from the quote behind to the one before */
}

/* A comma goes with it: the one behind, or where it comes last the one before.
 */
static void remove_type(struct rewrite *w)
{
    const struct slice old = w->ev->datacontenttype;
    const char *from = name_of(old, strlen("datacontenttype"));
    const char *to = old.p + old.n;

    while (is_blank(*to)) {
        to++;
    }
    if (*to == ',') {
        to++;
    } else {
        do {
            from--;
        } while (*from != ',');
    }
    copy_to(w, from);
    w->at = to;
}

static void put_type(struct rewrite *w)
{
    const struct slice old = w->ev->datacontenttype;

    if (old.p == NULL) {
        return;
    }
    if (w->type.n == 0) {
        remove_type(w);
        return;
    }
    copy_to(w, old.p);
    buf_append_slice(w->out, w->type);
    w->at = old.p + old.n;
}

static void put_value(struct rewrite *w)
{
    const struct event *ev = w->ev;
    const struct slice old = ev->data.p != NULL ? ev->data : ev->data_base64;
    const size_t name = strlen(ev->data.p != NULL ? "data" : "data_base64");
    const char *from = name_of(old, name);

    copy_to(w, from);
    if (ev->datacontenttype.p == NULL && w->type.n > 0) {
        buf_puts(w->out, "\"datacontenttype\":");
        buf_append_slice(w->out, w->type);
        buf_putc(w->out, ',');
    }
    buf_putc(w->out, '"');
    buf_puts(w->out, w->name);
    w->at = from + 1 + name;
    copy_to(w, old.p);
    if (w->base64) {
        buf_putc(w->out, '"');
        base64_encode(w->out, w->value.p, w->value.n);
        buf_putc(w->out, '"');
    } else {
        buf_append_slice(w->out, w->value);
    }
    w->at = old.p + old.n;
}

static enum sealer_outcome write_line(struct rewrite *w)
{
    const struct event *ev = w->ev;
    const struct slice old = ev->data.p != NULL ? ev->data : ev->data_base64;
    const bool type_first = ev->datacontenttype.p < old.p;

    w->at = ev->line.p;
    if (type_first) {
        put_type(w);
    }
    put_value(w);
    if (!type_first) {
        put_type(w);
    }
    copy_to(w, ev->line.p + ev->line.n);
    return SEALER_LINE;
}

static enum sealer_outcome dead(struct sealer *s, const char *why)
{
    buf_clear(&s->why);
    buf_puts(&s->why, why);
    return SEALER_DEAD;
}

bool seal_take_whole(struct sealer *s, const struct event *ev)
{
    const struct slice type = ev->datacontenttype;
    const struct slice v = ev->data_base64;

    if (type.p == NULL || v.p == NULL) {
        return false;
    }
    buf_clear(&s->sealed);
    if (!slice_is(type, "\"" SEAL_TYPE "\"")) {
        if (memchr(type.p, '\\', type.n) == NULL) {
            return false;
        }
        json_decode(&s->sealed, type);
        if (!slice_is(buf_slice(&s->sealed), SEAL_TYPE)) {
            return false;
        }
        buf_clear(&s->sealed);
    }
    if (base64_decode(&s->sealed, v.p + 1, v.n - 2) < 0) {
        buf_clear(&s->sealed);
    }
    return true;
}

enum sealer_outcome seal_whole(struct sealer *s, const struct seal_rule *r,
                               const struct event *ev, struct buf *out)
{
    const struct slice type = ev->datacontenttype;
    const bool is_data = ev->data.p != NULL;
    char head[PLAIN_HEAD] = {is_data ? WAS_DATA : WAS_BASE64};
    struct seal_piece piece;

    if ((!is_data && ev->data_base64.p == NULL) ||
        (seal_take_whole(s, ev) && seal_is_under(r, buf_slice(&s->sealed)))) {
        return SEALER_PASS;
    }
    if (type.n > TYPE_MAX) {
        return dead(s, "datacontenttype is too long to be sealed");
    }
    put16(head + 1, (uint16_t)type.n);
    if (seal_begin(s, r, &piece) < 0) {
        return SEALER_DEAD;
    }
    buf_append(&s->sealed, head, sizeof head);
    buf_append_slice(&s->sealed, type);
    const struct slice b64 = ev->data_base64;
    if (is_data) {
        buf_append_slice(&s->sealed, ev->data);
    } else if (base64_decode(&s->sealed, b64.p + 1, b64.n - 2) < 0) {
        return dead(s, "data_base64 is no base 64, so it cannot be sealed");
    }
    seal_end(s, &piece, SLICE(""));
    struct rewrite w = {.ev = ev,
                        .out = out,
                        .type = SLICE("\"" SEAL_TYPE "\""),
                        .name = "data_base64",
                        .value = buf_slice(&s->sealed),
                        .base64 = true};
    return write_line(&w);
}

/* What was sealed, checked: whoever holds the key may write anything. */
static bool read_plain(struct slice plain, struct rewrite *w)
{
    if (plain.n < PLAIN_HEAD) {
        return false;
    }
    w->base64 = plain.p[0] == WAS_BASE64;
    w->name = w->base64 ? "data_base64" : "data";
    w->type = (struct slice){plain.p + PLAIN_HEAD, get16(plain.p + 1)};
    if ((!w->base64 && plain.p[0] != WAS_DATA) ||
        plain.n - PLAIN_HEAD < w->type.n) {
        return false;
    }
    w->value =
        (struct slice){w->type.p + w->type.n, plain.n - PLAIN_HEAD - w->type.n};
    return (w->type.n == 0 ||
            (json_is_string(w->type) && seal_is_line(w->type))) &&
           (w->base64 || seal_is_line(w->value));
}

enum sealer_outcome seal_open_whole(struct sealer *s, const struct event *ev,
                                    struct buf *out)
{
    struct rewrite w = {.ev = ev, .out = out};
    struct slice plain;

    if (!seal_take_whole(s, ev)) {
        return SEALER_PASS;
    }
    switch (seal_open_piece(s, SLICE(""), &plain)) {
    case SEAL_NOT_OURS:
        return SEALER_PASS;
    case SEAL_FORGOTTEN:
        return SEALER_DROP;
    case SEAL_REFUSED:
    case SEAL_FAILED:
        return SEALER_DEAD;
    case SEAL_OPENED:
        break;
    }
    if (!read_plain(plain, &w)) {
        return dead(s, "what was sealed is no value of an event");
    }
    return write_line(&w);
}
