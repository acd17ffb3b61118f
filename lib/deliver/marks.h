/* Which batches are terminal: each event that is under way holds its mark. */
#ifndef DELIVER_MARKS_H
#define DELIVER_MARKS_H

#include <stddef.h>
#include <stdint.h>

struct marks {
    uint64_t *held; /* by seq modulo cap: events under way */
    size_t cap;     /* a power of two */
    uint64_t first; /* the oldest mark that is not terminal */
    uint64_t open;  /* the mark that will cover what comes now */
};

/* Begin anew (seqs count from 1): nothing may be held. */
void marks_init(struct marks *);
void marks_release(struct marks *);

/* An event that came now: returns the mark that it holds. */
uint64_t marks_hold(struct marks *);
void marks_drop(struct marks *, uint64_t mark);

/* The open mark has come. */
void marks_close(struct marks *);

/* All up to this one is terminal; 0: none yet. */
uint64_t marks_terminal(struct marks *);

#endif
