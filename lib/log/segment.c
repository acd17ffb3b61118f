#include "log/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

enum { DIGITS = 20 };

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool base_of(const char *name, uint64_t *base)
{
    if (strspn(name, "0123456789") != DIGITS ||
        strcmp(name + DIGITS, ".log") != 0) {
        return false;
    }
    *base = strtoull(name, NULL, 10);
    return true;
}

int segment_list(const char *dir, uint64_t **base, size_t *n, struct err *e)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    size_t cap = 0;
    uint64_t b;

    *base = NULL;
    *n = 0;
    if (d == NULL) {
        return err_errno(e, STATUS_IO, "%s", dir);
    }
    while ((entry = readdir(d)) != NULL) {
        if (!base_of(entry->d_name, &b)) {
            continue;
        }
        if (*n == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            *base = mem_resize(*base, cap * sizeof **base);
        }
        (*base)[(*n)++] = b;
    }
    (void)closedir(d);
    if (*n > 0) {
        qsort(*base, *n, sizeof **base, by_number);
    }
    return 0;
}

int segment_damage(const struct segment *s, uint64_t at, const char *what,
                   struct err *e)
{
    return err_set(e, STATUS_IO, "%s: damaged at byte %" PRIu64 ": %s", s->path,
                   at, what);
}

static int read_head(struct segment *s, uint64_t base, const char topic[33],
                     struct err *e)
{
    char head[FORMAT_SEGMENT];
    const ssize_t n = pread(s->fd, head, sizeof head, 0);

    if (n < 0) {
        return err_errno(e, STATUS_IO, "%s", s->path);
    }
    if (n != sizeof head || format_segment_read(head, &s->head) < 0 ||
        s->head.base != base) {
        return segment_damage(s, 0, "this is no segment's head", e);
    }
    if (memcmp(s->head.topic, topic, sizeof s->head.topic) != 0) {
        return err_set(e, STATUS_IO, "%s: belongs to another topic", s->path);
    }
    return 0;
}

int segment_open(struct segment *s, const char *dir, uint64_t base,
                 const char topic[33], struct err *e)
{
    *s = SEGMENT_NONE;
    s->path = mem_printf("%s/%020" PRIu64 ".log", dir, base);
    s->fd = open(s->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd < 0 && errno == ENOENT) {
        segment_close(s);
        return 0;
    }
    if (s->fd < 0) {
        err_errno(e, errno == EACCES ? STATUS_REFUSED : STATUS_IO, "%s",
                  s->path);
    }
    if (s->fd < 0 || read_head(s, base, topic, e) < 0) {
        segment_close(s);
        return -1;
    }
    return 1;
}

void segment_close(struct segment *s)
{
    if (s->map != NULL) {
        (void)munmap((void *)(uintptr_t)s->map, s->len);
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    free(s->path);
    *s = SEGMENT_NONE;
}

int segment_make(struct segment *s, const char *dir,
                 const struct segment_head *head, uint64_t size,
                 struct buf *start, struct err *e)
{
    char *path = mem_printf("%s/%020" PRIu64 ".log", dir, head->base);
    int rc;

    *s = SEGMENT_NONE;
    s->head = *head;
    s->path = mem_printf("%s.tmp", path);
    s->fd = open(s->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                 0600);
    if (s->fd < 0) {
        rc = is_full(errno) ? 1 : err_errno(e, STATUS_IO, "%s", s->path);
        goto fail;
    }
    format_segment_write(start->p, head);
    rc = segment_extend(s, size > start->n ? size : start->n, e);
    if (rc != 0) {
        goto fail_made;
    }
    if (fd_pwrite(s->fd, start->p, start->n, 0) < 0 || fsync(s->fd) < 0 ||
        rename(s->path, path) < 0) {
        rc = is_full(errno) ? 1 : err_errno(e, STATUS_IO, "%s", s->path);
        goto fail_made;
    }
    free(s->path);
    s->path = path;
    return dir_sync(dir, e);
fail_made:
    (void)unlink(s->path);
fail:
    free(path);
    segment_close(s);
    return rc;
}

uint64_t segment_size(const struct segment *s)
{
    struct stat st;

    return fstat(s->fd, &st) < 0 ? UINT64_MAX : (uint64_t)st.st_size;
}

int segment_map(struct segment *s, uint64_t need, struct err *e)
{
    if (s->len >= need && s->map != NULL) {
        return 0;
    }
    const uint64_t size = segment_size(s);
    if (size == UINT64_MAX) {
        return err_errno(e, STATUS_IO, "%s", s->path);
    }
    if (size < need) {
        return segment_damage(s, size, "the file ends here", e);
    }
    if (s->map != NULL) {
        (void)munmap((void *)(uintptr_t)s->map, s->len);
    }
    s->map = mmap(NULL, size, PROT_READ, MAP_SHARED, s->fd, 0);
    if (s->map == MAP_FAILED) {
        s->map = NULL;
        s->len = 0;
        return err_errno(e, STATUS_SYSTEM, "%s: mmap", s->path);
    }
    s->len = size;
    (void)madvise((void *)(uintptr_t)s->map, size, MADV_SEQUENTIAL);
    return 0;
}

int segment_extend(const struct segment *s, uint64_t size, struct err *e)
{
    const uint64_t now = segment_size(s);

    if (now != UINT64_MAX && now >= size) {
        return 0;
    }
    if (fallocate(s->fd, 0, 0, (off_t)size) == 0) {
        return 0;
    }
    if (is_full(errno)) {
        /* What was taken before it failed is kept by some file systems; the
         * size did not change. */
        return 1;
    }
    if (errno != EOPNOTSUPP || ftruncate(s->fd, (off_t)size) < 0) {
        return err_errno(e, STATUS_IO, "%s: preallocation", s->path);
    }
    return 0;
}

int segment_clear(const struct segment *s, uint64_t from, uint64_t to,
                  struct err *e)
{
    static const char zeros[65536];

    while (from < to) {
        const size_t n =
            to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        if (fd_pwrite(s->fd, zeros, n, (off_t)from) < 0) {
            return err_errno(e, STATUS_IO, "%s", s->path);
        }
        from += n;
    }
    return 0;
}
