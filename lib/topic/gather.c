#include "topic/gather.h"

#include <stdlib.h>

#include "base/mem.h"

enum { KEEP = 1 << 20 };

void gather_release(struct gather *g)
{
    buf_release(&g->bytes);
    free(g->v);
}

void gather_add(struct gather *g, const struct slice part[2],
                uint32_t partition)
{
    if (g->n == g->cap) {
        g->cap = g->cap > 0 ? g->cap * 2 : 256;
        g->v = mem_resize(g->v, g->cap * sizeof *g->v);
    }
    g->v[g->n++] = (struct gathered){
        .partition = partition,
        .at = g->bytes.n,
        .n = part[0].n + part[1].n,
    };
    buf_append_slice(&g->bytes, part[0]);
    buf_append_slice(&g->bytes, part[1]);
}

size_t gather_cut(struct gather *g)
{
    g->was_cut = true;
    g->cut = g->n;
    return g->bytes.n;
}

size_t gather_ready(const struct gather *g)
{
    return g->was_cut ? g->cut : g->n;
}

struct slice gather_line(const struct gather *g, size_t i)
{
    return (struct slice){g->bytes.p + g->v[i].at, g->v[i].n};
}

void gather_done(struct gather *g, size_t n)
{
    const size_t bytes = n < g->n ? g->v[n].at : g->bytes.n;

    for (size_t i = n; i < g->n; i++) {
        g->v[i - n] = g->v[i];
        g->v[i - n].at -= bytes;
    }
    g->n -= n;
    buf_consume(&g->bytes, bytes);
    buf_shrink(&g->bytes, KEEP);
    g->was_cut = false;
}
