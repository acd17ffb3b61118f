/* Recovery.
 *
 * Only the last segment can have an unsynced end: all of the older one is
 * synced before a new one gets its name. So the last one is read from its
 * start, and at the first byte where no good batch begins there is one
 * question: was that byte ever durable?
 *
 *   yes   it is damage: 74, and nothing is changed. The evidence is a synced
 *         end above that byte, in the old shared state (right checksum, same
 *         tag), in the head of an earlier batch, or in the head of a later one
 *         that is still good; a segment's head and its first snapshot were
 *         synced before the file got its name.
 *   no    it is a torn tail: nobody was told that it is safe. It is filled
 *         with zeros up to its last byte and reported. All of it must go: a
 *         whole batch further on, whose predecessor was lost, would come to
 *         life again when a new batch happens to end where it begins.
 *
 * Killed at any point, the next opener does the same again: the state is
 * without a boot id until the end. */
#include "log/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/little.h"
#include "base/mem.h"
#include "base/msg.h"
#include "log/shared.h"

struct survey {
    struct mark end;  /* behind the last good batch */
    uint64_t proof;   /* the highest synced end that is on record */
    const char *what; /* is wrong at end.byte, or NULL */
};

/* The segment's size counts: a file that somebody made shorter. */
static bool same_file(const struct shared *s, const struct mark *m)
{
    struct segment seg;
    struct err ignored;

    if (shared_segment(s, UINT64_MAX, &seg, &ignored) != 1) {
        return false;
    }
    const bool same = seg.head.tag == m->tag && segment_size(&seg) >= m->byte;
    segment_close(&seg);
    return same;
}

bool recover_needed(const struct shared *s)
{
    struct mark m;

    if (!state_valid(s->state, s->meta.id)) {
        return true;
    }
    shared_appended(s, &m);
    return !same_file(s, &m);
}

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void survey_batches(const struct segment *seg, struct survey *v)
{
    bool opening = true; /* within the snapshot */
    struct batch b;
    int rc;

    while ((rc = batch_read(seg->map + v->end.byte, seg->len - v->end.byte,
                            v->end.byte, seg->head.tag, &b)) == 1) {
        if (!batch_body_good(&b)) {
            v->what = "a batch with a wrong checksum";
            break;
        }
        if (b.base != v->end.offset) {
            v->what = "a batch with a wrong offset";
            break;
        }
        opening = opening && (b.flags & BATCH_SNAPSHOT) != 0;
        v->proof = max(v->proof, opening ? b.next : b.synced);
        v->end.byte = b.next;
        v->end.offset += b.count;
        v->end.time_ms = b.time_ms;
    }
    if (rc < 0) {
        v->what = "no batch begins here";
    }
}

/* Good heads behind the first bad byte: they tell what was synced before. */
static void survey_rest(const struct segment *seg, struct survey *v)
{
    struct batch b;

    for (uint64_t at = v->end.byte + 8; at + FORMAT_HEAD <= seg->len; at += 8) {
        if (get64(seg->map + at) == seg->head.tag &&
            batch_read(seg->map + at, seg->len - at, at, seg->head.tag, &b) ==
                1) {
            v->proof = max(v->proof, b.synced);
        }
    }
}

/* Behind the last byte that the file system holds: preallocated space is a hole
 * to it, and reading 64 MiB of that page by page would cost a second. */
static uint64_t data_end(const struct segment *seg, uint64_t from)
{
    uint64_t end = from;
    off_t at;

    while (end < seg->len &&
           (at = lseek(seg->fd, (off_t)end, SEEK_DATA)) >= 0 &&
           (at = lseek(seg->fd, at, SEEK_HOLE)) >= 0) {
        end = (uint64_t)at;
    }
    return end < seg->len && errno == ENXIO ? end : seg->len;
}

/* Behind the last byte that is not zero. */
static uint64_t used_end(const struct segment *seg, uint64_t from)
{
    static const char zeros[4096];
    uint64_t end = data_end(seg, from);

    while (end > from) {
        const uint64_t n =
            end - from < sizeof zeros ? end - from : sizeof zeros;
        if (memcmp(seg->map + end - n, zeros, n) != 0) {
            break;
        }
        end -= n;
    }
    while (end > from && seg->map[end - 1] == 0) {
        end--;
    }
    return end;
}

static int cut(struct segment *seg, struct survey *v, struct err *e)
{
    const uint64_t used = used_end(seg, v->end.byte);

    if (used > v->end.byte) {
        survey_rest(seg, v);
    }
    if (v->end.byte < v->proof) {
        return segment_damage(
            seg, v->end.byte,
            v->what != NULL ? v->what : "zeros where a batch was", e);
    }
    if (used > v->end.byte) {
        if (segment_clear(seg, v->end.byte, used, e) < 0) {
            return -1;
        }
        msg_warn("%s: torn tail cut at byte %" PRIu64 ", %" PRIu64
                 " bytes (never acknowledged)",
                 seg->path, v->end.byte, used - v->end.byte);
    }
    return 0;
}

static int survey_segment(struct shared *s, struct segment *seg,
                          struct survey *v, struct err *e)
{
    struct mark old;

    v->end = (struct mark){
        .serial = seg->head.serial,
        .tag = seg->head.tag,
        .base = seg->head.base,
        .byte = FORMAT_SEGMENT,
        .offset = seg->head.base,
        .time_ms = seg->head.made_ms,
    };
    v->proof = FORMAT_SEGMENT;
    if (memcmp(s->state->topic, s->meta.id, sizeof s->state->topic) == 0 &&
        cell_read(&s->state->synced, &old) && old.tag == seg->head.tag) {
        v->proof = max(v->proof, old.byte);
        v->end.failures = old.failures;
    }
    if (segment_map(seg, FORMAT_SEGMENT, e) < 0) {
        return -1;
    }
    survey_batches(seg, v);
    return cut(seg, v, e);
}

static void forget_owners(const struct shared *s)
{
    char *path = mem_printf("%s/owners", s->run);

    (void)unlink(path);
    free(path);
}

int recover(struct shared *s, struct err *e)
{
    struct segment seg;
    struct survey v = {0};
    int rc = shared_segment(s, UINT64_MAX, &seg, e);

    if (rc <= 0) {
        return -1;
    }
    rc = survey_segment(s, &seg, &v, e);
    if (rc == 0 && fdatasync(seg.fd) < 0) {
        rc = err_errno(e, STATUS_IO, "%s: fdatasync", seg.path);
    }
    segment_close(&seg);
    if (rc < 0) {
        return -1;
    }
    forget_owners(s);
    state_reset(s->state, s->meta.id);
    cell_write(&s->state->appended, &v.end);
    cell_write(&s->state->synced, &v.end);
    state_bless(s->state);
    return 0;
}
