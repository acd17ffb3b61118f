/* The state that all processes of one topic share: a page of memory in
 * DIR/run/topics/T/state.
 *
 * Two cells say how far the topic is written and how far it is durable. A cell
 * has two slots and a counter: its one writer (whoever holds the append lock,
 * or the sync lock) fills the slot that is not in use and then raises the
 * counter, one store. So a process that is killed between any two
 * instructions leaves the old content or the new, and readers need no lock.
 *
 * After a power cut the page on disk may be old, torn or missing; each slot
 * has a checksum. What it says is then used for one thing only: as evidence
 * that bytes below a synced end were durable (recover.c). */
#ifndef LOG_STATE_H
#define LOG_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* How far. Compare two with mark_covers(). */
struct mark {
    uint64_t serial;   /* of the segment */
    uint64_t tag;      /* of the segment */
    uint64_t base;     /* of the segment */
    uint64_t byte;     /* behind the last batch */
    uint64_t offset;   /* of the next record */
    uint64_t time_ms;  /* of the last batch */
    uint64_t failures; /* sync cell: failed syncs of this topic so far */
    uint32_t failed;   /* sync cell: this segment's sync failed */
    uint32_t check;
};

struct cell {
    _Atomic uint64_t count;
    struct mark slot[2];
};

struct state {
    char magic[8];
    char topic[32];       /* the topic's id */
    char boot[40];        /* of which boot; empty while it is being recovered */
    struct cell appended; /* written under the append lock */
    struct cell synced;   /* written under the sync lock */
    _Atomic uint64_t dirty;   /* byte up to which an append may have written */
    _Atomic uint64_t blank;   /* byte up to which zeros were written ahead */
    _Atomic uint64_t syncing; /* byte up to which a sync was begun, or 0 */
    _Atomic uint64_t rolling_base; /* a segment that is being made … */
    _Atomic uint64_t rolling;      /* … its tag, or 0 */
    _Atomic uint64_t owners;       /* counts the versions of the owners file */
    _Atomic uint32_t syncs;        /* futex: counts those that have ended */
};

/* Maps path, made where it is missing. NULL with err. */
struct state *state_map(const char *path, struct err *);
void state_unmap(struct state *);

/* Is it this boot's, for this topic, and whole? */
bool state_valid(struct state *, const char topic[33]);

/* Start afresh; not valid before state_bless(). */
void state_reset(struct state *, const char topic[33]);
void state_bless(struct state *);

/* False if the slot's checksum is wrong (never after a reset). */
bool cell_read(struct cell *, struct mark *);
void cell_write(struct cell *, const struct mark *);

static inline bool mark_covers(const struct mark *m, uint64_t serial,
                               uint64_t byte)
{
    return m->serial > serial || (m->serial == serial && m->byte >= byte);
}

/* Syncs are numbered by their ends. Sleep, with `seen` of them ended, until
 * number `turn` has ended, or until it has to be begun and this sleeper was
 * chosen for that; but at most ms. */
void state_sleep(struct state *, uint32_t seen, uint32_t turn, unsigned ms);

/* One more has ended: wake one who waits for the next, to lead it, and all who
 * waited for this one. */
void state_wake(struct state *);

/* Choose another one to lead. */
void state_pass(struct state *, uint32_t turn);

#endif
