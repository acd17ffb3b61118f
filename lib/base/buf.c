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

char *buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->n < more) {
        size_t cap = b->cap < 128 ? 128 : b->cap * 2;
        while (cap - b->n < more) {
            cap *= 2;
        }
        b->p = mem_resize(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n > 0) {
        memcpy(buf_reserve(b, n), p, n);
        b->n += n;
    }
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->n++;
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
