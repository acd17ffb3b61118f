#include "topic/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void places_release(struct places *p)
{
    free(p->v);
    *p = (struct places){0};
}

void places_put(struct places *p, struct place place)
{
    if (p->n == p->cap && p->first > p->n / 2) {
        p->n -= p->first;
        memmove(p->v, p->v + p->first, p->n * sizeof *p->v);
        p->first = 0;
    } else if (p->n == p->cap) {
        p->cap = p->cap > 0 ? p->cap * 2 : 256;
        p->v = mem_resize(p->v, p->cap * sizeof *p->v);
    }
    p->v[p->n++] = place;
}

bool places_next(struct places *p, uint64_t ticket, struct place *out)
{
    if (p->first == p->n || p->v[p->first].ticket > ticket) {
        return false;
    }
    *out = p->v[p->first++];
    if (p->first == p->n) {
        p->first = p->n = 0;
    }
    return true;
}
