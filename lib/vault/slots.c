#include "vault/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/little.h"
#include "base/mem.h"
#include "base/rand.h"

static const char magic[] = "dpp-subjects 1\n";

enum {
    FIRST = 256, /* pages of the first level; each next one has twice as many */
    LEVELS = 17,
};

void slots_init(struct slots *s, const char *path, const char *name)
{
    *s = (struct slots){.fd = -1};
    s->dir = mem_printf("%s.subjects", path);
    s->path = mem_printf("%s/%s", s->dir, name);
}

static void close_file(struct slots *s)
{
    if (s->head != NULL) {
        (void)munmap((void *)s->head, SLOTS_PAGE);
        s->head = NULL;
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
        s->fd = -1;
    }
}

void slots_release(struct slots *s)
{
    close_file(s);
    free(s->path);
    free(s->dir);
}

int slots_lock(const struct slots *s, int how, struct err *e)
{
    while (flock(s->fd, how) < 0) {
        if (errno != EINTR) {
            return err_errno(e, STATUS_SYSTEM, "%s", s->path);
        }
    }
    return 0;
}

void slots_unlock(const struct slots *s)
{
    (void)flock(s->fd, LOCK_UN);
}

int slots_write(const struct slots *s, const void *p, size_t n, uint64_t at,
                struct err *e)
{
    return fd_pwrite(s->fd, p, n, (off_t)at) < 0
               ? err_errno(e, STATUS_IO, "%s", s->path)
               : 0;
}

int slots_set_head(const struct slots *s, int at, uint64_t v, struct err *e)
{
    char text[8];

    put64(text, v);
    return slots_write(s, text, sizeof text, (uint64_t)at, e);
}

static int check_file(const struct slots *s, struct err *e)
{
    struct stat st;

    if (fstat(s->fd, &st) < 0) {
        return err_errno(e, STATUS_SYSTEM, "%s", s->path);
    }
    return S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                   (st.st_mode & 077) == 0
               ? 0
               : err_set(e, STATUS_REFUSED,
                         "%s: not a file of yours that nobody else may read "
                         "(mode 600)",
                         s->path);
}

/* A head of zeros, or none: whoever made the file did not come further, and
 * nothing was sealed with what is in it. */
static int make_head(struct slots *s, struct err *e)
{
    char head[SLOTS_PAGE] = {0};
    struct stat st;
    int rc = 0;

    if (slots_lock(s, LOCK_EX, e) < 0) {
        return -1;
    }
    if (fstat(s->fd, &st) == 0 && st.st_size < SLOTS_PAGE) {
        memcpy(head, magic, sizeof magic - 1);
        rand_bytes(head + SLOTS_AT_ID, 16);
        rc = slots_write(s, head, SLOTS_PAGE, 0, e);
        if (rc == 0 && (fsync(s->fd) < 0 || dir_sync(s->dir, e) < 0)) {
            rc = err_errno(e, STATUS_IO, "%s", s->path);
        }
    }
    slots_unlock(s);
    return rc;
}

static int map_head(struct slots *s, struct err *e)
{
    const char *p = mmap(NULL, SLOTS_PAGE, PROT_READ, MAP_SHARED, s->fd, 0);

    if (p == MAP_FAILED) {
        return err_errno(e, STATUS_SYSTEM, "%s", s->path);
    }
    s->head = p;
    return memcmp(p, magic, sizeof magic - 1) == 0
               ? 0
               : err_set(e, STATUS_CONFIG,
                         "%s: damaged, or no file of subjects' keys", s->path);
}

/* 0; 1: there is none yet, and it is not to be made; -1. */
int slots_open(struct slots *s, bool make, struct err *e)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;

    if (s->head != NULL) {
        return 0;
    }
    if (make && dir_make(s->dir, e) < 0) {
        return -1;
    }
    s->fd = open(s->path, make ? flags | O_CREAT : flags, 0600);
    if (s->fd < 0) {
        return errno == ENOENT ? 1
                               : err_errno(e, STATUS_REFUSED, "%s", s->path);
    }
    if (check_file(s, e) < 0 || (make && make_head(s, e) < 0)) {
        close_file(s);
        return -1;
    }
    if (!make && fstat(s->fd, &st) == 0 && st.st_size < SLOTS_PAGE) {
        close_file(s);
        return 1;
    }
    if (map_head(s, e) < 0) {
        close_file(s);
        return -1;
    }
    return 0;
}

void slots_probe_init(struct slots_probe *p, const unsigned char *tag)
{
    p->tag = tag;
    p->level = -1;
    p->next = SLOTS_PAGE;
}

/* Behind the end of the file all is free. */
static int load_page(const struct slots *s, struct slots_probe *p,
                     struct err *e)
{
    const uint64_t pages = (uint64_t)FIRST << ++p->level;
    const uint64_t page = get64((const char *)p->tag) & (pages - 1);
    size_t n = 0;
    ssize_t got;

    p->page_at = (1 + pages - FIRST + page) * SLOTS_PAGE;
    p->next = 0;
    while (n < SLOTS_PAGE && (got = pread(s->fd, p->page + n, SLOTS_PAGE - n,
                                          (off_t)(p->page_at + n))) != 0) {
        if (got < 0 && errno != EINTR) {
            return err_errno(e, STATUS_IO, "%s", s->path);
        }
        n += got > 0 ? (size_t)got : 0;
    }
    memset(p->page + n, 0, SLOTS_PAGE - n);
    return 0;
}

/* 1: the next record of the subject; 0: there is none, and p->at is free. */
int slots_next(const struct slots *s, struct slots_probe *p, char **record,
               struct err *e)
{
    for (;; p->next += SLOTS_RECORD) {
        if (p->next == SLOTS_PAGE) {
            if (p->level + 1 == LEVELS) {
                return err_set(e, STATUS_CONFIG, "%s: no room left", s->path);
            }
            if (load_page(s, p, e) < 0) {
                return -1;
            }
        }
        char *r = p->page + p->next;
        p->at = p->page_at + (uint64_t)p->next;
        if (r[0] == SLOTS_FREE) {
            return 0;
        }
        if (memcmp(r + SLOTS_AT_TAG, p->tag, SLOTS_TAG) == 0) {
            p->next += SLOTS_RECORD;
            *record = r;
            return 1;
        }
    }
}

int slots_check_place(const struct slots *s, struct err *e)
{
    struct stat is;
    struct stat st;

    return fstat(s->fd, &is) == 0 && stat(s->path, &st) == 0 &&
                   is.st_ino == st.st_ino && is.st_dev == st.st_dev
               ? 0
               : err_set(e, STATUS_RETRY,
                         "%s: another file has taken its place, or none",
                         s->path);
}
