/* Where events stand, in the order in which they were written: a queue. */
#ifndef TOPIC_PLACES_H
#define TOPIC_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
    uint64_t ticket; /* of its commit */
    uint64_t offset;
    uint32_t partition;
};

struct places {
    struct place *v;
    size_t first;
    size_t n; /* behind the last */
    size_t cap;
};

void places_release(struct places *);

/* Tickets rise. */
void places_put(struct places *, struct place);

/* Take out the first, if its ticket is up to this one. */
bool places_next(struct places *, uint64_t ticket, struct place *);

#endif
