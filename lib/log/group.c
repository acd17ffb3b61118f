/* Groups: who is a member, who owns which partition, and where it goes on.
 *
 * All of that is byte-range locks on DIR/run/groups/G/T, which the kernel frees
 * when a process dies:
 *
 *     GATE            shared: has the group open; alone: changes the file's
 *                     shape or resets it
 *     COMMIT          a commit is going on
 *     MEMBER + i      a member, the i-th; the file holds its pid at 4 * i
 *     PARTITION + p   the owner of partition p
 *
 * The fair share needs no talk: a member counts the living members and those
 * before it, so that all come to the same split of the partitions. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/groupfile.h"
#include "log/grouplock.h"
#include "log/lock.h"
#include "log/names.h"
#include "log/shared.h"

#include <fcntl.h>

struct log_group {
    struct shared shared;
    char *path; /* DIR/groups/G/T */
    int fd;     /* of that, once it is right */
    int lock;
    char *lock_path;
    int64_t member; /* -1: none yet */
    uint64_t epoch;
    bool *mine;
};

/* --- the file ------------------------------------------------------------ */

/* What counts for this topic: a file of an older topic of that name has only
 * its epoch left. */
static int load(const struct log_group *g, struct positions_of_group *p,
                struct err *e)
{
    const int rc = group_file_load(g->path, p, e);
    const uint32_t n = g->shared.meta.partitions;

    if (rc < 0) {
        return -1;
    }
    if (rc == 1 && p->n == n && strcmp(p->topic, g->shared.meta.id) == 0) {
        return 0;
    }
    const uint64_t epoch = rc == 1 ? p->epoch + 1 : 1;
    group_positions_release(p);
    *p = (struct positions_of_group){.epoch = epoch, .n = n};
    memcpy(p->topic, g->shared.meta.id, sizeof p->topic);
    p->offset = mem_alloc(n * sizeof *p->offset);
    for (uint32_t i = 0; i < n; i++) {
        p->offset[i] = GROUP_NO_OFFSET;
    }
    return 1;
}

static int commit_begin(struct log_group *g, struct err *e)
{
    if (lock_take(g->lock, GROUP_COMMIT, LOCK_EXCLUSIVE) < 0) {
        return err_errno(e, STATUS_SYSTEM, "%s", g->lock_path);
    }
    return 0;
}

static void commit_end(struct log_group *g)
{
    lock_drop(g->lock, GROUP_COMMIT, 1);
}

/* With COMMIT: have the right file open. */
static int open_file(struct log_group *g, struct err *e)
{
    struct positions_of_group p;
    int rc;

    if (g->fd >= 0) {
        return 0;
    }
    rc = load(g, &p, e);
    if (rc == 1) {
        rc = group_file_make(g->path, &p, e);
    }
    group_positions_release(&p);
    if (rc < 0) {
        return -1;
    }
    g->fd = open(g->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return g->fd < 0 ? err_errno(e, STATUS_IO, "%s", g->path) : 0;
}

/* --- opening ------------------------------------------------------------- */

static int open_paths(struct log_group *g, struct log *log, const char *group,
                      struct err *e)
{
    char *dir = store_path(log, "groups", group);
    char *run = store_path(log, "run/groups", group);
    const int rc = dir_make(dir, e) < 0 || dir_make(run, e) < 0 ? -1 : 0;

    g->path = mem_printf("%s/%s", dir, g->shared.topic);
    g->lock_path = mem_printf("%s/%s", run, g->shared.topic);
    free(dir);
    free(run);
    if (rc == 0 && (g->lock = lock_open(g->lock_path, e)) < 0) {
        return -1;
    }
    return rc;
}

struct log_group *log_group_open(struct log *log, const char *group,
                                 const char *topic, struct err *e)
{
    struct log_group *g = mem_new(sizeof *g);
    struct positions_of_group p;

    g->shared = SHARED_NONE;
    g->fd = -1;
    g->lock = -1;
    g->member = -1;
    if (store_name_check("group", group, e) < 0 ||
        shared_open(&g->shared, log, topic, e) < 0 ||
        open_paths(g, log, group, e) < 0) {
        goto fail;
    }
    g->mine = mem_new(g->shared.meta.partitions * sizeof *g->mine);
    if (lock_take(g->lock, GROUP_GATE, LOCK_SHARED) < 0) {
        err_errno(e, STATUS_SYSTEM, "%s", g->lock_path);
        goto fail;
    }
    if (load(g, &p, e) < 0) {
        goto fail;
    }
    g->epoch = p.epoch;
    group_positions_release(&p);
    return g;
fail:
    log_group_close(g);
    return NULL;
}

void log_group_close(struct log_group *g)
{
    if (g == NULL) {
        return;
    }
    if (g->lock >= 0) {
        (void)close(g->lock);
    }
    if (g->fd >= 0) {
        (void)close(g->fd);
    }
    shared_close(&g->shared);
    free(g->path);
    free(g->lock_path);
    free(g->mine);
    free(g);
}

uint64_t log_group_epoch(const struct log_group *g)
{
    return g->epoch;
}

/* --- positions ----------------------------------------------------------- */

static int check_partition(const struct log_group *g, uint32_t p, struct err *e)
{
    return p < g->shared.meta.partitions
               ? 0
               : err_set(e, STATUS_BUG, "%s: no partition %" PRIu32, g->path,
                         p);
}

int log_group_read(struct log_group *g, uint32_t p, uint64_t *offset,
                   struct err *e)
{
    struct positions_of_group all;

    if (check_partition(g, p, e) < 0 || commit_begin(g, e) < 0) {
        return -1;
    }
    const int rc = load(g, &all, e);
    commit_end(g);
    if (rc < 0) {
        return -1;
    }
    *offset = all.offset[p];
    group_positions_release(&all);
    return *offset != GROUP_NO_OFFSET;
}

/* Never backwards: a late commit of a former owner changes nothing. */
static bool merge(struct positions_of_group *all,
                  const struct log_group_pos *pos, size_t n)
{
    bool changed = false;

    for (size_t i = 0; i < n; i++) {
        uint64_t *now = &all->offset[pos[i].partition];
        if (*now == GROUP_NO_OFFSET || pos[i].offset > *now) {
            *now = pos[i].offset;
            changed = true;
        }
    }
    return changed;
}

int log_group_commit(struct log_group *g, const struct log_group_pos *pos,
                     size_t n, struct err *e)
{
    struct positions_of_group all = {0};
    int rc;

    for (size_t i = 0; i < n; i++) {
        if (check_partition(g, pos[i].partition, e) < 0) {
            return -1;
        }
    }
    if (commit_begin(g, e) < 0) {
        return -1;
    }
    rc = open_file(g, e);
    if (rc == 0) {
        rc = group_fd_load(g->fd, g->path, &all, e);
    }
    if (rc == 0 && merge(&all, pos, n)) {
        rc = group_fd_store(g->fd, g->path, &all, e);
    }
    commit_end(g);
    group_positions_release(&all);
    return rc;
}

/* --- members ------------------------------------------------------------- */

static int join(struct log_group *g, struct err *e)
{
    for (int64_t i = 0; i < GROUP_MEMBERS; i++) {
        const int rc =
            lock_try(g->lock, GROUP_MEMBER + (uint64_t)i, 1, LOCK_EXCLUSIVE);
        if (rc < 0) {
            return err_errno(e, STATUS_SYSTEM, "%s", g->lock_path);
        }
        if (rc == 1) {
            const int32_t pid = (int32_t)getpid();
            (void)fd_pwrite(g->lock, &pid, sizeof pid, 4 * i);
            g->member = i;
            return 0;
        }
    }
    return err_set(e, STATUS_CONFIG, "%s: more than %d members", g->path,
                   GROUP_MEMBERS);
}

/* A group that is there at all holds retention back: make its file known. */
static int ensure(struct log_group *g, struct err *e)
{
    int rc = g->member < 0 ? join(g, e) : 0;

    if (rc == 0 && g->fd < 0) {
        rc = commit_begin(g, e);
        if (rc == 0) {
            rc = open_file(g, e);
            commit_end(g);
        }
    }
    return rc;
}

static uint32_t share_of(const struct log_group *g)
{
    const uint64_t self = GROUP_MEMBER + (uint64_t)g->member;
    uint32_t members = 1;
    uint32_t before = 0;
    uint64_t at = GROUP_MEMBER;

    while ((at = lock_find(g->lock, at, GROUP_MEMBER + GROUP_MEMBERS - at)) !=
           UINT64_MAX) {
        members++;
        before += at < self;
        if (++at == GROUP_MEMBER + GROUP_MEMBERS) {
            break;
        }
    }
    const uint32_t n = g->shared.meta.partitions;
    return n / members + (before < n % members);
}

int log_group_balance(struct log_group *g, bool owned[], uint32_t *surplus,
                      struct err *e)
{
    uint32_t have = 0;
    int taken = 0;

    if (ensure(g, e) < 0) {
        return -1;
    }
    const uint32_t share = share_of(g);
    for (uint32_t p = 0; p < g->shared.meta.partitions; p++) {
        have += g->mine[p];
    }
    for (uint32_t p = 0; p < g->shared.meta.partitions && have < share; p++) {
        if (g->mine[p]) {
            continue;
        }
        const int rc =
            lock_try(g->lock, GROUP_PARTITION + p, 1, LOCK_EXCLUSIVE);
        if (rc < 0) {
            return err_errno(e, STATUS_SYSTEM, "%s", g->lock_path);
        }
        if (rc == 1) {
            g->mine[p] = true;
            owned[p] = true;
            taken = 1;
            have++;
        }
    }
    *surplus = have > share ? have - share : 0;
    return taken;
}

int log_group_release(struct log_group *g, uint32_t p, struct err *e)
{
    if (check_partition(g, p, e) < 0) {
        return -1;
    }
    if (g->mine[p]) {
        lock_drop(g->lock, GROUP_PARTITION + p, 1);
        g->mine[p] = false;
    }
    return 0;
}

/* --- for dpp-topic ------------------------------------------------------- */

int log_group_list(struct log *log, const char *topic, struct log_names *names,
                   struct err *e)
{
    char *groups = store_path(log, "groups", "");
    struct log_names all;

    *names = (struct log_names){0};
    const int rc = names_of_folder(groups, &all, e);
    for (size_t i = 0; i < all.n; i++) {
        char *path = mem_printf("%s%s/%s", groups, all.v[i], topic);
        if (access(path, F_OK) == 0) {
            names_add(names, all.v[i]);
        }
        free(path);
    }
    log_names_release(&all);
    free(groups);
    return rc;
}

static int in_use(struct log_group *g, const char *group, struct err *e)
{
    const uint64_t at = lock_find(g->lock, GROUP_MEMBER, GROUP_MEMBERS);
    int32_t pid = 0;

    if (at != UINT64_MAX) {
        (void)!pread(g->lock, &pid, sizeof pid,
                     (off_t)(4 * (at - GROUP_MEMBER)));
    }
    return err_set(e, STATUS_RETRY,
                   "group \"%s\" is in use%s%.0" PRId32
                   ": stop its members first",
                   group, pid > 0 ? " by process " : "", pid);
}

static int reset(struct log_group *g, const struct log_group_pos *pos, size_t n,
                 struct err *e)
{
    struct positions_of_group all;
    struct err ignored;

    for (size_t i = 0; i < n; i++) {
        if (check_partition(g, pos[i].partition, e) < 0) {
            return -1;
        }
    }
    if (load(g, &all, &ignored) < 0) {
        /* Both slots are gone; so are the epochs: take one never given. */
        (void)unlink(g->path);
        if (load(g, &all, e) < 0) {
            return -1;
        }
        all.epoch += 1 + (uint64_t)UINT32_MAX;
    }
    all.epoch++;
    for (size_t i = 0; i < n; i++) {
        all.offset[pos[i].partition] = pos[i].offset;
    }
    const int rc = group_file_make(g->path, &all, e);
    group_positions_release(&all);
    return rc;
}

int log_group_reset(struct log *log, const char *group, const char *topic,
                    const struct log_group_pos *pos, size_t n, struct err *e)
{
    struct log_group g = {
        .shared = SHARED_NONE, .fd = -1, .lock = -1, .member = -1};
    int rc = -1;

    if (store_name_check("group", group, e) < 0 ||
        shared_open(&g.shared, log, topic, e) < 0 ||
        open_paths(&g, log, group, e) < 0) {
        goto out;
    }
    rc = lock_try(g.lock, GROUP_GATE, 1, LOCK_EXCLUSIVE);
    rc = rc < 0    ? err_errno(e, STATUS_SYSTEM, "%s", g.lock_path)
         : rc == 0 ? in_use(&g, group, e)
                   : reset(&g, pos, n, e);
out:
    if (g.lock >= 0) {
        (void)close(g.lock);
    }
    shared_close(&g.shared);
    free(g.path);
    free(g.lock_path);
    return rc;
}
