/* Time. Intervals come from the monotonic clock, so that a step of the wall
 * clock moves no timer; the wall clock is for what people read. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct err;

enum { CLOCK_TEXT = 32 };

uint64_t clock_mono_us(void);
/* As of the last tick, up to 10 ms ago, at a quarter of the price. */
uint64_t clock_coarse_us(void);
uint64_t clock_wall_ms(void);

/* "250ms" "30s" "5m" "1h" "7d", a bare number is seconds, at most 100 years.
 * Result in milliseconds. */
int duration_parse(const char *text, uint64_t *ms, struct err *);

/* RFC 3339, date and hour at least ("2026-11-20T00:00Z", with seconds,
 * fractions and offsets), to and from milliseconds since 1970. */
int time_parse(const char *text, uint64_t *ms, struct err *);
void time_format(uint64_t ms, char out[CLOCK_TEXT]);

#endif
