#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_release(struct buf *b)
{
    free(b->p);
    buf_init(b);
}

void buf_grow(struct buf *b, size_t more)
{
    size_t cap = b->cap < 128 ? 128 : b->cap * 2;

    while (cap - b->n < more) {
        cap *= 2;
    }
    b->p = mem_resize(b->p, cap);
    b->cap = cap;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_list again;

    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        (void)vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt,
                        again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    b->n -= n;
    if (b->n > 0 && n > 0) {
        memmove(b->p, b->p + n, b->n);
    }
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

void buf_shrink(struct buf *b, size_t keep)
{
    if (b->cap > keep && b->n <= keep) {
        b->p = mem_resize(b->p, keep);
        b->cap = keep;
    }
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->p;
}
