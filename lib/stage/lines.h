/* Lines from a descriptor, in place: a line is a slice of the buffer, valid
 * until the next lines_fill().
 *
 * A line above the limit is not kept: its first 64 KiB stay, the rest is
 * digested and thrown away, so that memory is bounded whatever comes. */
#ifndef STAGE_LINES_H
#define STAGE_LINES_H

#include <stdint.h>

#include "base/buf.h"

struct err;
struct digest;

enum { LINES_CHUNK = 256 * 1024, LINES_KEEP = 64 * 1024 };

struct lines {
    int fd;
    size_t max; /* bytes of a line */
    struct buf b;
    size_t at;   /* start of the first line not yet given out */
    size_t seen; /* up to here there is no line end behind `at` */
    bool eof;
    struct digest *digest; /* of the long line that is being thrown away */
    uint64_t long_bytes;
};

/* The limit of a line for values of max_event bytes. */
size_t lines_limit(uint64_t max_event);

void lines_init(struct lines *, int fd, size_t max);
void lines_release(struct lines *);

/* One read(2). 1 something came, 0 nothing now (EAGAIN), -1. At the end of the
 * input eof is set and 1 returned. */
int lines_fill(struct lines *, struct err *);

/* 1 and a line without its line end; 0: fill first, or all is given out.
 * A long line comes as its first LINES_KEEP bytes, with its size and digest
 * described in why (a "larger than …" sentence), which is empty otherwise. The
 * rest that no line end follows at eof is a line only if whole is false. */
int lines_next(struct lines *, struct slice *line, bool want_whole,
               char why[static 160]);

#endif
