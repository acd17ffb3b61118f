/* Appends of one writer that are not known to be durable, oldest first. A
 * ticket is a place; its number counts the appends from 1. */
#ifndef LOG_TICKETS_H
#define LOG_TICKETS_H

#include <stddef.h>

#include "log/state.h"

struct ticket {
    uint64_t serial; /* of the segment */
    uint64_t byte;   /* behind the batch */
};

struct tickets {
    struct ticket *v; /* a ring */
    size_t cap;       /* a power of two, or 0 */
    uint64_t first;   /* the number of the oldest open one */
    uint64_t next;    /* of the next one to be made */
};

void tickets_init(struct tickets *);
void tickets_release(struct tickets *);
void tickets_add(struct tickets *, uint64_t serial, uint64_t byte);

/* Close all that the mark covers. */
void tickets_settle(struct tickets *, const struct mark *synced);

static inline bool tickets_open(const struct tickets *t)
{
    return t->first != t->next;
}

/* The newest; there has been one. */
static inline const struct ticket *tickets_last(const struct tickets *t)
{
    return &t->v[(t->next - 1) & (t->cap - 1)];
}

#endif
