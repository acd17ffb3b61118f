/* The marks that a source has written and that are not receipted, in order. */
#ifndef STAGE_UNRECEIPTED_H
#define STAGE_UNRECEIPTED_H

#include <stdint.h>

#include "base/buf.h"

struct mark {
    uint64_t seq;
    uint64_t n; /* events since the mark before */
    uint64_t time_us;
    char *pos; /* sealed position behind it, or NULL */
};

struct unreceipted {
    struct mark *v; /* a ring */
    size_t cap;
    size_t head;
    size_t n;
};

void unreceipted_release(struct unreceipted *);

/* Takes m.pos over. */
void unreceipted_push(struct unreceipted *, struct mark m);

/* The oldest, if its seq is at most upto: its pos is merged into pos and
 * freed, and *m is what it was. False if there is none. */
bool unreceipted_pop(struct unreceipted *, uint64_t upto, struct mark *m,
                     struct buf *pos);

#endif
