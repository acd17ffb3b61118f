#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/msg.h"
#include "base/status.h"

static void *must(void *p)
{
    if (p == NULL) {
        msg_error("out of memory");
        _Exit(STATUS_SYSTEM);
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return must(malloc(n > 0 ? n : 1));
}

void *mem_new(size_t n)
{
    return must(calloc(1, n > 0 ? n : 1));
}

void *mem_resize(void *p, size_t n)
{
    return must(realloc(p, n > 0 ? n : 1));
}

char *mem_strdup(const char *s)
{
    return must(strdup(s));
}

char *mem_strndup(const char *s, size_t n)
{
    return must(strndup(s, n));
}

char *mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    const int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return must(n < 0 ? NULL : s);
}
