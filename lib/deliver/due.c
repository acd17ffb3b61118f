#include "deliver/due.h"

#include <stdlib.h>

#include "base/mem.h"

void due_release(struct due_heap *h)
{
    free(h->v);
    *h = (struct due_heap){0};
}

static void set(struct due_heap *h, size_t place, struct due *d)
{
    h->v[place] = d;
    d->place = place;
}

static void rise(struct due_heap *h, struct due *d)
{
    size_t i = d->place;

    for (; i > 1 && h->v[i / 2]->at > d->at; i /= 2) {
        set(h, i, h->v[i / 2]);
    }
    set(h, i, d);
}

static void sink(struct due_heap *h, struct due *d)
{
    size_t i = d->place;

    for (size_t child; (child = 2 * i) <= h->n; i = child) {
        if (child < h->n && h->v[child + 1]->at < h->v[child]->at) {
            child++;
        }
        if (h->v[child]->at >= d->at) {
            break;
        }
        set(h, i, h->v[child]);
    }
    set(h, i, d);
}

void due_put(struct due_heap *h, struct due *d, uint64_t at)
{
    d->at = at;
    if (d->place == 0) {
        if (h->n + 1 >= h->cap) {
            h->cap = h->cap > 0 ? h->cap * 2 : 64;
            h->v = mem_resize(h->v, h->cap * sizeof(struct due *));
        }
        set(h, ++h->n, d);
    }
    rise(h, d);
    sink(h, d);
}

void due_remove(struct due_heap *h, struct due *d)
{
    if (d->place == 0) {
        return;
    }
    struct due *last = h->v[h->n--];
    const size_t place = d->place;
    d->place = 0;
    if (last != d) {
        set(h, place, last);
        rise(h, last);
        sink(h, last);
    }
}

struct due *due_first(const struct due_heap *h)
{
    return h->n > 0 ? h->v[1] : NULL;
}
