#include "record/header.h"

#include "base/base64.h"
#include "record/json.h"

bool header_is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) {
            return false;
        }
    }
    return utf8_valid(s);
}

static void start_line(struct buf *b)
{
    if (b->n > 0) {
        buf_putc(b, '\n');
    }
}

void header_put(struct buf *b, const struct header *h)
{
    start_line(b);
    if (h->name.n > 0 && header_is_text(h->name) &&
        memchr(h->name.p, ':', h->name.n) == NULL) {
        buf_append_slice(b, h->name);
    } else {
        buf_putc(b, ':');
        base64_encode(b, h->name.p, h->name.n);
    }
    if (h->value.p == NULL) {
        return;
    }
    if (header_is_text(h->value)) {
        buf_append(b, ": ", 2);
        buf_append_slice(b, h->value);
    } else {
        buf_append(b, ":: ", 3);
        base64_encode(b, h->value.p, h->value.n);
    }
}

void header_put_mark(struct buf *b, size_t attributes)
{
    start_line(b);
    buf_printf(b, ": %zu", attributes);
}

static bool decode(struct slice *s, struct buf *room)
{
    const size_t start = room->n;

    (void)buf_reserve(room, s->n + 1); /* so that nothing has a place, too */
    if (base64_decode(room, s->p, s->n) < 0) {
        return false;
    }
    *s = (struct slice){room->p + start, room->n - start};
    return true;
}

/* ": 3", digits only. */
static bool is_mark(struct slice line, size_t *attributes)
{
    size_t n = 0;

    if (line.n < 3 || line.n > 10 || line.p[0] != ':' || line.p[1] != ' ') {
        return false;
    }
    for (size_t i = 2; i < line.n; i++) {
        if (line.p[i] < '0' || line.p[i] > '9') {
            return false;
        }
        n = n * 10 + (size_t)(line.p[i] - '0');
    }
    *attributes = n;
    return true;
}

/* What stands behind the name, colon first. */
static bool parse_value(struct slice rest, struct buf *room,
                        struct slice *value)
{
    if (rest.n == 0) {
        *value = (struct slice){NULL, 0};
        return true;
    }
    if (rest.n >= 3 && rest.p[1] == ':' && rest.p[2] == ' ') {
        *value = (struct slice){rest.p + 3, rest.n - 3};
        return decode(value, room);
    }
    const size_t skip = rest.n >= 2 && rest.p[1] == ' ' ? 2 : 1;
    *value = (struct slice){rest.p + skip, rest.n - skip};
    return true;
}

static bool parse_line(struct slice line, struct buf *room, struct header *h)
{
    const size_t coded = line.p[0] == ':';
    const char *end = line.p + line.n;
    const char *colon = memchr(line.p + coded, ':', line.n - coded);
    const char *stop = colon != NULL ? colon : end;

    h->name.p = line.p + coded;
    h->name.n = (size_t)(stop - h->name.p);
    if (coded && !decode(&h->name, room)) {
        return false;
    }
    return parse_value((struct slice){stop, (size_t)(end - stop)}, room,
                       &h->value);
}

int header_next(struct slice *text, struct buf *room, struct header *h,
                size_t *attributes)
{
    struct slice line = {NULL, 0};

    while (text->n > 0 && line.n == 0) {
        const char *lf = memchr(text->p, '\n', text->n);
        const size_t n = lf != NULL ? (size_t)(lf - text->p) : text->n;
        line = (struct slice){text->p, n};
        text->p += n + (lf != NULL);
        text->n -= n + (lf != NULL);
    }
    if (line.n == 0) {
        return 0;
    }
    if (is_mark(line, attributes)) {
        return 2;
    }
    if (!parse_line(line, room, h)) {
        h->name = line;
        h->value = (struct slice){NULL, 0};
    }
    return 1;
}
