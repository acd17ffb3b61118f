/* A crash in roll() leaves a file NAME.log.tmp, which the next one overwrites;
 * or a segment that the state does not know yet. The state has a note of its
 * tag: the next process that gets the append lock finishes what was begun,
 * before it appends anything. Without the state, recovery takes the last file,
 * and goes on with it. */
#include "log/roll.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/opt.h"
#include "base/rand.h"

static const uint64_t SEGMENT_MAX = 64U << 20;
static const uint64_t SEGMENT_MIN = 64U << 10;
static const uint64_t PAGE = 4096;

/* DPP_LOG_SEGMENT is for tests, which need many segments. */
static uint64_t size_wanted(const char *dir, const struct log_topic *t)
{
    const char *text = getenv("DPP_LOG_SEGMENT");
    uint64_t size = SEGMENT_MAX;
    struct statvfs fs;
    struct err ignored;

    if (text != NULL && size_parse(text, &size, &ignored) == 0) {
        return size;
    }
    if (statvfs(dir, &fs) == 0 && fs.f_bavail * fs.f_frsize / 16 < size) {
        size = fs.f_bavail * fs.f_frsize / 16;
    }
    /* Whole segments are deleted: keep to the wanted size within a quarter. */
    if (t->retain_bytes > 0 && t->retain_bytes / 4 < size) {
        size = t->retain_bytes / 4;
    }
    return size < SEGMENT_MIN ? SEGMENT_MIN : size;
}

static uint64_t size_for(const char *dir, const struct log_topic *t,
                         uint64_t least)
{
    const uint64_t size = size_wanted(dir, t);

    return ((size < least ? least : size) + PAGE - 1) / PAGE * PAGE;
}

static void new_head(struct segment_head *h, const char id[33], uint32_t key)
{
    h->key = key;
    do {
        rand_bytes(&h->tag, sizeof h->tag);
    } while (h->tag == 0);
    h->made_ms = clock_wall_ms();
    memcpy(h->topic, id, sizeof h->topic);
}

static void blank_head(struct buf *start)
{
    memset(buf_reserve(start, FORMAT_SEGMENT), 0, FORMAT_SEGMENT);
    start->n = FORMAT_SEGMENT;
}

int roll_first(const char *dir, const struct log_topic *t, uint32_t key,
               struct err *e)
{
    struct segment_head head = {.serial = 1};
    struct segment seg;
    struct buf start;

    buf_init(&start);
    blank_head(&start);
    new_head(&head, t->id, key);
    const int rc =
        segment_make(&seg, dir, &head, size_for(dir, t, start.n), &start, e);
    buf_release(&start);
    segment_close(&seg);
    errno = ENOSPC;
    return rc == 1 ? err_errno(e, STATUS_IO, "%s", dir) : rc;
}

static void publish(struct shared *s, const struct segment *seg,
                    uint64_t time_ms, uint64_t byte)
{
    struct mark synced;
    shared_synced(s, &synced);
    const struct mark m = {
        .serial = seg->head.serial,
        .tag = seg->head.tag,
        .base = seg->head.base,
        .byte = byte,
        .offset = seg->head.base,
        .time_ms = time_ms,
        .failures = synced.failures,
    };

    /* In this order: a sync leader who finds the new segment only in the first
     * cell syncs it; the old one is durable as far as it counts. */
    atomic_store(&s->state->dirty, 0);
    atomic_store(&s->state->blank, 0);
    cell_write(&s->state->appended, &m);
    cell_write(&s->state->synced, &m);
    atomic_store(&s->state->rolling, 0);
}

/* Behind the snapshot, which is all that is in there. */
static int snapshot_end(struct segment *seg, uint64_t *byte, struct err *e)
{
    struct batch b;
    int rc;

    *byte = FORMAT_SEGMENT;
    if (segment_map(seg, FORMAT_SEGMENT, e) < 0) {
        return -1;
    }
    while ((rc = batch_read(seg->map + *byte, seg->len - *byte, *byte,
                            seg->head.tag, &b)) == 1) {
        *byte = b.next;
    }
    return rc < 0 ? segment_damage(seg, *byte, "no batch begins here", e) : 0;
}

int roll_finish(struct shared *s, struct err *e)
{
    const uint64_t tag = atomic_load(&s->state->rolling);
    const uint64_t base = atomic_load(&s->state->rolling_base);
    struct mark end;
    struct segment seg;
    uint64_t byte;
    int rc = segment_open(&seg, s->dir, base, s->meta.id, e);

    if (rc == 1 && seg.head.tag == tag) {
        rc = snapshot_end(&seg, &byte, e);
        if (rc == 0 && (rc = dir_sync(s->dir, e)) == 0) {
            shared_appended(s, &end);
            publish(s, &seg, end.time_ms, byte);
        }
    }
    segment_close(&seg);
    if (rc >= 0) {
        atomic_store(&s->state->rolling, 0);
    }
    return rc < 0 ? -1 : 0;
}

/* After a failed sync *end lies before the last batch: the table never knows
 * more, since a name's position is looked up in what is durable. */
int roll(struct shared *s, struct segment *seg, struct positions *p,
         const struct mark *end, uint64_t need, struct segment *old,
         struct err *e)
{
    struct segment_head head = {
        .base = end->offset,
        .serial = seg->head.serial + 1,
    };
    struct segment next;
    struct buf start;

    if (positions_read(p, seg, end->byte, e) < 0) {
        return -1;
    }
    buf_init(&start);
    blank_head(&start);
    new_head(&head, s->meta.id, cipher_first_id(&s->cipher));
    positions_snapshot(p, &head, end->time_ms, &start);
    atomic_store(&s->state->rolling_base, head.base);
    atomic_store(&s->state->rolling, head.tag);
    const int rc =
        segment_make(&next, s->dir, &head,
                     size_for(s->dir, &s->meta, start.n + need), &start, e);
    const uint64_t byte = start.n;
    buf_release(&start);
    if (rc != 0) {
        segment_close(&next);
        return rc;
    }
    publish(s, &next, end->time_ms, byte);
    p->serial = head.serial;
    p->byte = byte;
    *old = *seg;
    *seg = next;
    return 0;
}
