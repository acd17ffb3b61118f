/* A failed fdatasync.
 *
 * The kernel then calls the pages clean that it could not write, so a second
 * fdatasync would succeed and mean nothing. The leader who sees it marks the
 * segment as failed in the shared state: nobody syncs it any more, every
 * writer with something unsynced in the topic is dead (it cannot know what
 * became of its appends), and the next append, whoever makes it, seals the
 * segment at its synced end and begins a new one. What lies behind that end
 * was never acknowledged and is never read.
 *
 * A leader that is killed inside fdatasync may take the only report of an error
 * with it. So it leaves a note (state->syncing) first, and a leader who finds
 * one writes the unsynced bytes again, from the page cache and proved, which
 * makes the pages dirty again, before it syncs itself. */
#include "log/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "log/lock.h"

enum { LEADER_MS = 5, PAUSE_US = 20, GATHER_US = 1000, SLICE_NS = 100000 };

int syncer_init(struct syncer *s, struct shared *shared, struct err *e)
{
    *s = (struct syncer){.shared = shared, .fd = -1};
    (void)pthread_mutex_init(&s->lead, NULL);
    (void)pthread_mutex_init(&s->m, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event < 0) {
        return err_errno(e, STATUS_SYSTEM, "eventfd");
    }
    return 0;
}

void syncer_release(struct syncer *s)
{
    if (s->shared == NULL) {
        return;
    }
    if (s->running) {
        (void)pthread_mutex_lock(&s->m);
        s->stop = true;
        (void)pthread_cond_signal(&s->changed);
        (void)pthread_mutex_unlock(&s->m);
        (void)pthread_join(s->thread, NULL);
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    if (s->event >= 0) {
        (void)close(s->event);
    }
    (void)pthread_mutex_destroy(&s->lead);
    (void)pthread_mutex_destroy(&s->m);
    (void)pthread_cond_destroy(&s->changed);
    *s = (struct syncer){0};
}

/* Shares the open file, and with it the kernel's memory of write errors. */
static int use_fd(struct syncer *s, int fd, uint64_t serial, struct err *e)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0) {
        return err_errno(e, STATUS_SYSTEM, "a descriptor for a segment");
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    s->fd = copy;
    s->serial = serial;
    return 0;
}

int syncer_segment(struct syncer *s, const struct segment *seg, struct err *e)
{
    (void)pthread_mutex_lock(&s->lead);
    const int rc = use_fd(s, seg->fd, seg->head.serial, e);
    (void)pthread_mutex_unlock(&s->lead);
    return rc;
}

/* Somebody made a new segment and was killed before it was known as synced. */
static int follow(struct syncer *s, const struct mark *m, struct err *e)
{
    struct segment seg;
    int rc;

    if (s->serial == m->serial) {
        return 0;
    }
    rc = segment_open(&seg, s->shared->dir, m->base, s->shared->meta.id, e);
    if (rc == 0) {
        return err_set(e, STATUS_IO, "%s: the present segment is gone",
                       s->shared->dir);
    }
    if (rc == 1) {
        rc = use_fd(s, seg.fd, m->serial, e);
        segment_close(&seg);
    }
    return rc < 0 ? -1 : 0;
}

/* Make [from, to) dirty again. */
static int write_again(const struct syncer *s, uint64_t from,
                       const struct mark *to, struct err *e)
{
    struct segment seg = {.fd = s->fd, .path = s->shared->dir};
    struct batch b;
    int rc = segment_map(&seg, to->byte, e);

    for (uint64_t at = from; rc == 0 && at < to->byte; at = b.next) {
        if (batch_read(seg.map + at, to->byte - at, at, to->tag, &b) != 1 ||
            !batch_body_good(&b)) {
            rc = err_set(e, STATUS_IO, "%s: unsynced bytes were lost",
                         s->shared->dir);
            break;
        }
        if (fd_pwrite(s->fd, seg.map + at, (size_t)(b.next - at), (off_t)at) <
            0) {
            rc = err_errno(e, STATUS_IO, "%s", s->shared->dir);
        }
    }
    seg.fd = -1;
    seg.path = NULL;
    segment_close(&seg);
    return rc;
}

/* The own program, of what it has not been told yet. With s->lead held. */
static void ring(struct syncer *s)
{
    const uint64_t one = 1;
    struct mark now;

    shared_synced(s->shared, &now);
    if (s->wanted &&
        (now.serial != s->told.serial || now.byte != s->told.byte)) {
        s->told = now;
        (void)!write(s->event, &one, sizeof one);
    }
}

/* Not before the lock is free: who is woken to lead next would find it taken,
 * and sleep on. */
static void tell_all(struct syncer *s)
{
    if (!s->news) {
        return;
    }
    s->news = false;
    ring(s);
    state_wake(s->shared->state);
    /* inotify tells the readers; a failure only costs them time. */
    (void)!pwrite(s->shared->wake, "", 1, 0);
}

/* With the sync lock. 0 all is durable, 1 the segment is lost, -1. */
static int lead(struct syncer *s, struct err *e)
{
    struct state *st = s->shared->state;
    struct mark to;
    struct mark done;

    shared_appended(s->shared, &to);
    shared_synced(s->shared, &done);
    if (mark_covers(&done, to.serial, to.byte)) {
        return 0;
    }
    to.failures = done.failures;
    if (done.failed != 0 && done.serial == to.serial) {
        return 1;
    }
    if (follow(s, &to, e) < 0) {
        return -1;
    }
    const uint64_t from = done.serial == to.serial ? done.byte : FORMAT_SEGMENT;
    int rc = 0;
    if (atomic_load(&st->syncing) != 0) {
        rc = write_again(s, from, &to, e);
    }
    atomic_store(&st->syncing, to.byte);
    const uint64_t start = clock_mono_us();
    if (rc == 0 && fdatasync(s->fd) < 0) {
        rc = err_errno(e, STATUS_IO, "%s: fdatasync", s->shared->dir);
    }
    atomic_store(&s->took_us, clock_mono_us() - start);
    if (rc < 0) {
        done.failures++;
        done.failed = 1;
        to = done;
    }
    cell_write(&st->synced, &to);
    atomic_store(&st->syncing, 0);
    s->news = true;
    return rc < 0 ? 1 : 0;
}

static int lost(const struct syncer *s, struct err *e)
{
    return err_set(e, STATUS_IO,
                   "%s: a sync failed: what was written last may be lost",
                   s->shared->dir);
}

/* Another one leads. Either its sync covers the place, or the next one will,
 * and then whoever is woken first must lead that: it is begun at once, while
 * those who were served now make their next appends. (All at once would wake
 * up to find the lock taken, and worse, would go on in step, with nothing to
 * sync while they append.) Was this one chosen and needs no sync any more, it
 * passes that on. What the numbers promise may fail, when a leader is killed
 * or slow to tell; then the sleep ends by itself. */
static int wait_turn(const struct syncer *s, uint32_t seen, uint64_t serial,
                     uint64_t byte)
{
    struct state *st = s->shared->state;
    const bool under_way = atomic_load(&st->syncing) >= byte;
    const uint32_t turn = seen + (under_way ? 1 : 2);
    struct mark done;

    state_sleep(st, seen, turn, LEADER_MS);
    shared_synced(s->shared, &done);
    if (!mark_covers(&done, serial, byte)) {
        return 0;
    }
    if ((int32_t)(turn - atomic_load(&st->syncs)) > 0) {
        state_pass(st, turn);
    }
    return 1;
}

int syncer_step(struct syncer *s, uint64_t serial, uint64_t byte,
                uint64_t failures, struct err *e)
{
    struct state *st = s->shared->state;
    const uint32_t seen = atomic_load(&st->syncs);
    struct mark done;
    int rc;

    shared_synced(s->shared, &done);
    if (done.failures != failures) {
        return lost(s, e);
    }
    if (mark_covers(&done, serial, byte)) {
        return 1;
    }
    (void)pthread_mutex_lock(&s->lead);
    rc = lock_try(s->shared->lock, LOCK_SYNC, 1, LOCK_EXCLUSIVE);
    if (rc == 1) {
        rc = lead(s, e) < 0 ? -1 : 1;
        lock_drop(s->shared->lock, LOCK_SYNC, 1);
        tell_all(s);
    } else if (rc < 0) {
        err_errno(e, STATUS_SYSTEM, "%s/lock", s->shared->run);
    }
    (void)pthread_mutex_unlock(&s->lead);
    if (rc == 0) {
        return wait_turn(s, seen, serial, byte);
    }
    return rc < 0 ? -1 : 0;
}

int syncer_lock(struct syncer *s, struct err *e)
{
    (void)pthread_mutex_lock(&s->lead);
    if (lock_take(s->shared->lock, LOCK_SYNC, LOCK_EXCLUSIVE) < 0) {
        return err_errno(e, STATUS_SYSTEM, "%s/lock", s->shared->run);
    }
    return 0;
}

int syncer_enter(struct syncer *s, struct err *e)
{
    return syncer_lock(s, e) < 0 ? -1 : lead(s, e);
}

void syncer_leave(struct syncer *s)
{
    lock_drop(s->shared->lock, LOCK_SYNC, 1);
    tell_all(s);
    (void)pthread_mutex_unlock(&s->lead);
}

/* Wait while more is being appended: at most half of what a sync takes, in
 * pauses that double, so that a row of appends costs one sync, not two. Only
 * after a sync that others came during: whoever appends, waits, and appends
 * again would just lose the time. Called with m held, and returns so. */
static void gather(struct syncer *s)
{
    const uint64_t half = atomic_load(&s->took_us) / 2;
    uint64_t left = half < GATHER_US ? half : GATHER_US;
    uint64_t pause = PAUSE_US;
    uint64_t serial;
    uint64_t byte;

    do {
        const struct timespec t = {.tv_nsec = (long)pause * 1000};
        serial = s->want_serial;
        byte = s->want_byte;
        (void)pthread_mutex_unlock(&s->m);
        (void)nanosleep(&t, NULL);
        (void)pthread_mutex_lock(&s->m);
        left -= pause < left ? pause : left;
        pause *= 2;
    } while ((serial != s->want_serial || byte != s->want_byte) && !s->stop &&
             left > 0);
}

/* Called with m held, and returns so. False: it cannot go on. */
static bool serve(struct syncer *s, struct mark *reached)
{
    if (s->row) {
        gather(s);
    }
    const uint64_t serial = s->want_serial;
    const uint64_t byte = s->want_byte;
    const uint64_t failures = s->failures;
    struct err ignored;

    (void)pthread_mutex_unlock(&s->m);
    const int rc = syncer_step(s, serial, byte, failures, &ignored);
    shared_synced(s->shared, reached);
    (void)pthread_mutex_lock(&s->lead);
    if (rc < 0) {
        s->told = (struct mark){0};
    }
    ring(s);
    (void)pthread_mutex_unlock(&s->lead);
    (void)pthread_mutex_lock(&s->m);
    s->row = s->want_serial != serial || s->want_byte != byte;
    return rc >= 0;
}

static bool idle(const struct syncer *s, const struct mark *reached)
{
    return mark_covers(reached, s->want_serial, s->want_byte);
}

/* This thread needs a processor for microseconds, and the disk idles until it
 * has one. A short slice (sched(7), since Linux 6.12; without effect before)
 * lets it begin at once where the program that woke it works on; and its pauses
 * are of the length that it asks for. */
static void be_quick(void)
{
    struct { /* of the kernel; its header and <sched.h> exclude each other */
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime;
        uint64_t deadline;
        uint64_t period;
    } a = {.size = sizeof a};

    (void)prctl(PR_SET_TIMERSLACK, 1000UL);
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0 &&
        a.policy == SCHED_OTHER) {
        a.runtime = SLICE_NS;
        (void)syscall(SYS_sched_setattr, 0, &a, 0);
    }
}

static void *run(void *arg)
{
    struct syncer *s = arg;
    struct mark reached = {0};

    be_quick();
    (void)pthread_mutex_lock(&s->m);
    while (!s->stop) {
        if (idle(s, &reached)) {
            (void)pthread_cond_wait(&s->changed, &s->m);
        } else if (!serve(s, &reached)) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&s->m);
    return NULL;
}

/* No signal is handled there: they belong to the program's own loop. */
static int start(struct syncer *s, struct err *e)
{
    sigset_t all;
    sigset_t old;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    errno = pthread_create(&s->thread, NULL, run, s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (errno != 0) {
        return err_errno(e, STATUS_SYSTEM, "a thread for syncing");
    }
    s->running = true;
    return 0;
}

int syncer_want(struct syncer *s, uint64_t serial, uint64_t byte,
                uint64_t failures, struct err *e)
{
    (void)pthread_mutex_lock(&s->m);
    s->want_serial = serial;
    s->want_byte = byte;
    s->failures = failures;
    (void)pthread_mutex_unlock(&s->m);
    if (s->running) {
        /* Not before: the thread would wake up to wait for the mutex. */
        (void)pthread_cond_signal(&s->changed);
    }
    return s->running || !s->wanted ? 0 : start(s, e);
}

int syncer_wanted(struct syncer *s, struct err *e)
{
    s->wanted = true;
    return s->running || s->want_byte == 0 ? 0 : start(s, e);
}
