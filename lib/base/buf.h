/* A growing run of bytes, and a borrowed one.
 *
 * struct buf owns p; p[n] is not a NUL unless buf_cstr() put it there. A struct
 * slice owns nothing and is valid as long as what it points into. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *s)
{
    return a.n == strlen(s) && memcmp(a.p, s, a.n) == 0;
}

static inline struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

struct buf {
    char *p;
    size_t n;
    size_t cap;
};

void buf_init(struct buf *);
void buf_release(struct buf *);

void buf_grow(struct buf *, size_t more);

/* Room for `more` bytes behind the end; the end does not move. In the header,
 * as are those below: lines are put together from many small pieces. */
static inline char *buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->n < more) {
        buf_grow(b, more);
    }
    return b->p + b->n;
}

static inline void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n > 0) {
        memcpy(buf_reserve(b, n), p, n);
        b->n += n;
    }
}

static inline void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.n);
}

static inline void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

static inline void buf_putc(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->n++;
}

void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Drop n bytes from the front. */
void buf_consume(struct buf *, size_t n);
void buf_clear(struct buf *);

/* Give memory above `keep` bytes back, if the contents fit there. */
void buf_shrink(struct buf *, size_t keep);

/* The contents with a NUL behind them; valid until the next change. */
const char *buf_cstr(struct buf *);

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
