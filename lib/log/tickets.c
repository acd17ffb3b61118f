#include "log/tickets.h"

#include <stdlib.h>

#include "base/mem.h"

void tickets_init(struct tickets *t)
{
    *t = (struct tickets){.first = 1, .next = 1};
}

void tickets_release(struct tickets *t)
{
    free(t->v);
    tickets_init(t);
}

static void grow(struct tickets *t)
{
    const size_t cap = t->cap == 0 ? 64 : t->cap * 2;
    struct ticket *v = mem_alloc(cap * sizeof *v);

    for (uint64_t i = t->first; i != t->next; i++) {
        v[i & (cap - 1)] = t->v[i & (t->cap - 1)];
    }
    free(t->v);
    t->v = v;
    t->cap = cap;
}

void tickets_add(struct tickets *t, uint64_t serial, uint64_t byte)
{
    if (t->next - t->first == t->cap) {
        grow(t);
    }
    t->v[t->next++ & (t->cap - 1)] = (struct ticket){serial, byte};
}

void tickets_settle(struct tickets *t, const struct mark *synced)
{
    while (tickets_open(t)) {
        const struct ticket *k = &t->v[t->first & (t->cap - 1)];
        if (!mark_covers(synced, k->serial, k->byte)) {
            break;
        }
        t->first++;
    }
}
