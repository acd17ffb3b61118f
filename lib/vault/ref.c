#include "vault/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

const char *ref_after(const char *ref, const char *prefix)
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

bool ref_is_good(const char *ref)
{
    const char *name = ref_after(ref, "cred:");
    const char *fd = ref_after(ref, "fd:");

    return ref_after(ref, "file:") != NULL ||
           (name != NULL && strchr(name, '/') == NULL && name[0] != '.') ||
           (fd != NULL && descriptor(fd) >= 0);
}

int ref_open(const char *what, const char *path, bool strict, struct err *e)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
                                  (strict ? O_NOFOLLOW : 0));

    if (fd < 0 && errno == ELOOP && strict) {
        return err_set(e, STATUS_REFUSED, "%s %s: a symbolic link", what, path);
    }
    if (fd < 0) {
        return err_errno(e, STATUS_REFUSED, "%s %s", what, path);
    }
    if (fstat(fd, &st) < 0) {
        (void)err_errno(e, STATUS_IO, "%s %s", what, path);
    } else if (!S_ISREG(st.st_mode)) {
        (void)err_set(e, STATUS_REFUSED, "%s %s: not a regular file", what,
                      path);
    } else if (st.st_uid != geteuid() && (strict || st.st_uid != 0)) {
        (void)err_set(e, STATUS_REFUSED, "%s %s: belongs to another user", what,
                      path);
    } else if ((st.st_mode & 077) != 0) {
        (void)err_set(e, STATUS_REFUSED,
                      "%s %s: others may read or write it; chmod 600 it", what,
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

int ref_read_fd(int fd, const char *name, size_t max, struct safe *out,
                struct err *e)
{
    size_t n = 0;

    safe_new(out, max + 1);
    for (;;) {
        const ssize_t k = read(fd, out->p + n, max + 1 - n);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            (void)err_errno(e, STATUS_IO, "%s", name);
            break;
        }
        n += (size_t)k;
        if (n > max) {
            (void)err_set(e, STATUS_REFUSED, "%s: larger than %zu bytes", name,
                          max);
            break;
        }
        if (k == 0) {
            safe_cut(out, 0, n);
            return 0;
        }
    }
    safe_release(out);
    return -1;
}

int ref_read(const char *ref, struct safe *out, struct err *e)
{
    const char *rest;
    int fd;

    if ((rest = ref_after(ref, "file:")) != NULL) {
        fd = ref_open("secret", rest, false, e);
    } else if ((rest = ref_after(ref, "cred:")) != NULL) {
        fd = open_credential(rest, e);
    } else {
        fd = descriptor(ref_after(ref, "fd:"));
    }
    if (fd < 0) {
        return -1;
    }
    const int rc = ref_read_fd(fd, ref, REF_MAX, out, e);
    (void)close(fd);
    if (rc < 0) {
        return err_wrap(e, "secret");
    }
    if (out->n == 0) {
        safe_release(out);
        return err_set(e, STATUS_REFUSED, "secret %s: it is empty", ref);
    }
    return 0;
}
