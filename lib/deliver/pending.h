/* Which batches are terminal: each event that is under way holds its mark. */
#ifndef DELIVER_PENDING_H
#define DELIVER_PENDING_H

#include <stddef.h>
#include <stdint.h>

struct pending {
    uint64_t *held; /* by seq modulo cap: events under way */
    size_t cap;     /* a power of two */
    uint64_t first; /* the oldest mark that is not terminal */
    uint64_t open;  /* the mark that will cover what comes now */
};

/* Begin anew (seqs count from 1): nothing may be held. */
void pending_init(struct pending *);
void pending_release(struct pending *);

/* An event that came now: returns the mark that it holds. */
uint64_t pending_hold(struct pending *);
void pending_drop(struct pending *, uint64_t mark);

/* The open mark has come. */
void pending_close(struct pending *);

/* All up to this one is terminal; 0: none yet. */
uint64_t pending_terminal(struct pending *);

#endif
