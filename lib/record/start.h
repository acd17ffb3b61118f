/* Where a reader begins that has no position: what -o takes. */
#ifndef RECORD_START_H
#define RECORD_START_H

#include <stdint.h>

struct err;

enum start_from {
    START_BEGINNING,
    START_END,
    START_OFFSET,
    START_BACK,
    START_TIME
};

struct start {
    enum start_from from;
    uint64_t value; /* offset, count back from the end, ms since 1970 */
};

/* "beginning", "end", N, -N, or a time; NULL is the beginning. STATUS_USAGE. */
int start_parse(struct start *, const char *text, struct err *);

#endif
