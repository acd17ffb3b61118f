#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void rounds(uint64_t v[4], int n)
{
    for (int i = 0; i < n; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
    }
}

uint64_t siphash24(const uint64_t seed[2], const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t v[4] = {
        seed[0] ^ 0x736f6d6570736575U, seed[1] ^ 0x646f72616e646f6dU,
        seed[0] ^ 0x6c7967656e657261U, seed[1] ^ 0x7465646279746573U};
    uint64_t last = (uint64_t)n << 56;

    for (; n >= 8; n -= 8, p += 8) {
        uint64_t m;
        memcpy(&m, p, sizeof m);
        v[3] ^= m;
        rounds(v, 2);
        v[0] ^= m;
    }
    for (size_t i = 0; i < n; i++) {
        last |= (uint64_t)p[i] << (8 * i);
    }
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m)
{
    *m = (struct map){0};
    rand_bytes(m->seed, sizeof m->seed);
}

void map_release(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++) {
        free(m->slot[i].key);
    }
    free(m->slot);
    *m = (struct map){0};
}

/* The slot of the key, or the empty one where it would go. */
static struct map_slot *find(const struct map *m, struct slice key,
                             uint64_t hash)
{
    size_t i = hash & (m->cap - 1);

    for (;; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slot[i];
        if (s->key == NULL ||
            (s->hash == hash && slice_eq((struct slice){s->key, s->n}, key))) {
            return s;
        }
    }
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->n == 0) {
        return NULL;
    }
    return find(m, key, siphash24(m->seed, key.p, key.n))->value;
}

static void grow(struct map *m)
{
    struct map old = *m;

    m->cap = old.cap == 0 ? 16 : old.cap * 2;
    m->slot = mem_new(m->cap * sizeof *m->slot);
    for (size_t i = 0; i < old.cap; i++) {
        const struct map_slot *s = &old.slot[i];
        if (s->key != NULL) {
            *find(m, (struct slice){s->key, s->n}, s->hash) = *s;
        }
    }
    free(old.slot);
}

void *map_put(struct map *m, struct slice key, void *value)
{
    if ((m->n + 1) * 4 > m->cap * 3) {
        grow(m);
    }
    const uint64_t hash = siphash24(m->seed, key.p, key.n);
    struct map_slot *s = find(m, key, hash);
    void *old = s->value;
    if (s->key == NULL) {
        s->key = mem_alloc(key.n + 1);
        memcpy(s->key, key.p, key.n);
        s->key[key.n] = '\0';
        s->n = key.n;
        s->hash = hash;
        m->n++;
    }
    s->value = value;
    return old;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->n == 0) {
        return NULL;
    }
    struct map_slot *s = find(m, key, siphash24(m->seed, key.p, key.n));
    if (s->key == NULL) {
        return NULL;
    }
    void *old = s->value;
    free(s->key);
    *s = (struct map_slot){0};
    m->n--;
    /* Close the gap (Knuth 6.4, algorithm R): move back what probed past. */
    const size_t mask = m->cap - 1;
    size_t hole = (size_t)(s - m->slot);
    for (size_t i = (hole + 1) & mask; m->slot[i].key != NULL;
         i = (i + 1) & mask) {
        const size_t home = m->slot[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slot[hole] = m->slot[i];
            m->slot[i] = (struct map_slot){0};
            hole = i;
        }
    }
    return old;
}

const struct map_slot *map_next(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        const struct map_slot *s = &m->slot[(*at)++];
        if (s->key != NULL) {
            return s;
        }
    }
    return NULL;
}
