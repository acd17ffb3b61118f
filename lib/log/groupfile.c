/* A slot: magic 8, seq 8, epoch 8, topic 32, partitions 4, CRC 4, offsets 8
 * each, little-endian; zeros to 512. The CRC covers all but itself. */
#include "log/groupfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/little.h"
#include "base/mem.h"

enum {
    SEQ = 8,
    EPOCH = 16,
    TOPIC = 24,
    COUNT = 56,
    CRC = 60,
    HEAD = 64,
    SECTOR = 512,
    FILE_MAX = 1 << 20,
};

static const char MAGIC[8] = "dppgrp1\n";

void group_positions_release(struct positions_of_group *g)
{
    free(g->offset);
    *g = (struct positions_of_group){0};
}

static size_t slot_size(uint32_t n)
{
    return (HEAD + 8 * (size_t)n + SECTOR - 1) / SECTOR * SECTOR;
}

static uint32_t crc_of(const char *slot, uint32_t n)
{
    return crc32c(crc32c(0, slot, CRC), slot + HEAD, 8 * (size_t)n);
}

static void encode(const struct positions_of_group *g, char *slot)
{
    memset(slot, 0, slot_size(g->n));
    memcpy(slot, MAGIC, sizeof MAGIC);
    put64(slot + SEQ, g->seq);
    put64(slot + EPOCH, g->epoch);
    memcpy(slot + TOPIC, g->topic, 32);
    put32(slot + COUNT, g->n);
    for (uint32_t i = 0; i < g->n; i++) {
        put64(slot + HEAD + 8 * (size_t)i, g->offset[i]);
    }
    put32(slot + CRC, crc_of(slot, g->n));
}

static bool slot_good(const char *slot, size_t size)
{
    const uint32_t n = get32(slot + COUNT);

    return memcmp(slot, MAGIC, sizeof MAGIC) == 0 && n > 0 &&
           n <= FILE_MAX / 16 && slot_size(n) == size &&
           get32(slot + CRC) == crc_of(slot, n);
}

static void decode(const char *slot, struct positions_of_group *g)
{
    g->seq = get64(slot + SEQ);
    g->epoch = get64(slot + EPOCH);
    memcpy(g->topic, slot + TOPIC, 32);
    g->topic[32] = '\0';
    g->n = get32(slot + COUNT);
    g->offset = mem_alloc(g->n * sizeof *g->offset);
    for (uint32_t i = 0; i < g->n; i++) {
        g->offset[i] = get64(slot + HEAD + 8 * (size_t)i);
    }
}

/* The file is two slots of half its size. */
static int choose(struct slice text, const char *path,
                  struct positions_of_group *g, struct err *e)
{
    const size_t half = text.n / 2;
    const char *a = text.p;
    const char *b = text.p + half;

    *g = (struct positions_of_group){0};
    if (text.n < 2 * SECTOR || text.n % (2 * SECTOR) != 0) {
        a = NULL;
        b = NULL;
    }
    if (a != NULL && !slot_good(a, half)) {
        a = NULL;
    }
    if (b != NULL && !slot_good(b, half)) {
        b = NULL;
    }
    if (a == NULL && b == NULL) {
        return err_set(e, STATUS_CONFIG,
                       "%s: damaged; say where the group goes on with "
                       "dpp-topic reset",
                       path);
    }
    if (a == NULL || (b != NULL && get64(b + SEQ) > get64(a + SEQ))) {
        a = b;
    }
    decode(a, g);
    return 0;
}

int group_fd_load(int fd, const char *path, struct positions_of_group *g,
                  struct err *e)
{
    struct stat st;
    struct buf text;
    int rc = -1;

    buf_init(&text);
    if (fstat(fd, &st) < 0) {
        return err_errno(e, STATUS_IO, "%s", path);
    }
    if (st.st_size <= FILE_MAX) {
        const size_t n = (size_t)st.st_size;
        const ssize_t got = pread(fd, buf_reserve(&text, n), n, 0);
        if (got < 0) {
            err_errno(e, STATUS_IO, "%s", path);
            goto out;
        }
        text.n = (size_t)got;
    }
    rc = choose(buf_slice(&text), path, g, e);
out:
    buf_release(&text);
    return rc;
}

int group_fd_store(int fd, const char *path, struct positions_of_group *g,
                   struct err *e)
{
    const size_t size = slot_size(g->n);
    char *slot = mem_alloc(size);

    g->seq++;
    encode(g, slot);
    const int rc = fd_pwrite(fd, slot, size, (off_t)((g->seq & 1) * size)) < 0
                       ? err_errno(e, STATUS_IO, "%s", path)
                       : 0;
    free(slot);
    return rc;
}

int group_file_load(const char *path, struct positions_of_group *g,
                    struct err *e)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *g = (struct positions_of_group){0};
    if (fd < 0) {
        return errno == ENOENT ? 0 : err_errno(e, STATUS_IO, "%s", path);
    }
    const int rc = group_fd_load(fd, path, g, e);
    (void)close(fd);
    return rc < 0 ? -1 : 1;
}

int group_file_make(const char *path, const struct positions_of_group *g,
                    struct err *e)
{
    const size_t size = slot_size(g->n);
    char *slots = mem_alloc(2 * size);

    encode(g, slots);
    memcpy(slots + size, slots, size);
    const int rc = file_replace(path, slots, 2 * size, 0600, e);
    free(slots);
    return rc;
}
