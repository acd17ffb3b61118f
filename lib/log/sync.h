/* Group commit, across threads and processes.
 *
 * Whoever has the sync lock is the leader: it syncs all that was appended and
 * publishes that in the shared state; the others sleep on a futex there, for at
 * most 5 ms, because a leader may be killed. When a sync ends, those it served
 * wake up, and one of those it did not serve, who leads the next. A writer has
 * one thread that wants its appends durable, made with the first of them; one
 * whose caller only ever waits in log_writer_sync() has none. */
#ifndef LOG_SYNC_H
#define LOG_SYNC_H

#include <pthread.h>
#include <stdbool.h>

#include "log/shared.h"

struct syncer {
    struct shared *shared;
    /* Held by whoever in this process leads or tries to: the sync lock belongs
     * to the descriptor, and that to both threads. Guards what follows, up to
     * the other one. */
    pthread_mutex_t lead;
    int fd; /* of the segment `serial`, own copy */
    uint64_t serial;
    bool news;                /* of the sync cell, to be told to others … */
    struct mark told;         /* … and what the own program was told */
    _Atomic uint64_t took_us; /* the last sync */

    pthread_mutex_t m; /* guards what follows */
    pthread_cond_t changed;
    uint64_t want_serial;
    uint64_t want_byte;
    uint64_t
        failures; /* what the state said before the first unsynced append */
    bool row;     /* appends came during the last sync */
    bool stop;

    pthread_t thread;
    _Atomic bool wanted; /* somebody looks at the event */
    bool running;
    int event; /* readable: something became durable, or failed */
};

int syncer_init(struct syncer *, struct shared *, struct err *);
void syncer_release(struct syncer *);

/* This is the segment now. Before its first append. */
int syncer_segment(struct syncer *, const struct segment *, struct err *);

/* All up to there shall become durable; the thread, if wanted, does it. */
int syncer_want(struct syncer *, uint64_t serial, uint64_t byte,
                uint64_t failures, struct err *);

/* Somebody will look at the event: a thread is needed, from the first append
 * on. */
int syncer_wanted(struct syncer *, struct err *);

/* One try in the calling thread: 1 it is durable up to there, 0 not yet (slept
 * a little), -1 a sync failed since `failures` were counted. */
int syncer_step(struct syncer *, uint64_t serial, uint64_t byte,
                uint64_t failures, struct err *);

/* Under the append lock: get the sync lock, and everything appended durable
 * (0), or find that the segment is lost (1: a sync of it failed, now or
 * before; -1 another error). syncer_leave() in either case. */
int syncer_enter(struct syncer *, struct err *);
void syncer_leave(struct syncer *);

/* The lock alone. */
int syncer_lock(struct syncer *, struct err *);

#endif
