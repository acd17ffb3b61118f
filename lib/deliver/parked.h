/* Which keys are parked: what the retry store holds, in memory, without the
 * events themselves. 40 bytes for each event, about 150 for each key. */
#ifndef DELIVER_PARKED_H
#define DELIVER_PARKED_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/map.h"
#include "deliver/due.h"

struct parked_event {
    uint64_t offset;   /* in the journal */
    uint64_t identity; /* of the event, in this process */
    uint64_t age_ms;   /* of failing while others succeeded */
    uint64_t tried_ms; /* wall clock: last try, or when it was parked */
    uint32_t tries;
    uint32_t size;
};

/* One key, or one event without a key; its events in order. */
struct parked {
    struct due due; /* while its head may be tried at that time */
    struct parked *next;
    struct parked *before;
    struct slice key; /* owned; p == NULL: none */
    uint64_t hash;
    struct parked_event *v;
    size_t first;
    size_t n;
    size_t cap;
    uint64_t due_us; /* when the head is durable: to be tried then */
};

struct parked_keys {
    struct map by_key;
    struct due_heap due;
    struct parked *all;
    size_t keys;
    size_t events;
    uint64_t bytes;
};

void parked_init(struct parked_keys *);
void parked_release(struct parked_keys *);

/* NULL: not parked. */
struct parked *parked_find(const struct parked_keys *, struct slice key);

/* Find or make; without a key always a new one. */
struct parked *parked_key(struct parked_keys *, struct slice key,
                          uint64_t hash);

void parked_add(struct parked_keys *, struct parked *,
                const struct parked_event *);

static inline struct parked_event *parked_head(struct parked *p)
{
    return &p->v[p->first];
}

/* Drop the head; true if it was the last, and the key is gone. */
bool parked_pop(struct parked_keys *, struct parked *);

#endif
