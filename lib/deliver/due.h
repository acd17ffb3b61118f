/* What is due when: a heap of times, each inside the thing that waits. */
#ifndef DELIVER_DUE_H
#define DELIVER_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
    uint64_t at;
    size_t place; /* in the heap, from 1; 0: not in it */
};

struct due_heap {
    struct due **v; /* v[0] is not used */
    size_t n;
    size_t cap;
};

void due_release(struct due_heap *);

/* Also moves what is in already. */
void due_put(struct due_heap *, struct due *, uint64_t at);

/* Nothing happens if it is not in. */
void due_remove(struct due_heap *, struct due *);

/* The earliest, or NULL. */
struct due *due_first(const struct due_heap *);

static inline bool due_waits(const struct due *d)
{
    return d->place > 0;
}

#endif
