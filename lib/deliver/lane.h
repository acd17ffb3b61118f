/* Lanes: the events of one key in order, one request at a time.
 *
 * An event without a key is a lane of its own. A lane lives as long as it has
 * events; its head stays in it while its request is under way.
 *
 *     ready ──request──► sent ──success──► ready, or gone
 *       ▲                  └────failure──► waiting ──time──► ready */
#ifndef DELIVER_LANE_H
#define DELIVER_LANE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/map.h"
#include "deliver/due.h"

struct event;

/* One event under way: its line, and the mark that it holds. */
struct job {
    struct job *next;
    uint64_t mark;
    size_t n;
    char line[];
};

enum lane_state { LANE_READY, LANE_SENT, LANE_WAITING };

struct lane {
    struct due due; /* while it waits */
    struct lane *next;
    struct lane *before; /* in the row of the ready ones */
    enum lane_state state;
    struct slice key; /* owned; p == NULL: none */
    uint64_t hash;    /* the same for each lane of this key */
    struct job *first;
    struct job *last;
    size_t n;
    uint64_t tries;     /* of the head that failed */
    uint64_t since_us;  /* the first failure, by the endpoint's clock */
    uint64_t successes; /* of the endpoint when that was */
};

struct lanes {
    struct map by_key;
    struct due_heap waiting;
    struct lane *ready;
    struct lane *ready_end;
    struct lane *spare; /* for the next one */
    uint64_t anonymous; /* to tell lanes without a key apart */
    size_t jobs;
    size_t bytes;
};

void lane_init(struct lanes *);
void lane_release(struct lanes *);

/* mark and line of a job; the line is copied. free() ends it. */
struct job *lane_job(struct slice line, uint64_t mark);

/* Of source, id and where it came from: the same when it comes again. */
uint64_t lane_identity(const struct lanes *, const struct event *);

/* The same for each event of a key (event_key()); it may be NULL. */
uint64_t lane_hash(struct lanes *, struct slice key);

/* Put a job behind its key; the lane is ready if it is new. */
struct lane *lane_add(struct lanes *, struct slice key, struct job *);

/* The next ready lane, now sent; or NULL. */
struct lane *lane_next(struct lanes *);

/* The head is done: the caller owns it now. The lane is ready again, or gone
 * if it was the last. */
struct job *lane_done(struct lanes *, struct lane *);

/* A sent lane whose head did not get through. */
void lane_again(struct lanes *, struct lane *);
void lane_wait(struct lanes *, struct lane *, uint64_t until_us);

/* Those that have waited until now are ready. */
void lane_wake(struct lanes *, uint64_t now_us);

/* Take all jobs, a list in order; the lane is gone. */
struct job *lane_empty(struct lanes *, struct lane *);

/* Any lane that is not sent, or NULL. */
struct lane *lane_any(const struct lanes *);

#endif
