#include "deliver/held.h"

#include <stdlib.h>

#include "base/mem.h"

void held_release(struct held *h)
{
    free(h->v);
    *h = (struct held){0};
}

/* Its place, or the free one where it belongs. */
static size_t find(const struct held *h, uint64_t identity)
{
    size_t i = (size_t)identity & (h->cap - 1);

    while (h->v[i] != 0 && h->v[i] != identity) {
        i = (i + 1) & (h->cap - 1);
    }
    return i;
}

static void grow(struct held *h)
{
    struct held wide = {.cap = h->cap > 0 ? h->cap * 2 : 1024, .n = h->n};

    wide.v = mem_new(wide.cap * sizeof *wide.v);
    for (size_t i = 0; i < h->cap; i++) {
        if (h->v[i] != 0) {
            wide.v[find(&wide, h->v[i])] = h->v[i];
        }
    }
    free(h->v);
    *h = wide;
}

void held_add(struct held *h, uint64_t identity)
{
    if (h->n >= h->cap / 2) {
        grow(h);
    }
    identity += identity == 0;
    const size_t i = find(h, identity);
    h->n += h->v[i] == 0;
    h->v[i] = identity;
}

/* What stands behind it in the same run moves up, so that it is still found. */
void held_remove(struct held *h, uint64_t identity)
{
    identity += identity == 0;
    if (h->v == NULL) {
        return;
    }
    size_t hole = find(h, identity);
    if (h->v[hole] == 0) {
        return;
    }
    h->n--;
    h->v[hole] = 0;
    for (size_t i = (hole + 1) & (h->cap - 1); h->v[i] != 0;
         i = (i + 1) & (h->cap - 1)) {
        const uint64_t x = h->v[i];
        h->v[i] = 0;
        h->v[find(h, x)] = x;
    }
}

bool held_ask(struct held *h, uint64_t identity)
{
    identity += identity == 0;
    if (h->v == NULL) {
        return false;
    }
    const bool there = h->v[find(h, identity)] != 0;
    if (++h->asked > HELD_WINDOW) {
        held_release(h);
    }
    return there;
}
