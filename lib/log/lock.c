#include "log/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/err.h"

/* About 25 us in all, some ten times what an append needs. */
enum { TRIES = 40, PAUSES = 10 };

int lock_open(const char *path, struct err *e)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return err_errno(
            e, errno == EACCES || errno == EPERM ? STATUS_REFUSED : STATUS_IO,
            "%s", path);
    }
    return fd;
}

static int change(int fd, int cmd, short type, uint64_t byte, uint64_t n)
{
    struct flock l = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = (off_t)byte,
        .l_len = (off_t)n,
    };
    int rc;

    do {
        rc = fcntl(fd, cmd, &l);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

static short type_of(enum lock_kind kind)
{
    return kind == LOCK_SHARED ? F_RDLCK : F_WRLCK;
}

int lock_take(int fd, uint64_t byte, enum lock_kind kind)
{
    return change(fd, F_OFD_SETLKW, type_of(kind), byte, 1);
}

int lock_try(int fd, uint64_t byte, uint64_t n, enum lock_kind kind)
{
    if (change(fd, F_OFD_SETLK, type_of(kind), byte, n) == 0) {
        return 1;
    }
    return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

static void pause_briefly(void)
{
    for (unsigned i = 0; i < PAUSES; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
    }
}

int lock_take_brief(int fd, uint64_t byte)
{
    for (unsigned i = 0; i < TRIES; i++) {
        const int rc = lock_try(fd, byte, 1, LOCK_EXCLUSIVE);
        if (rc != 0) {
            return rc < 0 ? -1 : 0;
        }
        pause_briefly();
    }
    return lock_take(fd, byte, LOCK_EXCLUSIVE);
}

void lock_drop(int fd, uint64_t byte, uint64_t n)
{
    (void)change(fd, F_OFD_SETLK, F_UNLCK, byte, n);
}

uint64_t lock_find(int fd, uint64_t from, uint64_t n)
{
    struct flock l = {
        .l_type = F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)from,
        .l_len = (off_t)n,
    };

    if (fcntl(fd, F_OFD_GETLK, &l) < 0 || l.l_type == F_UNLCK) {
        return UINT64_MAX;
    }
    return (uint64_t)l.l_start > from ? (uint64_t)l.l_start : from;
}
