/* Reading.
 *
 * A reader maps one segment at a time and sees it up to `limit`: in the present
 * segment the synced end, in a sealed one the record before the next segment's
 * first. Each batch is proved once, when the reader comes to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/index.h"
#include "log/shared.h"

enum { TRAIL_STEP = 64 * 1024 };

/* Batches that the reader has passed in its segment, a step apart: a way back
 * that is shorter than from the start. */
struct trail {
    struct {
        uint64_t offset;
        uint64_t byte;
    } * v;
    size_t n;
    size_t cap;
};

struct log_reader {
    struct shared shared;
    int inotify;
    struct segment seg;
    uint64_t next_base; /* of the segment behind; UINT64_MAX: not known to be
                           sealed */
    uint64_t byte;      /* of the next batch */
    uint64_t limit;     /* proved to be readable up to here */
    uint64_t offset;    /* of the next record */
    uint64_t want;      /* skip records before this one */
    struct buf plain;   /* the present batch, opened */
    struct slice rest;  /* entries of the present batch … */
    uint32_t left;      /* … and how many */
    uint64_t time_ms;
    struct trail trail;
};

static uint64_t oldest(const struct log_reader *r)
{
    uint64_t *base;
    size_t n;
    struct err ignored;

    if (segment_list(r->shared.dir, &base, &n, &ignored) < 0) {
        return 0;
    }
    const uint64_t b = n > 0 ? base[0] : 0;
    free(base);
    return b;
}

struct log_reader *log_reader_open(struct log *log, const char *topic,
                                   struct err *e)
{
    struct log_reader *r = mem_new(sizeof *r);

    r->seg = SEGMENT_NONE;
    r->inotify = -1;
    if (shared_open(&r->shared, log, topic, e) < 0 ||
        log_reader_seek(r, oldest(r), e) < 0) {
        log_reader_close(r);
        return NULL;
    }
    return r;
}

void log_reader_close(struct log_reader *r)
{
    if (r == NULL) {
        return;
    }
    segment_close(&r->seg);
    if (r->inotify >= 0) {
        (void)close(r->inotify);
    }
    shared_close(&r->shared);
    buf_release(&r->plain);
    free(r->trail.v);
    free(r);
}

static int expired(const struct log_reader *r, uint64_t offset, struct err *e)
{
    return err_set(e, STATUS_CONFIG,
                   "topic \"%s\": offset %" PRIu64
                   " is expired, the oldest record is %" PRIu64,
                   r->shared.topic, offset, oldest(r));
}

/* Enter the segment with this offset, at its start. */
static int enter(struct log_reader *r, uint64_t offset, struct err *e)
{
    const struct cipher_key *key;
    struct segment seg;
    const int rc = shared_segment(&r->shared, offset, &seg, e);

    if (rc < 0) {
        return -1;
    }
    if (rc == 0) {
        return expired(r, offset, e);
    }
    if (shared_key(&r->shared, &seg, &key, e) < 0) {
        segment_close(&seg);
        return -1;
    }
    segment_close(&r->seg);
    r->seg = seg;
    r->next_base = UINT64_MAX;
    r->byte = FORMAT_SEGMENT;
    r->limit = 0;
    r->offset = seg.head.base;
    r->left = 0;
    r->trail.n = 0;
    return 0;
}

static int enter_again(struct log_reader *r, struct err *e)
{
    const uint64_t offset = r->offset;

    if (enter(r, offset, e) < 0) {
        return -1;
    }
    r->want = r->want > offset ? r->want : offset;
    return 0;
}

/* The base of the segment behind one that is sealed by now. Retention deletes
 * the oldest first: if this one still has its name, so has the next. Otherwise
 * (deleted, or replaced by one with the same base) look where this offset is
 * now. */
static int find_next(struct log_reader *r, struct err *e)
{
    uint64_t *base;
    size_t n;
    size_t i = 0;
    struct stat st;

    if (segment_list(r->shared.dir, &base, &n, e) < 0) {
        return -1;
    }
    while (i < n && base[i] <= r->seg.head.base) {
        i++;
    }
    if (i < n) {
        r->next_base = base[i];
    }
    free(base);
    if (fstat(r->seg.fd, &st) < 0) {
        return err_errno(e, STATUS_IO, "%s", r->seg.path);
    }
    if (st.st_nlink > 0 && i < n) {
        return 0;
    }
    return enter_again(r, e);
}

/* How far this segment can be read now. A file that is newer than the state
 * says is one that its maker was killed over: it is finished or replaced by the
 * next append, and holds nothing until then. */
static int refresh(struct log_reader *r, struct err *e)
{
    struct mark synced;

    for (;;) {
        shared_synced(&r->shared, &synced);
        const uint64_t serial = r->seg.head.serial;
        if (synced.tag == r->seg.head.tag) {
            r->limit = synced.byte;
            r->next_base = UINT64_MAX;
            return segment_map(&r->seg, r->limit, e);
        }
        if (synced.serial < serial) {
            r->limit = r->byte;
            r->next_base = UINT64_MAX;
            return 0;
        }
        if (synced.serial == serial) {
            if (enter_again(r, e) < 0) {
                return -1;
            }
            continue;
        }
        if (r->next_base == UINT64_MAX) {
            if (find_next(r, e) < 0) {
                return -1;
            }
            if (r->seg.head.serial != serial || r->next_base == UINT64_MAX) {
                continue;
            }
        }
        if (segment_map(&r->seg, FORMAT_SEGMENT, e) < 0) {
            return -1;
        }
        r->limit = r->seg.len;
        return 0;
    }
}

static void leave_trail(struct trail *t, uint64_t offset, uint64_t byte)
{
    if (t->n > 0 && byte < t->v[t->n - 1].byte + TRAIL_STEP) {
        return;
    }
    if (t->n == t->cap) {
        t->cap = t->cap > 0 ? t->cap * 2 : 64;
        t->v = mem_resize(t->v, t->cap * sizeof *t->v);
    }
    t->v[t->n].offset = offset;
    t->v[t->n++].byte = byte;
}

/* A batch is at byte, and below limit. */
static int take_batch(struct log_reader *r, struct err *e)
{
    const struct cipher_key *key = NULL;
    struct batch b;

    if (batch_read(r->seg.map + r->byte, r->limit - r->byte, r->byte,
                   r->seg.head.tag, &b) != 1) {
        return segment_damage(&r->seg, r->byte, "no batch begins here", e);
    }
    if (b.base != r->offset) {
        return segment_damage(&r->seg, r->byte, "a batch with a wrong offset",
                              e);
    }
    leave_trail(&r->trail, b.base, r->byte);
    const bool skip = b.base + b.count <= r->want;
    if (!skip && !batch_body_good(&b)) {
        return segment_damage(&r->seg, r->byte, "a batch with a wrong checksum",
                              e);
    }
    if (!skip && shared_key(&r->shared, &r->seg, &key, e) < 0) {
        return -1;
    }
    if (!skip && !cipher_open(key, &b, &r->plain, &r->rest)) {
        return segment_damage(&r->seg, r->byte,
                              "a batch that its key does not open", e);
    }
    r->byte = b.next;
    r->time_ms = b.time_ms;
    if (skip) {
        r->offset += b.count;
    } else {
        r->left = b.count;
    }
    return 0;
}

/* 1 there are entries, 0 this is the durable end, -1. */
static int next_batch(struct log_reader *r, struct err *e)
{
    while (r->left == 0) {
        if (r->offset == r->next_base) {
            if (enter(r, r->next_base, e) < 0) {
                return -1;
            }
        } else if (r->byte < r->limit) {
            if (take_batch(r, e) < 0) {
                return -1;
            }
        } else {
            if (refresh(r, e) < 0) {
                return -1;
            }
            if (r->byte < r->limit || r->offset == r->next_base) {
                continue;
            }
            return r->next_base == UINT64_MAX
                       ? 0
                       : segment_damage(&r->seg, r->byte, "the file ends here",
                                        e);
        }
    }
    return 1;
}

int log_reader_next(struct log_reader *r, struct log_record *rec, struct err *e)
{
    do {
        if (r->left == 0) {
            const int rc = next_batch(r, e);
            if (rc != 1) {
                return rc;
            }
        }
        if (!batch_entry_next(&r->rest, &rec->partition, &rec->data)) {
            return segment_damage(&r->seg, r->byte,
                                  "the batch before holds fewer entries than "
                                  "it says",
                                  e);
        }
        r->left--;
        rec->offset = r->offset++;
    } while (rec->offset < r->want);
    rec->time_ms = r->time_ms;
    return 1;
}

uint64_t log_reader_tell(const struct log_reader *r)
{
    return r->offset > r->want ? r->offset : r->want;
}

/* A short cut into a sealed segment. */
static int jump(struct log_reader *r, uint64_t offset, struct err *e)
{
    struct index x;

    if (r->next_base == UINT64_MAX) {
        return 0;
    }
    if (index_load(&x, &r->seg, r->next_base, e) < 0) {
        return -1;
    }
    const struct index_point *p = index_find(&x, offset);
    if (p != NULL) {
        r->byte = p->byte;
        r->offset = p->offset;
    }
    index_release(&x);
    return 0;
}

/* Go there within the segment that is mapped, if that still has its name. */
static bool seek_near(struct log_reader *r, uint64_t offset)
{
    const struct trail *t = &r->trail;
    struct stat st;
    size_t from = 0;
    size_t to = t->n;

    if (t->n == 0 || offset < t->v[0].offset || offset >= r->next_base ||
        fstat(r->seg.fd, &st) < 0 || st.st_nlink == 0) {
        return false;
    }
    while (to - from > 1) {
        const size_t mid = from + (to - from) / 2;
        *(t->v[mid].offset <= offset ? &from : &to) = mid;
    }
    if (offset < r->offset || r->byte < t->v[from].byte) {
        r->byte = t->v[from].byte;
        r->offset = t->v[from].offset;
        r->left = 0;
    }
    r->want = offset;
    return true;
}

int log_reader_seek(struct log_reader *r, uint64_t offset, struct err *e)
{
    struct mark synced;

    shared_synced(&r->shared, &synced);
    if (offset > synced.offset) {
        return err_set(e, STATUS_CONFIG,
                       "topic \"%s\": offset %" PRIu64
                       " lies behind the end, which is %" PRIu64,
                       r->shared.topic, offset, synced.offset);
    }
    if (seek_near(r, offset)) {
        return 0;
    }
    if (enter(r, offset, e) < 0 || refresh(r, e) < 0 ||
        jump(r, offset, e) < 0) {
        return -1;
    }
    r->want = offset;
    return 0;
}

/* Made when it is first asked for: to close one takes the kernel 10 ms. What
 * was written before the watch began is not lost: the first wake-up is our own.
 * Without inotify (a limit) the descriptor is -1, which poll() ignores, and the
 * reader is as slow as its caller's timeout. */
int log_reader_fd(struct log_reader *r)
{
    char *path;

    if (r->inotify >= 0) {
        return r->inotify;
    }
    path = mem_printf("%s/wake", r->shared.run);
    r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (r->inotify >= 0 && inotify_add_watch(r->inotify, path, IN_MODIFY) < 0) {
        (void)close(r->inotify);
        r->inotify = -1;
    }
    (void)!pwrite(r->shared.wake, "", 1, 0);
    free(path);
    return r->inotify;
}

void log_reader_woken(struct log_reader *r)
{
    char events[4096];

    while (r->inotify >= 0 && read(r->inotify, events, sizeof events) > 0) {
    }
}

/* --- by time ------------------------------------------------------------- */

/* The first batch with records in the reader's segment that is not older than
 * ms: 1, 0 there is none. Heads only; damage is found when it is read. */
static int first_since(struct log_reader *r, uint64_t ms, uint64_t *offset,
                       struct err *e)
{
    struct batch b;

    if (refresh(r, e) < 0) {
        return -1;
    }
    while (r->byte < r->limit && r->offset != r->next_base) {
        if (batch_read(r->seg.map + r->byte, r->limit - r->byte, r->byte,
                       r->seg.head.tag, &b) != 1) {
            return segment_damage(&r->seg, r->byte, "no batch begins here", e);
        }
        if (b.count > 0 && b.time_ms >= ms) {
            *offset = b.base;
            return 1;
        }
        r->byte = b.next;
        r->offset += b.count;
    }
    return 0;
}

/* From the newest segment back to the first whose first batch is older. */
static int find_time(struct log_reader *r, const uint64_t *base, size_t n,
                     uint64_t ms, uint64_t *offset, struct err *e)
{
    for (size_t i = n; i > 0; i--) {
        if (enter(r, base[i - 1], e) < 0) {
            return -1;
        }
        const int rc = first_since(r, ms, offset, e);
        if (rc < 0) {
            return -1;
        }
        if (rc == 0 || *offset != base[i - 1]) {
            break;
        }
    }
    return 0;
}

int log_reader_find_time(struct log_reader *r, uint64_t ms, uint64_t *offset,
                         struct err *e)
{
    const uint64_t here = log_reader_tell(r);
    struct mark synced;
    uint64_t *base;
    size_t n;

    shared_synced(&r->shared, &synced);
    *offset = synced.offset;
    if (segment_list(r->shared.dir, &base, &n, e) < 0) {
        return -1;
    }
    while (n > 1 && base[n - 1] > synced.base) {
        n--;
    }
    const int rc = find_time(r, base, n, ms, offset, e);
    free(base);
    return rc < 0 ? -1 : log_reader_seek(r, here, e);
}
