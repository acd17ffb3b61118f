/* At most so many requests in a time: a bucket that fills steadily.
 *
 * It holds what a tenth of a second brings, and one at least, so that requests
 * leave at an even pace. A zeroed struct limits nothing. */
#ifndef DELIVER_RATE_H
#define DELIVER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct rate {
    uint64_t every_ns; /* one more each; 0: no limit */
    uint64_t slack_ns; /* how far one may run ahead of that */
    uint64_t next_ns;  /* when the next is due by the pace alone */
};

/* "N", "N/s", "N/m" or "N/h", N from 1 to 1,000,000. STATUS_USAGE. */
int rate_parse(struct rate *, const char *text, struct err *);

/* When the next may leave, in microseconds of clock_mono_us(); 0: at any time.
 */
uint64_t rate_next_us(const struct rate *);

/* One leaves now. */
void rate_sent(struct rate *, uint64_t now_us);

#endif
