/* Allocation that cannot fail: when memory is out the process ends with 71
 * (crash-only: a segment that lost a stage loses nothing). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));

/* Zeroed. */
void *mem_new(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_resize(void *, size_t n) __attribute__((returns_nonnull));
char *mem_strdup(const char *) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *, size_t n)
    __attribute__((malloc, returns_nonnull));

/* "format" into fresh memory. */
char *mem_printf(const char *fmt, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

#endif
