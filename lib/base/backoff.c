#include "base/backoff.h"

#include "base/rand.h"

uint64_t backoff_next(struct backoff *b)
{
    uint64_t ceiling = b->base_ms;

    for (unsigned i = 0; i < b->failures && ceiling < b->cap_ms; i++) {
        ceiling *= 2;
    }
    b->failures++;
    if (ceiling > b->cap_ms) {
        ceiling = b->cap_ms;
    }
    return rand_below(ceiling + 1);
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
