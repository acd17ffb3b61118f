/* When a parked event is tried again: "5s,30s,2m,10m,1h*".
 *
 * Each number is the ceiling of a wait; the wait itself is uniform in
 * [0, ceiling] (full jitter), so that many keys that failed together do not
 * come back together. A '*' behind the last one repeats it for ever; without
 * it the event is given up behind the last. */
#ifndef DELIVER_SCHEDULE_H
#define DELIVER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { SCHEDULE_STEPS = 32 };

struct schedule {
    uint64_t ceiling_ms[SCHEDULE_STEPS];
    size_t n;
    bool repeat;
};

/* STATUS_USAGE. Each step is 1 ms to 7 days. */
int schedule_parse(struct schedule *, const char *text, struct err *);

/* The ceiling behind try number `tries` (1, 2, …); false: give up. */
bool schedule_ceiling(const struct schedule *, uint64_t tries, uint64_t *ms);

/* Retry-After: seconds, or an HTTP date seen from now_ms (of the wall clock).
 * At most an hour; false for what is neither. A date that is past is 0. */
bool schedule_retry_after(const char *text, uint64_t now_ms, uint64_t *ms);

#endif
