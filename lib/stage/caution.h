/* A cautious source: after deaths that an event may have caused, dpp-run sets
 * $DPP_CAUTION, and the source hands its events out one at a time.
 *
 *     1             one event per mark, and the next only after its receipt
 *     suspect WHO   the same, and the event WHO goes down as a dead line
 *
 * WHO names one event: the CRC-32C of its line in hex, a blank, and the sealed
 * position behind it. While cautious the source tells dpp-run WHO is out, so
 * that a death can be laid to one event, and to no other; and misses none of
 * the receipts that clear one. */
#ifndef STAGE_CAUTION_H
#define STAGE_CAUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct caution {
    bool on;
    struct buf suspect; /* empty: none */
    uint64_t told_us;
};

/* From the environment. */
void caution_init(struct caution *);
void caution_release(struct caution *);

/* The line from `start` to the end of out (line end included) is about to go
 * out alone as mark seq of this run, with pos behind it: tells dpp-run. If it
 * is the suspect it becomes a dead line. Without a position no event can be
 * told from another, and nothing happens. */
void caution_hand_out(struct caution *, struct buf *out, size_t start,
                      const char *run, uint64_t seq, struct slice pos);

/* All up to mark seq of this run is receipted: tells dpp-run, but not often
 * unless that was the last one. */
void caution_tell(struct caution *, const char *run, uint64_t seq,
                  struct slice pos, bool last);

#endif
