/* The sparse index of a sealed segment: <base>.idx.
 *
 * Written when the segment is sealed, never synced, and made again, silently,
 * whenever it is missing or not what it should be: it is a short cut. The
 * present segment has none; its heads are walked. */
#ifndef LOG_INDEX_H
#define LOG_INDEX_H

#include "log/segment.h"

struct index_point {
    uint64_t offset; /* of the batch's first record */
    uint64_t byte;   /* where the batch begins */
    uint64_t time_ms;
};

struct index {
    uint64_t end; /* byte behind the last batch that counts */
    struct index_point *point;
    size_t n;
};

void index_release(struct index *);

/* Of a sealed segment whose successor begins at offset `next`. */
int index_load(struct index *, struct segment *, uint64_t next, struct err *);

/* Write it, if that can be done; `end` as above. */
void index_make(struct segment *, uint64_t next, uint64_t end);

/* The last point that is not behind the offset, or NULL. */
const struct index_point *index_find(const struct index *, uint64_t offset);

#endif
