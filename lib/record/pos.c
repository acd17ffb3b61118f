#include "record/pos.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crc.h"
#include "base/err.h"

enum { SUM = sizeof "sum:00000000" - 1 };

void pos_put(struct buf *b, struct slice key, struct slice value)
{
    if (b->n > 0) {
        buf_putc(b, ' ');
    }
    buf_append_slice(b, key);
    buf_putc(b, ':');
    buf_append_slice(b, value);
}

void pos_seal(struct buf *b)
{
    if (b->n > 0) {
        buf_printf(b, " sum:%08x", crc32c(0, b->p, b->n));
    }
}

bool pos_next(struct slice *rest, struct slice *key, struct slice *value)
{
    while (rest->n > 0) {
        const char *blank = memchr(rest->p, ' ', rest->n);
        const size_t n = blank != NULL ? (size_t)(blank - rest->p) : rest->n;
        const char *colon = memchr(rest->p, ':', n);
        const size_t k = colon != NULL ? (size_t)(colon - rest->p) : n;
        *key = (struct slice){rest->p, k};
        *value = colon != NULL ? (struct slice){colon + 1, n - k - 1}
                               : (struct slice){rest->p + n, 0};
        rest->p += blank != NULL ? n + 1 : n;
        rest->n -= blank != NULL ? n + 1 : n;
        if (n > 0 && !slice_is(*key, "sum")) {
            return true;
        }
    }
    return false;
}

int pos_check(struct slice pos, struct err *e)
{
    char want[SUM + 2];

    if (pos.n == 0) {
        return 0;
    }
    if (pos.n > POS_MAX || pos.n < SUM + 2) {
        return err_set(e, STATUS_STREAM, "a position of %zu bytes", pos.n);
    }
    for (size_t i = 0; i < pos.n; i++) {
        const char c = pos.p[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            return err_set(e, STATUS_STREAM,
                           "a position with byte 0x%02x in it",
                           (unsigned char)c);
        }
    }
    const size_t body = pos.n - SUM - 1;
    (void)snprintf(want, sizeof want, " sum:%08x", crc32c(0, pos.p, body));
    if (memcmp(pos.p + body, want, SUM + 1) != 0) {
        return err_set(e, STATUS_STREAM,
                       "position \"%.*s\" was changed on its way (its sum "
                       "should be%s): a filter rewrites control lines",
                       pos.n < 100 ? (int)pos.n : 100, pos.p, want + 4);
    }
    return 0;
}

struct slice pos_find(struct slice pos, struct slice key)
{
    struct slice k;
    struct slice v;

    while (pos_next(&pos, &k, &v)) {
        if (slice_eq(k, key)) {
            return v;
        }
    }
    return (struct slice){NULL, 0};
}

void pos_merge(struct buf *into, struct slice newer)
{
    struct buf out;
    struct slice rest = buf_slice(into);
    struct slice k;
    struct slice v;

    buf_init(&out);
    while (pos_next(&rest, &k, &v)) {
        const struct slice now = pos_find(newer, k);
        pos_put(&out, k, now.p != NULL ? now : v);
    }
    rest = newer;
    while (pos_next(&rest, &k, &v)) {
        if (pos_find(buf_slice(into), k).p == NULL) {
            pos_put(&out, k, v);
        }
    }
    pos_seal(&out);
    buf_release(into);
    *into = out;
}
