#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

int fd_read(int fd, const char *name, size_t max, struct buf *out,
            struct err *e)
{
    const size_t start = out->n;

    for (;;) {
        const ssize_t n = read(fd, buf_reserve(out, 65536), 65536);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err_errno(e, STATUS_IO, "%s", name);
            break;
        }
        out->n += (size_t)n;
        if (out->n - start > max) {
            err_set(e, STATUS_CONFIG, "%s: larger than %zu bytes", name, max);
            break;
        }
    }
    out->n = start;
    return -1;
}

int file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return err_errno(e, STATUS_CONFIG, "%s", path);
    }
    const int rc = fd_read(fd, path, max, out, e);
    (void)close(fd);
    return rc;
}

int fd_write(int fd, const void *data, size_t n)
{
    const char *p = data;

    while (n > 0) {
        const ssize_t k = write(fd, p, n);
        if (k < 0 && errno != EINTR) {
            return -1;
        }
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        }
    }
    return 0;
}

int fd_pwrite(int fd, const void *data, size_t n, off_t at)
{
    const char *p = data;

    while (n > 0) {
        const ssize_t k = pwrite(fd, p, n, at);
        if (k < 0 && errno != EINTR) {
            return -1;
        }
        if (k > 0) {
            p += k;
            n -= (size_t)k;
            at += k;
        }
    }
    return 0;
}

int dir_sync(const char *path, struct err *e)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return err_errno(e, STATUS_IO, "%s", path);
    }
    if (fsync(fd) < 0) {
        err_errno(e, STATUS_IO, "%s: fsync", path);
        (void)close(fd);
        return -1;
    }
    (void)close(fd);
    return 0;
}

static int sync_parent(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? mem_strdup(".")
                   : slash == path ? mem_strdup("/")
                                   : mem_strndup(path, (size_t)(slash - path));
    const int rc = dir_sync(parent, e);

    free(parent);
    return rc;
}

int file_replace(const char *path, const void *data, size_t n, mode_t mode,
                 struct err *e)
{
    char *tmp = mem_printf("%s.%ld.tmp", path, (long)getpid());

    (void)unlink(tmp);
    const int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        err_errno(e, errno == ENOSPC ? STATUS_IO : STATUS_CONFIG, "%s", tmp);
        goto out_tmp;
    }
    if (fd_write(fd, data, n) < 0 || fsync(fd) < 0) {
        err_errno(e, STATUS_IO, "%s", tmp);
        goto out_fd;
    }
    (void)close(fd);
    if (rename(tmp, path) < 0) {
        err_errno(e, STATUS_IO, "%s", path);
        (void)unlink(tmp);
        goto out_tmp;
    }
    free(tmp);
    return sync_parent(path, e);
out_fd:
    (void)close(fd);
    (void)unlink(tmp);
out_tmp:
    free(tmp);
    return -1;
}

int dir_make(const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        return S_ISDIR(st.st_mode)
                   ? 0
                   : err_set(e, STATUS_CONFIG, "%s: not a folder", path);
    }
    const char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        char *parent = mem_strndup(path, (size_t)(slash - path));
        const int rc = dir_make(parent, e);
        free(parent);
        if (rc < 0) {
            return -1;
        }
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        const int status = errno == EACCES || errno == EPERM ? STATUS_REFUSED
                           : errno == ENOSPC                 ? STATUS_IO
                                                             : STATUS_CONFIG;
        return err_errno(e, status, "%s", path);
    }
    return sync_parent(path, e);
}

char *state_dir(void)
{
    const char *dir = getenv("STATE_DIRECTORY");
    if (dir != NULL && dir[0] != '\0') {
        return mem_strndup(dir, strcspn(dir, ":"));
    }
    dir = getenv("XDG_STATE_HOME");
    if (dir != NULL && dir[0] == '/') {
        return mem_printf("%s/dpp", dir);
    }
    dir = getenv("HOME");
    return mem_printf("%s/.local/state/dpp", dir != NULL ? dir : "");
}

int fd_hold_standard(struct err *e)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == 0   ? O_WRONLY
                              : fd == 1 ? O_RDONLY
                                        : O_RDWR) != fd) {
            return err_errno(e, STATUS_SYSTEM, "/dev/null");
        }
    }
    return 0;
}
