#include "deliver/parked.h"

#include <stdlib.h>

#include "base/mem.h"

void parked_init(struct parked_keys *k)
{
    *k = (struct parked_keys){0};
    map_init(&k->by_key);
}

static void free_parked(struct parked *p)
{
    free((void *)(uintptr_t)p->key.p);
    free(p->v);
    free(p);
}

void parked_release(struct parked_keys *k)
{
    struct parked *next;

    for (struct parked *p = k->all; p != NULL; p = next) {
        next = p->next;
        free_parked(p);
    }
    map_release(&k->by_key);
    due_release(&k->due);
}

struct parked *parked_find(const struct parked_keys *k, struct slice key)
{
    return key.p != NULL && k->keys > 0 ? map_get(&k->by_key, key) : NULL;
}

struct parked *parked_key(struct parked_keys *k, struct slice key,
                          uint64_t hash)
{
    struct parked *p = parked_find(k, key);

    if (p != NULL) {
        return p;
    }
    p = mem_new(sizeof *p);
    p->hash = hash;
    if (key.p != NULL) {
        char *copy = mem_alloc(key.n + 1);
        memcpy(copy, key.p, key.n);
        p->key = (struct slice){copy, key.n};
        (void)map_put(&k->by_key, key, p);
    }
    p->next = k->all;
    if (k->all != NULL) {
        k->all->before = p;
    }
    k->all = p;
    k->keys++;
    return p;
}

/* The events are a ring: cap is a power of two. */
static void grow(struct parked *p)
{
    const size_t cap = p->cap > 0 ? p->cap * 2 : 2;
    struct parked_event *v = mem_alloc(cap * sizeof *v);

    for (size_t i = 0; i < p->n; i++) {
        v[i] = p->v[(p->first + i) & (p->cap - 1)];
    }
    free(p->v);
    p->v = v;
    p->cap = cap;
    p->first = 0;
}

void parked_add(struct parked_keys *k, struct parked *p,
                const struct parked_event *ev)
{
    if (p->n == p->cap) {
        grow(p);
    }
    p->v[(p->first + p->n++) & (p->cap - 1)] = *ev;
    k->events++;
    k->bytes += ev->size;
}

bool parked_pop(struct parked_keys *k, struct parked *p)
{
    k->events--;
    k->bytes -= parked_head(p)->size;
    p->first = (p->first + 1) & (p->cap - 1);
    if (--p->n > 0) {
        return false;
    }
    due_remove(&k->due, &p->due);
    if (p->key.p != NULL) {
        (void)map_remove(&k->by_key, p->key);
    }
    *(p->before != NULL ? &p->before->next : &k->all) = p->next;
    if (p->next != NULL) {
        p->next->before = p->before;
    }
    k->keys--;
    free_parked(p);
    return true;
}
