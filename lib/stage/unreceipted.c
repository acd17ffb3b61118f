#include "stage/unreceipted.h"

#include <stdlib.h>

#include "base/mem.h"
#include "record/pos.h"

void unreceipted_release(struct unreceipted *r)
{
    struct mark m;
    struct buf pos;

    buf_init(&pos);
    while (unreceipted_pop(r, UINT64_MAX, &m, &pos)) {
    }
    buf_release(&pos);
    free(r->v);
    *r = (struct unreceipted){0};
}

static void grow(struct unreceipted *r)
{
    const size_t cap = r->cap > 0 ? r->cap * 2 : 64;
    struct mark *v = mem_alloc(cap * sizeof *v);

    for (size_t i = 0; i < r->n; i++) {
        v[i] = r->v[(r->head + i) % r->cap];
    }
    free(r->v);
    r->v = v;
    r->cap = cap;
    r->head = 0;
}

void unreceipted_push(struct unreceipted *r, struct mark m)
{
    if (r->n == r->cap) {
        grow(r);
    }
    r->v[(r->head + r->n++) % r->cap] = m;
}

bool unreceipted_pop(struct unreceipted *r, uint64_t upto, struct mark *m,
                     struct buf *pos)
{
    if (r->n == 0 || r->v[r->head].seq > upto) {
        return false;
    }
    *m = r->v[r->head];
    r->head = (r->head + 1) % r->cap;
    r->n--;
    if (m->pos != NULL) {
        pos_merge(pos, slice_of(m->pos));
        free(m->pos);
        m->pos = NULL;
    }
    return true;
}
