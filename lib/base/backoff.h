/* Exponential backoff with full jitter: a wait is uniform in [0, ceiling], the
 * ceiling doubles from base to cap ("Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015). */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint64_t base_ms;
    uint64_t cap_ms;
    unsigned failures;
};

/* The next wait in milliseconds; counts a failure. */
uint64_t backoff_next(struct backoff *);
void backoff_reset(struct backoff *);

#endif
