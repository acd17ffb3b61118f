/* Which events the retry store held when it was opened: what the source sends
 * again after a crash is not deferred a second time.
 *
 * A set of 64-bit identities (seeded hashes), 8 bytes each. A source sends at
 * most 65,536 events again; when more have come, the set is dropped. */
#ifndef DELIVER_HELD_H
#define DELIVER_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HELD_WINDOW = 65536 };

struct held {
    uint64_t *v; /* open addressing, 0: free; NULL: no set any more */
    size_t cap;  /* a power of two */
    size_t n;
    size_t asked;
};

void held_release(struct held *);
void held_add(struct held *, uint64_t identity);
void held_remove(struct held *, uint64_t identity);

/* Is it there? Counts an event that came. */
bool held_ask(struct held *, uint64_t identity);

#endif
