/* Event lines that wait to be written, in order, up to a cut. */
#ifndef TOPIC_GATHER_H
#define TOPIC_GATHER_H

#include <stdint.h>

#include "base/buf.h"

struct gathered {
    uint32_t partition;
    size_t at;
    size_t n;
};

struct gather {
    struct buf bytes;
    struct gathered *v;
    size_t n;
    size_t cap;
    bool was_cut;
    size_t cut; /* lines before the last cut */
};

void gather_release(struct gather *);

/* One line, of two pieces. */
void gather_add(struct gather *, const struct slice part[2],
                uint32_t partition);

/* What comes after this waits for another cut. Bytes before it. */
size_t gather_cut(struct gather *);

/* Lines that are to be written: up to the last cut, all without one. */
size_t gather_ready(const struct gather *);
struct slice gather_line(const struct gather *, size_t i);

/* The first n are written (or given up), and with them the cut is over. */
void gather_done(struct gather *, size_t n);

#endif
