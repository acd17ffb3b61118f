/* A group is live while it has a member, or while its file changed within the
 * topic's group_expiry_ms; what it has not read stays, however full the disk
 * is. Read is meant by record: a partition without news has an old position and
 * holds nothing back if no record of it is in the segment. */
#include "log/retain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/groupfile.h"
#include "log/grouplock.h"
#include "log/index.h"
#include "log/lock.h"
#include "log/names.h"
#include "log/shared.h"

static bool has_member(const struct shared *s, const char *group)
{
    char *path = mem_printf("%s/run/groups/%s/%s", s->store, group, s->topic);
    struct err ignored;
    bool member = false;

    if (access(path, F_OK) == 0) {
        const int fd = lock_open(path, &ignored);
        member =
            fd < 0 || lock_find(fd, GROUP_MEMBER, GROUP_MEMBERS) != UINT64_MAX;
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    free(path);
    return member;
}

static bool is_live(const struct shared *s, const char *group,
                    const struct stat *st)
{
    const uint64_t changed = (uint64_t)st->st_mtim.tv_sec * 1000 +
                             (uint64_t)st->st_mtim.tv_nsec / 1000000;

    return changed + s->meta.group_expiry_ms > clock_wall_ms() ||
           has_member(s, group);
}

/* What each partition's slowest live group has read: every record below it.
 * false if that cannot be told. */
static bool add_group(const struct shared *s, const char *group, uint64_t *read)
{
    char *path = mem_printf("%s/groups/%s/%s", s->store, group, s->topic);
    struct positions_of_group p = {0};
    struct err ignored;
    struct stat st;
    bool known = true;

    if (stat(path, &st) == 0 && is_live(s, group, &st)) {
        const int rc = group_file_load(path, &p, &ignored);
        const bool ours = rc == 1 && p.n == s->meta.partitions &&
                          strcmp(p.topic, s->meta.id) == 0;
        known = rc >= 0;
        for (uint32_t i = 0; known && i < s->meta.partitions; i++) {
            const uint64_t at =
                ours && p.offset[i] != GROUP_NO_OFFSET ? p.offset[i] : 0;
            read[i] = at < read[i] ? at : read[i];
        }
    }
    group_positions_release(&p);
    free(path);
    return known;
}

static bool all_groups(const struct shared *s, uint64_t *read)
{
    struct log log = {.dir = s->store};
    struct log_names groups;
    struct err ignored;
    bool known = log_group_list(&log, s->topic, &groups, &ignored) == 0;

    for (size_t i = 0; known && i < groups.n; i++) {
        known = add_group(s, groups.v[i], read);
    }
    log_names_release(&groups);
    return known;
}

struct old {
    struct segment seg;
    struct index index;
    uint64_t next; /* base of the segment behind */
};

/* No record of this batch is one that somebody has not read; false also if that
 * cannot be seen. */
static bool batch_read_by_all(const struct shared *s, const struct batch *b,
                              const struct cipher_key *key,
                              const uint64_t *read)
{
    struct buf room;
    struct slice rest;
    struct slice data;
    uint32_t p;

    buf_init(&room);
    bool all = cipher_open(key, b, &room, &rest);
    for (uint32_t i = 0; all && i < b->count; i++) {
        all = batch_entry_next(&rest, &p, &data) && p < s->meta.partitions &&
              read[p] > b->base + i;
    }
    buf_release(&room);
    return all;
}

static bool all_read(const struct shared *s, struct old *o,
                     const uint64_t *read)
{
    uint64_t at = FORMAT_SEGMENT;
    bool behind = false;
    struct batch b;
    const uint32_t id = o->seg.head.key;
    const struct cipher_key *key = cipher_find(&s->cipher, id);

    for (uint32_t i = 0; i < s->meta.partitions; i++) {
        behind = behind || read[i] < o->next;
    }
    if (behind && id != 0 && key == NULL) {
        return false;
    }
    while (behind && at < o->index.end) {
        if (batch_read(o->seg.map + at, o->index.end - at, at, o->seg.head.tag,
                       &b) != 1 ||
            !batch_read_by_all(s, &b, key, read)) {
            return false;
        }
        at = b.next;
    }
    return true;
}

/* When its last batch was written; no batch, long ago. */
static uint64_t last_ms(const struct old *o)
{
    uint64_t at =
        o->index.n > 0 ? o->index.point[o->index.n - 1].byte : FORMAT_SEGMENT;
    uint64_t ms = 0;
    struct batch b;

    while (at < o->index.end && batch_read(o->seg.map + at, o->index.end - at,
                                           at, o->seg.head.tag, &b) == 1) {
        ms = b.time_ms;
        at = b.next;
    }
    return ms;
}

static int open_old(const struct shared *s, uint64_t base, uint64_t next,
                    struct old *o)
{
    struct err ignored;

    *o = (struct old){.seg = SEGMENT_NONE, .next = next};
    if (segment_open(&o->seg, s->dir, base, s->meta.id, &ignored) != 1 ||
        index_load(&o->index, &o->seg, next, &ignored) < 0 ||
        segment_map(&o->seg, o->index.end, &ignored) < 0) {
        return -1;
    }
    return 0;
}

static void close_old(struct old *o)
{
    segment_close(&o->seg);
    index_release(&o->index);
}

static void remove_old(const struct old *o)
{
    char *index =
        mem_printf("%.*sidx", (int)(strlen(o->seg.path) - 3), o->seg.path);

    (void)unlink(index);
    (void)unlink(o->seg.path);
    free(index);
}

static uint64_t total_bytes(const struct shared *s, const uint64_t *base,
                            size_t sealed)
{
    struct mark m;
    struct old o;
    uint64_t sum;

    shared_synced(s, &m);
    sum = m.byte;
    for (size_t i = 0; i < sealed; i++) {
        if (open_old(s, base[i], base[i + 1], &o) == 0) {
            sum += o.index.end;
        }
        close_old(&o);
    }
    return sum;
}

/* base[sealed] is there as well. */
static void retain_from(const struct shared *s, const uint64_t *base,
                        size_t sealed, const uint64_t *read)
{
    const struct log_topic *t = &s->meta;
    const uint64_t now = clock_wall_ms();
    uint64_t bytes = t->retain_bytes > 0 ? total_bytes(s, base, sealed) : 0;
    bool go = true;

    for (size_t i = 0; go && i < sealed; i++) {
        struct old o;
        go = open_old(s, base[i], base[i + 1], &o) == 0 &&
             ((t->retain_bytes > 0 && bytes > t->retain_bytes) ||
              (t->retain_ms > 0 && last_ms(&o) + t->retain_ms < now)) &&
             all_read(s, &o, read);
        if (go) {
            bytes -= o.index.end < bytes ? o.index.end : bytes;
            remove_old(&o);
        }
        close_old(&o);
    }
}

/* How many come before the present one. */
static size_t count_sealed(uint64_t present, const uint64_t *base, size_t n)
{
    size_t i = 0;

    while (i + 1 < n && base[i + 1] <= present) {
        i++;
    }
    return i;
}

void retain(struct shared *s)
{
    const uint32_t n = s->meta.partitions;
    uint64_t *base = NULL;
    size_t segments;
    struct mark present;
    struct err ignored;

    if ((s->meta.retain_bytes == 0 && s->meta.retain_ms == 0) ||
        lock_try(s->lock, LOCK_RETAIN, 1, LOCK_EXCLUSIVE) != 1) {
        return;
    }
    uint64_t *read = mem_alloc(n * sizeof *read);
    memset(read, 0xff, n * sizeof *read);
    shared_synced(s, &present);
    if (all_groups(s, read) &&
        segment_list(s->dir, &base, &segments, &ignored) == 0) {
        retain_from(s, base, count_sealed(present.base, base, segments), read);
    }
    free(base);
    free(read);
    lock_drop(s->lock, LOCK_RETAIN, 1);
}
