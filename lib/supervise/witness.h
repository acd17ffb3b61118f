/* Watches what comes out of a filter, against what went in.
 *
 * Events of the probe have the ids "probe-0", "probe-1" …; a filter may drop
 * them, change them, and make several of one, as long as each comes between the
 * two marks between which it went in, and in order. Lines whose id is not the
 * probe's are counted only. */
#ifndef SUPERVISE_WITNESS_H
#define SUPERVISE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rand.h"

/* The promises, in the order in which they are shown. */
enum witness_promise {
    WITNESS_HELLO, /* the first line is passed on at once */
    WITNESS_LINES, /* what comes out is lines of the contract */
    WITNESS_MARKS, /* each mark once, unchanged, in order */
    WITNESS_HOLDS, /* nothing is held back past a mark */
    WITNESS_ORDER, /* events in order */
    WITNESS_END,   /* "end" is the last line; then the filter ends with 0 */
    WITNESS_DEATH, /* an input that ends without "end" gets none */
    WITNESS_PROMISES
};

struct witness_batch {
    uint32_t first; /* number of its first event */
    uint32_t n;
};

struct witness {
    /* what went in: */
    char run[RAND_HEX];
    char hello[RAND_HEX + 8]; /* the way back's name, to be passed on */
    struct witness_batch *batch;
    size_t batches;
    uint32_t events;
    bool end_sent;
    /* what came out: */
    bool hello_seen;
    bool end_seen;
    size_t marks;
    uint32_t last;  /* the highest number so far in this batch, + 1 */
    uint64_t lines; /* since the last mark */
    uint64_t passed;
    uint64_t born; /* outputs of an input beyond its first */
    uint64_t died;
    uint64_t strange; /* lines with other ids */
    bool rounded;     /* a long number lost its last digits */
    /* the first promise that was broken: */
    bool broken;
    enum witness_promise promise;
    char why[256];
};

void witness_init(struct witness *);
void witness_release(struct witness *);

/* Append to out what a source would write, and remember it. */
void witness_put_hello(struct witness *, struct buf *out);
void witness_put_events(struct witness *, struct buf *out, uint32_t n);
void witness_put_mark(struct witness *, struct buf *out);
void witness_put_end(struct witness *, struct buf *out);

/* One line that came out. False once a promise is broken. */
bool witness_line(struct witness *, struct slice line);

/* Always false. */
bool witness_break(struct witness *, enum witness_promise, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
