#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

static const char *after(const char *ref, const char *prefix)
{
    const size_t n = strlen(prefix);

    return strncmp(ref, prefix, n) == 0 && ref[n] != '\0' ? ref + n : NULL;
}

/* 3 to 65535, or -1. */
static int descriptor(const char *text)
{
    char *end;
    const long n = strtol(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= 3 &&
                   n <= 65535
               ? (int)n
               : -1;
}

int secret_check(const char *ref, struct err *e)
{
    const char *name = after(ref, "cred:");
    const char *fd = after(ref, "fd:");

    if (after(ref, "file:") != NULL ||
        (name != NULL && strchr(name, '/') == NULL && name[0] != '.') ||
        (fd != NULL && descriptor(fd) >= 0)) {
        return 0;
    }
    /* What stands there may be the secret itself: it is not repeated. */
    return err_set(e, STATUS_USAGE,
                   "a secret is given as file:PATH, cred:NAME or fd:N, never "
                   "by itself");
}

static int open_file(const char *path, struct err *e)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return err_errno(e, STATUS_REFUSED, "secret %s", path);
    }
    if (fstat(fd, &st) < 0) {
        (void)err_errno(e, STATUS_IO, "secret %s", path);
    } else if (!S_ISREG(st.st_mode)) {
        (void)err_set(e, STATUS_REFUSED, "secret %s: not a regular file", path);
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        (void)err_set(e, STATUS_REFUSED, "secret %s: belongs to another user",
                      path);
    } else if ((st.st_mode & 077) != 0) {
        (void)err_set(e, STATUS_REFUSED,
                      "secret %s: others may read or write it; chmod 600 it",
                      path);
    } else {
        return fd;
    }
    (void)close(fd);
    return -1;
}

/* systemd has checked and placed it; only we can see the folder. */
static int open_credential(const char *name, struct err *e)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    if (dir == NULL) {
        return err_set(e, STATUS_REFUSED,
                       "secret cred:%s: there is no $CREDENTIALS_DIRECTORY "
                       "(LoadCredential= in the unit)",
                       name);
    }
    char *path = mem_printf("%s/%s", dir, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)err_errno(e, STATUS_REFUSED, "secret %s", path);
    }
    free(path);
    return fd;
}

static int read_all(int fd, const char *ref, struct buf *out, struct err *e)
{
    /* One buffer of full size: growing would leave copies behind. */
    char *p = buf_reserve(out, SECRET_MAX + 1);

    while (out->n <= SECRET_MAX) {
        const ssize_t n = read(fd, p + out->n, SECRET_MAX + 1 - out->n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(e, STATUS_IO, "secret %s", ref);
        }
        if (n == 0) {
            break;
        }
        out->n += (size_t)n;
    }
    if (out->n > SECRET_MAX) {
        return err_set(e, STATUS_REFUSED, "secret %s: larger than %d bytes",
                       ref, SECRET_MAX);
    }
    if (out->n > 0 && p[out->n - 1] == '\n') {
        out->n--;
    }
    if (out->n > 0 && p[out->n - 1] == '\r') {
        out->n--;
    }
    return out->n > 0
               ? 0
               : err_set(e, STATUS_REFUSED, "secret %s: it is empty", ref);
}

int secret_read(const char *ref, struct buf *out, struct err *e)
{
    const char *rest;
    int fd;

    if (secret_check(ref, e) < 0) {
        return -1;
    }
    if ((rest = after(ref, "file:")) != NULL) {
        fd = open_file(rest, e);
    } else if ((rest = after(ref, "cred:")) != NULL) {
        fd = open_credential(rest, e);
    } else {
        fd = descriptor(after(ref, "fd:"));
    }
    if (fd < 0) {
        return -1;
    }
    const int rc = read_all(fd, ref, out, e);
    (void)close(fd);
    if (rc < 0) {
        secret_release(out);
    }
    return rc;
}

void secret_release(struct buf *b)
{
    if (b->p != NULL) {
        explicit_bzero(b->p, b->cap);
    }
    buf_release(b);
}
