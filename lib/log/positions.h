/* name → position, as the batches of a segment say it: each segment opens with
 * a snapshot, so the last one is enough. */
#ifndef LOG_POSITIONS_H
#define LOG_POSITIONS_H

#include "base/map.h"
#include "log/segment.h"

struct positions {
    struct map by_name; /* struct named * */
    struct named *last; /* the one looked at last */
    uint64_t serial;    /* of the segment that was read … */
    uint64_t byte;      /* … up to here */
};

void positions_init(struct positions *);
void positions_release(struct positions *);

/* Read on, up to byte `to`; from the start in another segment. 74 if a head is
 * damaged. */
int positions_read(struct positions *, struct segment *, uint64_t to,
                   struct err *);

/* Append a name's position, sealed; nothing if it has none. */
void positions_text(const struct positions *, struct slice name, struct buf *);

/* Append the snapshot batches of a segment that so far is what `out` holds. */
void positions_snapshot(const struct positions *, const struct segment_head *,
                        uint64_t time_ms, struct buf *out);

#endif
