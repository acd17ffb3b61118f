/* A hash map from byte strings to pointers; keys are copied, values are the
 * caller's. The hash is seeded at random for each map (SipHash-2-4, Aumasson
 * and Bernstein 2012), so that keys from outside cannot be chosen to
 * collide. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct map_slot {
    char *key;
    size_t n;
    uint64_t hash;
    void *value;
};

struct map {
    struct map_slot *slot;
    size_t cap; /* a power of two, or 0 */
    size_t n;
    uint64_t seed[2];
};

uint64_t siphash24(const uint64_t seed[2], const void *, size_t n);

void map_init(struct map *);

/* Frees the keys, not the values. */
void map_release(struct map *);

/* NULL where there is none. */
void *map_get(const struct map *, struct slice key);

/* value may not be NULL; returns the value that was there before. */
void *map_put(struct map *, struct slice key, void *value);

/* Returns the value that was there. */
void *map_remove(struct map *, struct slice key);

/* Walk in no order: start with *at = 0; NULL at the end. The map may not
 * change meanwhile. */
const struct map_slot *map_next(const struct map *, size_t *at);

#endif
