/* Little-endian: "dppidx1\n", the segment's tag, next offset, end, count; the
 * points; CRC-32C of all that, zeros to 8. */
#include "log/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/little.h"
#include "base/mem.h"

enum { HEAD = 40, STEP = 65536, FILE_MAX = 1 << 28 };

static const char MAGIC[8] = "dppidx1\n";

static char *path_of(const struct segment *s)
{
    return mem_printf("%.*sidx", (int)(strlen(s->path) - 3), s->path);
}

void index_release(struct index *x)
{
    free(x->point);
    *x = (struct index){0};
}

static void add64(struct buf *b, uint64_t v)
{
    put64(buf_reserve(b, sizeof v), v);
    b->n += sizeof v;
}

static void encode(const struct index *x, const struct segment *s,
                   uint64_t next, struct buf *out)
{
    buf_append(out, MAGIC, sizeof MAGIC);
    add64(out, s->head.tag);
    add64(out, next);
    add64(out, x->end);
    add64(out, x->n);
    for (size_t i = 0; i < x->n; i++) {
        add64(out, x->point[i].offset);
        add64(out, x->point[i].byte);
        add64(out, x->point[i].time_ms);
    }
    add64(out, crc32c(0, out->p, out->n));
}

static bool decode(struct index *x, const struct segment *s, uint64_t next,
                   struct slice text)
{
    if (text.n < HEAD + 8 || memcmp(text.p, MAGIC, sizeof MAGIC) != 0 ||
        get64(text.p + 8) != s->head.tag || get64(text.p + 16) != next ||
        get64(text.p + text.n - 8) != crc32c(0, text.p, text.n - 8)) {
        return false;
    }
    x->end = get64(text.p + 24);
    x->n = (size_t)get64(text.p + 32);
    if (x->n != (text.n - HEAD - 8) / sizeof *x->point ||
        (text.n - HEAD - 8) % sizeof *x->point != 0) {
        return false;
    }
    x->point = mem_alloc(x->n * sizeof *x->point + 1);
    for (size_t i = 0; i < x->n; i++) {
        const char *p = text.p + HEAD + i * sizeof *x->point;
        x->point[i] =
            (struct index_point){get64(p), get64(p + 8), get64(p + 16)};
    }
    return true;
}

static void add(struct index *x, size_t *cap, const struct batch *b)
{
    if (x->n == *cap) {
        *cap = *cap == 0 ? 64 : *cap * 2;
        x->point = mem_resize(x->point, *cap * sizeof *x->point);
    }
    x->point[x->n++] = (struct index_point){b->base, b->at, b->time_ms};
}

/* Walk the heads; bodies are proved when they are read. A segment whose sync
 * failed may go on behind `next`: that part does not count. */
static int build(struct index *x, struct segment *s, uint64_t next,
                 struct err *e)
{
    uint64_t at = FORMAT_SEGMENT;
    uint64_t offset = s->head.base;
    uint64_t step = 0;
    size_t cap = 0;
    struct batch b;

    if (segment_map(s, FORMAT_SEGMENT, e) < 0) {
        return -1;
    }
    for (;;) {
        const int rc =
            batch_read(s->map + at, s->len - at, at, s->head.tag, &b);
        if (offset == next && (rc != 1 || b.count > 0)) {
            break;
        }
        if (rc != 1 || b.base != offset) {
            return segment_damage(s, at, "no batch begins here", e);
        }
        if (at >= step && b.count > 0) {
            add(x, &cap, &b);
            step = at + STEP;
        }
        at = b.next;
        offset += b.count;
    }
    x->end = at;
    return 0;
}

static void save(const struct index *x, const struct segment *s, uint64_t next)
{
    char *path = path_of(s);
    char *tmp = mem_printf("%s.%ld.tmp", path, (long)getpid());
    struct buf text;

    buf_init(&text);
    encode(x, s, next, &text);
    const int fd =
        open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        if (fd_write(fd, text.p, text.n) < 0 || rename(tmp, path) < 0) {
            (void)unlink(tmp);
        }
        (void)close(fd);
    }
    buf_release(&text);
    free(tmp);
    free(path);
}

int index_load(struct index *x, struct segment *s, uint64_t next, struct err *e)
{
    char *path = path_of(s);
    struct buf text;
    struct err ignored;

    *x = (struct index){0};
    buf_init(&text);
    const bool good = file_read(path, FILE_MAX, &text, &ignored) == 0 &&
                      decode(x, s, next, buf_slice(&text));
    buf_release(&text);
    free(path);
    if (good) {
        return 0;
    }
    index_release(x);
    if (build(x, s, next, e) < 0) {
        index_release(x);
        return -1;
    }
    save(x, s, next);
    return 0;
}

void index_make(struct segment *s, uint64_t next, uint64_t end)
{
    struct index x = {0};
    struct err ignored;

    if (build(&x, s, next, &ignored) == 0) {
        x.end = end;
        save(&x, s, next);
    }
    index_release(&x);
}

const struct index_point *index_find(const struct index *x, uint64_t offset)
{
    size_t lo = 0;
    size_t hi = x->n;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (x->point[mid].offset <= offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo > 0 ? &x->point[lo - 1] : NULL;
}
