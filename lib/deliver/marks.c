#include "deliver/marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MARKS_AT_FIRST = 256 };

void marks_init(struct marks *m)
{
    if (m->held == NULL) {
        m->cap = MARKS_AT_FIRST;
        m->held = mem_alloc(m->cap * sizeof *m->held);
    }
    memset(m->held, 0, m->cap * sizeof *m->held);
    m->first = m->open = 1;
}

void marks_release(struct marks *m)
{
    free(m->held);
    *m = (struct marks){0};
}

static uint64_t *slot(const struct marks *m, uint64_t mark)
{
    return &m->held[mark & (m->cap - 1)];
}

uint64_t marks_hold(struct marks *m)
{
    ++*slot(m, m->open);
    return m->open;
}

void marks_drop(struct marks *m, uint64_t mark)
{
    --*slot(m, mark);
}

static void grow(struct marks *m)
{
    struct marks wide = *m;

    wide.cap = m->cap * 2;
    wide.held = mem_new(wide.cap * sizeof *wide.held);
    for (uint64_t i = m->first; i <= m->open; i++) {
        *slot(&wide, i) = *slot(m, i);
    }
    free(m->held);
    *m = wide;
}

void marks_close(struct marks *m)
{
    if (m->open + 1 - m->first >= m->cap) {
        grow(m);
    }
    m->open++;
    *slot(m, m->open) = 0;
}

uint64_t marks_terminal(struct marks *m)
{
    while (m->first < m->open && *slot(m, m->first) == 0) {
        m->first++;
    }
    return m->first - 1;
}
