/* Places in a partition, asked of its leader. Both wait, 15 s for an answer at
 * most: 69 no broker leads it, or the one that does is out of reach; 77, 75. */
#ifndef KAFKA_PLACE_H
#define KAFKA_PLACE_H

#include "kafka/handle.h"
#include "record/start.h"

/* The oldest offset, and the one behind the newest. */
int kafka_place_bounds(const struct kafka_handle *, const char *topic,
                       uint32_t partition, uint64_t *begin, uint64_t *end,
                       struct err *);

/* Where one begins who was told so ("-o"); an offset is taken as it is, inside
 * the bounds or not. */
int kafka_place_find(const struct kafka_handle *, const char *topic,
                     uint32_t partition, const struct start *, uint64_t *offset,
                     struct err *);

#endif
