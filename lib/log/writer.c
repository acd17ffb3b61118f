/* Appending.
 *
 * Under the append lock, in this order, and a process may be killed between
 * any two lines:
 *
 *     dirty = end + n         an append may have written up to here
 *     pwrite(batch, end)
 *     appended = end + n      the batch exists
 *     unlock
 *
 * Killed before the last store, the batch does not exist: the next append
 * fills [end, dirty) with zeros before it writes there. So no half batch is
 * ever below the appended end, and none is synced as if it were one.
 *
 * A ticket is a place (segment, byte); it is durable when the synced end of
 * the shared state has passed it and no sync failed in between. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/encode.h"
#include "log/index.h"
#include "log/lock.h"
#include "log/owners.h"
#include "log/positions.h"
#include "log/retain.h"
#include "log/roll.h"
#include "log/sync.h"
#include "log/tickets.h"

/* Preallocated blocks are not yet initialized for the file system: the first
 * sync after a write to one has to commit its journal as well. So a small batch
 * that comes to such blocks takes zeros for the next ones along; the syncs
 * after it are of data alone (a quarter faster on ext4). */
enum { BLANK_AHEAD = 512 << 10, BLANK_BATCH = 128 << 10 };

/* Of append_locked(): another writer has begun a segment under a newer key. */
enum { ENCODE_AGAIN = 2 };

struct log_writer {
    struct shared shared;
    struct syncer sync;
    struct segment seg; /* the one appended to last */
    uint64_t size;      /* that it has at least */
    struct buf batch;
    struct tickets tickets;
    uint64_t base;     /* offset of the last append */
    uint32_t key;      /* id, that it is encrypted under */
    uint64_t failures; /* of syncs, when the oldest ticket was made */
    bool dead;
    struct owners owners;
    struct positions positions;
    struct map runs; /* name → run, text */
    struct segment sealed;
    uint64_t sealed_end;
    uint64_t sealed_next;
};

static int dead(struct log_writer *w, struct err *e)
{
    w->dead = true;
    return err_set(e, STATUS_IO,
                   "topic \"%s\": a sync failed, what was written last may be "
                   "lost: start again",
                   w->shared.topic);
}

/* --- opening ------------------------------------------------------------- */

struct log_writer *log_writer_open(struct log *log, const char *topic,
                                   struct err *e)
{
    struct log_writer *w = mem_new(sizeof *w);

    w->seg = SEGMENT_NONE;
    w->sealed = SEGMENT_NONE;
    w->shared = SHARED_NONE;
    tickets_init(&w->tickets);
    owners_init(&w->owners);
    positions_init(&w->positions);
    map_init(&w->runs);
    if (shared_open(&w->shared, log, topic, e) < 0 ||
        shared_check_key(&w->shared, e) < 0 ||
        syncer_init(&w->sync, &w->shared, e) < 0) {
        log_writer_close(w);
        return NULL;
    }
    return w;
}

void log_writer_close(struct log_writer *w)
{
    const struct map_slot *slot;
    size_t at = 0;

    if (w == NULL) {
        return;
    }
    syncer_release(&w->sync);
    segment_close(&w->seg);
    shared_close(&w->shared);
    owners_release(&w->owners);
    map_release(&w->owners.run_of);
    positions_release(&w->positions);
    map_release(&w->positions.by_name);
    while ((slot = map_next(&w->runs, &at)) != NULL) {
        free(slot->value);
    }
    map_release(&w->runs);
    tickets_release(&w->tickets);
    buf_release(&w->batch);
    free(w);
}

/* --- under the append lock ----------------------------------------------- */

static int lock(struct log_writer *w, struct err *e)
{
    if (w->dead) {
        return dead(w, e);
    }
    if (lock_take_brief(w->shared.lock, LOCK_APPEND) < 0) {
        return err_errno(e, STATUS_SYSTEM, "%s/lock", w->shared.run);
    }
    return 0;
}

static void unlock(struct log_writer *w)
{
    lock_drop(w->shared.lock, LOCK_APPEND, 1);
}

static int finish_roll(struct log_writer *w, struct err *e)
{
    int rc = 0;

    if (atomic_load(&w->shared.state->rolling) != 0) {
        rc = syncer_lock(&w->sync, e);
        if (rc == 0) {
            rc = roll_finish(&w->shared, e);
        }
        syncer_leave(&w->sync);
    }
    return rc;
}

/* Have the present segment open, and clean behind its end. */
static int follow(struct log_writer *w, struct mark *end, struct err *e)
{
    if (finish_roll(w, e) < 0) {
        return -1;
    }
    shared_appended(&w->shared, end);
    if (w->seg.fd < 0 || w->seg.head.serial != end->serial) {
        const struct cipher_key *key;
        segment_close(&w->seg);
        const int rc = segment_open(&w->seg, w->shared.dir, end->base,
                                    w->shared.meta.id, e);
        if (rc == 0) {
            return err_set(e, STATUS_IO, "%s: the present segment is gone",
                           w->shared.dir);
        }
        w->size = 0;
        if (rc < 0 || shared_key(&w->shared, &w->seg, &key, e) < 0 ||
            syncer_segment(&w->sync, &w->seg, e) < 0) {
            segment_close(&w->seg);
            return -1;
        }
    }
    const uint64_t dirty = atomic_load(&w->shared.state->dirty);
    if (dirty > end->byte) {
        if (segment_clear(&w->seg, end->byte, dirty, e) < 0) {
            return -1;
        }
        atomic_store(&w->shared.state->dirty, 0);
    }
    return 0;
}

/* Seal the present segment and begin the next: 0, 1 the disk is full, -1. */
static int next_segment(struct log_writer *w, uint64_t need, struct err *e)
{
    struct mark end = {0};
    int rc = syncer_enter(&w->sync, e);

    if (rc >= 0) {
        shared_synced(&w->shared, &end);
        if (rc == 1 && tickets_open(&w->tickets) &&
            end.failures != w->failures) {
            rc = dead(w, e);
        }
    }
    if (rc >= 0) {
        rc =
            roll(&w->shared, &w->seg, &w->positions, &end, need, &w->sealed, e);
        w->size = 0;
        w->sealed_end = end.byte;
        w->sealed_next = end.offset;
    }
    syncer_leave(&w->sync);
    return rc == 0 ? syncer_segment(&w->sync, &w->seg, e) : rc;
}

/* What a new segment makes possible, without the locks. */
static void tidy(struct log_writer *w)
{
    if (w->sealed.fd < 0) {
        return;
    }
    index_make(&w->sealed, w->sealed_next, w->sealed_end);
    segment_close(&w->sealed);
    retain(&w->shared);
}

static bool too_old(const struct log_writer *w, const struct mark *end)
{
    const uint64_t ms = w->shared.meta.retain_ms;

    return ms > 0 && end->offset > w->seg.head.base &&
           clock_wall_ms() > w->seg.head.made_ms + ms;
}

/* Room for need bytes behind *end, which may be another one then. */
static int make_room(struct log_writer *w, struct mark *end, uint64_t need,
                     struct err *e)
{
    struct mark synced;
    int rc;

    shared_synced(&w->shared, &synced);
    const bool lost = synced.failed != 0 && synced.serial == end->serial;
    if (end->byte + need > w->size) {
        w->size =
            segment_size(&w->seg); /* another writer may have extended it */
    }
    if (!lost && end->byte + need <= w->size && !too_old(w, end) &&
        w->seg.head.key == cipher_first_id(&w->shared.cipher)) {
        return 0;
    }
    rc = next_segment(w, need, e);
    shared_appended(&w->shared, end);
    return rc;
}

/* Zeros behind a batch of n bytes that ends there, as far as the file goes. */
static void write_blank(struct log_writer *w, size_t n, uint64_t end)
{
    struct state *st = w->shared.state;
    const uint64_t room = w->size > end ? w->size - end : 0;
    const uint64_t to = end + (room < BLANK_AHEAD ? room : BLANK_AHEAD);
    struct err ignored; /* the next batch comes there without them */

    if (end <= atomic_load(&st->blank)) {
        return;
    }
    const bool done =
        n < BLANK_BATCH && segment_clear(&w->seg, end, to, &ignored) == 0;
    atomic_store(&st->blank, done ? to : end);
}

static int write_batch(struct log_writer *w, const struct mark *end,
                       uint32_t count, struct err *e)
{
    struct state *st = w->shared.state;
    const uint64_t now = clock_wall_ms();
    struct mark next = *end;
    struct mark synced;
    struct batch place = {.at = end->byte, .base = end->offset};

    shared_synced(&w->shared, &synced);
    place.synced = synced.serial == end->serial ? synced.byte : 0;
    place.time_ms = now > end->time_ms ? now : end->time_ms;
    batch_seal(&w->batch, &place, end->tag);
    next.byte = end->byte + w->batch.n;
    atomic_store(&st->dirty, next.byte);
    if (fd_pwrite(w->seg.fd, w->batch.p, w->batch.n, (off_t)end->byte) < 0) {
        const int error = errno;
        if (segment_clear(&w->seg, end->byte, next.byte, e) == 0) {
            atomic_store(&st->dirty, 0);
        }
        errno = error;
        return error == ENOSPC || error == EDQUOT
                   ? 1
                   : err_errno(e, STATUS_IO, "%s", w->seg.path);
    }
    write_blank(w, w->batch.n, next.byte);
    next.offset = end->offset + count;
    next.time_ms = place.time_ms;
    cell_write(&st->appended, &next);
    w->base = end->offset;
    if (!tickets_open(&w->tickets)) {
        w->failures = synced.failures;
    }
    tickets_add(&w->tickets, next.serial, next.byte);
    return 0;
}

static const char *run_of(const struct log_writer *w, struct slice name)
{
    const char *run = map_get(&w->runs, name);

    return run != NULL ? run : "";
}

static int append_locked(struct log_writer *w, uint32_t count,
                         struct slice name, struct slice pos, struct err *e)
{
    struct mark end;

    if (pos.n > 0 && owners_check(&w->owners, &w->shared, run_of(w, name), name,
                                  pos, e) < 0) {
        return -1;
    }
    if (follow(w, &end, e) < 0) {
        return -1;
    }
    if (w->key != cipher_first_id(&w->shared.cipher)) {
        return ENCODE_AGAIN;
    }
    const int rc = make_room(w, &end, w->batch.n, e);
    return rc != 0 ? rc : write_batch(w, &end, count, e);
}

/* --- the interface ------------------------------------------------------- */

int log_writer_append(struct log_writer *w, const struct log_entry *v, size_t n,
                      struct slice name, struct slice pos, struct err *e)
{
    if ((n == 0 && pos.n == 0) || n > UINT32_MAX) {
        return err_set(e, STATUS_BUG, "topic \"%s\": a batch of nothing",
                       w->shared.topic);
    }
    int rc;
    do {
        shared_renew_keys(&w->shared, false);
        w->key = cipher_first_id(&w->shared.cipher);
        if (encode(&w->batch, &w->shared, v, n, name, pos, e) < 0 ||
            lock(w, e) < 0) {
            return -1;
        }
        rc = append_locked(w, (uint32_t)n, name, pos, e);
        unlock(w);
    } while (rc == ENCODE_AGAIN);
    buf_shrink(&w->batch, 1 << 20);
    tidy(w);
    if (rc != 0) {
        return rc;
    }
    const struct ticket *k = tickets_last(&w->tickets);
    return syncer_want(&w->sync, k->serial, k->byte, w->failures, e);
}

uint64_t log_writer_appended(const struct log_writer *w)
{
    return w->tickets.next - 1;
}

uint64_t log_writer_base(const struct log_writer *w)
{
    return w->base;
}

static int settle(struct log_writer *w, struct err *e)
{
    struct mark done;

    shared_synced(&w->shared, &done);
    if (w->dead ||
        (tickets_open(&w->tickets) && done.failures != w->failures)) {
        return dead(w, e);
    }
    tickets_settle(&w->tickets, &done);
    return 0;
}

int log_writer_synced(struct log_writer *w, uint64_t *ticket, struct err *e)
{
    uint64_t ignored;

    (void)!read(w->sync.event, &ignored, sizeof ignored);
    if (settle(w, e) < 0 || syncer_wanted(&w->sync, e) < 0) {
        return -1;
    }
    *ticket = w->tickets.first - 1;
    return 0;
}

int log_writer_fd(struct log_writer *w)
{
    struct err ignored;

    /* A thread that cannot be made now is tried for again by the append. */
    (void)syncer_wanted(&w->sync, &ignored);
    return w->sync.event;
}

int log_writer_sync(struct log_writer *w, struct err *e)
{
    while (tickets_open(&w->tickets)) {
        const struct ticket *k = tickets_last(&w->tickets);
        if (syncer_step(&w->sync, k->serial, k->byte, w->failures, e) < 0) {
            w->dead = true;
            return -1;
        }
        if (settle(w, e) < 0) {
            return -1;
        }
    }
    return w->dead ? dead(w, e) : 0;
}

/* With the new owner known to all, no older run can move these keys: what the
 * log holds now is what the source goes on from. It must be durable first. */
static int own_locked(struct log_writer *w, const char *run, struct slice name,
                      struct slice keys, struct buf *pos, struct err *e)
{
    struct mark end;
    int rc;

    if (owners_claim(&w->owners, &w->shared, run, name, keys, e) < 0) {
        return -1;
    }
    free(map_put(&w->runs, name, mem_strdup(run)));
    if (follow(w, &end, e) < 0) {
        return -1;
    }
    rc = syncer_enter(&w->sync, e);
    syncer_leave(&w->sync);
    if (rc < 0) {
        return -1;
    }
    if (rc == 1 && (rc = next_segment(w, 0, e)) != 0) {
        return rc < 0 ? -1
                      : err_set(e, STATUS_RETRY, "%s: the disk is full",
                                w->shared.dir);
    }
    shared_appended(&w->shared, &end);
    if (positions_read(&w->positions, &w->seg, end.byte, e) < 0) {
        return -1;
    }
    positions_text(&w->positions, name, pos);
    return 0;
}

int log_writer_own(struct log_writer *w, const char *run, struct slice name,
                   struct slice keys, struct buf *pos, struct err *e)
{
    buf_clear(pos);
    if (name.n == 0) {
        return 0;
    }
    if (name.n > LOG_NAME_MAX) {
        return err_set(e, STATUS_STREAM, "a name of %zu bytes", name.n);
    }
    if (lock(w, e) < 0) {
        return -1;
    }
    const int rc = own_locked(w, run, name, keys, pos, e);
    unlock(w);
    tidy(w);
    return rc;
}
