#include "deliver/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MARKS_AT_FIRST = 256 };

void pending_init(struct pending *m)
{
    if (m->held == NULL) {
        m->cap = MARKS_AT_FIRST;
        m->held = mem_alloc(m->cap * sizeof *m->held);
    }
    memset(m->held, 0, m->cap * sizeof *m->held);
    m->first = m->open = 1;
}

void pending_release(struct pending *m)
{
    free(m->held);
    *m = (struct pending){0};
}

static uint64_t *slot(const struct pending *m, uint64_t mark)
{
    return &m->held[mark & (m->cap - 1)];
}

uint64_t pending_hold(struct pending *m)
{
    ++*slot(m, m->open);
    return m->open;
}

void pending_drop(struct pending *m, uint64_t mark)
{
    --*slot(m, mark);
}

static void grow(struct pending *m)
{
    struct pending wide = *m;

    wide.cap = m->cap * 2;
    wide.held = mem_new(wide.cap * sizeof *wide.held);
    for (uint64_t i = m->first; i <= m->open; i++) {
        *slot(&wide, i) = *slot(m, i);
    }
    free(m->held);
    *m = wide;
}

void pending_close(struct pending *m)
{
    if (m->open + 1 - m->first >= m->cap) {
        grow(m);
    }
    m->open++;
    *slot(m, m->open) = 0;
}

uint64_t pending_terminal(struct pending *m)
{
    while (m->first < m->open && *slot(m, m->first) == 0) {
        m->first++;
    }
    return m->first - 1;
}
