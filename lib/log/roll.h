/* New segments. */
#ifndef LOG_ROLL_H
#define LOG_ROLL_H

#include "log/positions.h"
#include "log/shared.h"

/* The first one of a topic that is being made. 74 also when the disk is full.
 */
int roll_first(const char *dir, const struct log_topic *, uint32_t key,
               struct err *);

/* Begin a new segment behind `end` (of the present one, *seg, durable up to
 * there) with room for a batch of `need` bytes, and make it the present one
 * for all; *old gets the present one, still open. Under the append and the sync
 * lock. 0, 1 when the disk is full (nothing has changed), -1. */
int roll(struct shared *, struct segment *seg, struct positions *,
         const struct mark *end, uint64_t need, struct segment *old,
         struct err *);

/* What a process that was killed in roll() left: publish it or forget it. Under
 * both locks, when state->rolling is set. */
int roll_finish(struct shared *, struct err *);

#endif
