/* System calls of a test's own: the n-th pwrite, fdatasync, fsync, rename or
 * fallocate dies (before it, half done, or done) or fails with an error, and
 * statfs names any file system. For one source file of a program only. */
#ifndef LOG_SHIM_H
#define LOG_SHIM_H

#include "log_test.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

enum fault { FAULT_NONE, FAULT_BEFORE, FAULT_HALF, FAULT_AFTER, FAULT_ERROR };

static struct {
    enum fault kind;
    int error;
    _Atomic long countdown;
    bool only_sync;
} plan;

static struct board {
    _Atomic uint64_t acked;
    _Atomic uint64_t tried;
    _Atomic bool hit;
} * board;

/* True: this call is the one. */
static bool due(bool is_sync)
{
    if (plan.kind == FAULT_NONE || (plan.only_sync && !is_sync) ||
        atomic_fetch_sub(&plan.countdown, 1) != 1) {
        return false;
    }
    board->hit = true;
    if (plan.kind == FAULT_BEFORE) {
        _exit(9);
    }
    return true;
}

static long done(bool is_due, long rc)
{
    if (is_due && plan.kind == FAULT_AFTER) {
        _exit(9);
    }
    return rc;
}

#define FAIL(is_due)                                                           \
    if ((is_due) && plan.kind == FAULT_ERROR) {                                \
        errno = plan.error;                                                    \
        return -1;                                                             \
    }

MAYBE off_t lowest_write; /* of more than a wake-up */

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    const bool now = due(false);

    if (n > 1 && at < lowest_write) {
        lowest_write = at;
    }
    if (now && plan.kind == FAULT_HALF) {
        (void)syscall(SYS_pwrite64, fd, p, n / 2, at);
        _exit(9);
    }
    if (now && plan.kind == FAULT_ERROR) {
        (void)syscall(SYS_pwrite64, fd, p, n / 3, at);
    }
    FAIL(now);
    return done(now, syscall(SYS_pwrite64, fd, p, n, at));
}

int fdatasync(int fd)
{
    const bool now = due(true);

    FAIL(now);
    return (int)done(now, syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
    const bool now = due(true);

    FAIL(now);
    return (int)done(now, syscall(SYS_fsync, fd));
}

int rename(const char *from, const char *to)
{
    const bool now = due(false);

    FAIL(now);
    return (int)done(now, syscall(SYS_rename, from, to));
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    const bool now = due(false);

    FAIL(now);
    return (int)done(now, syscall(SYS_fallocate, fd, mode, at, n));
}

MAYBE unsigned long remote; /* what statfs() says a folder is on, or 0 */

int statfs(const char *path, struct statfs *fs)
{
    const long rc = syscall(SYS_statfs, path, fs);

    if (rc == 0 && remote != 0) {
        fs->f_type = (__fsword_t)remote;
    }
    return (int)rc;
}

static void faults_off(void)
{
    plan.kind = FAULT_NONE;
}
MAYBE void shim_init(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(board != MAP_FAILED);
}

/* --- the store "faults" --------------------------------------------------- */

/* Records 0, 1, 2 …, at least `least`; how many, or UINT64_MAX. */
MAYBE uint64_t read_back(uint64_t least)
{
    struct log *log = store_open("faults");
    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct log_record rec;
    uint64_t count = 0;
    int rc = -1;

    while (r != NULL && (rc = log_reader_next(r, &rec, &must_err)) == 1) {
        unsigned w;
        uint64_t n;
        if (!record_parse(rec.data, &w, &n) || n != count ||
            rec.offset != count) {
            printf("# record %" PRIu64 " is %.*s\n", count, (int)rec.data.n,
                   rec.data.p);
            rc = -1;
            break;
        }
        count++;
    }
    if (rc < 0 || count < least) {
        printf("# %" PRIu64 " of %" PRIu64 " records, %s\n", count, least,
               rc < 0 ? must_err.text : "");
        rc = -1;
    }
    log_reader_close(r);
    log_close(log);
    return rc < 0 ? UINT64_MAX : count;
}

MAYBE void ignore_line(void *arg, const char *line)
{
    (void)arg;
    printf("# %s\n", line);
}

MAYBE bool whole(void)
{
    struct log *log = store_open("faults");
    uint64_t records;
    const int faults =
        log_topic_verify(log, "t", ignore_line, NULL, &records, &must_err);

    log_close(log);
    return faults == 0;
}

#endif
