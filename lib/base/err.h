/* An error: an exit status and one line that names the object.
 *
 * A function that can fail takes a struct err last and returns -1 or NULL with
 * it filled in. err may not be NULL. The text holds no line end and is cut at
 * the size of the field. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/status.h"

struct err {
    int status;
    int error; /* errno, where that was the cause; else 0 */
    char text[512];
};

/* All three return -1, so that a caller can say: return err_set(…). */
int err_set(struct err *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and strerror(errno) behind it. */
int err_errno(struct err *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Was it that the disk, or a quota of it, is full? */
bool err_is_full(const struct err *);

/* Put "context: " before the text of an error that is already set. */
int err_wrap(struct err *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
