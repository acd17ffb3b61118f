/* Segment files: <base offset, 20 digits>.log in the topic's folder.
 *
 * A file is made whole (head and snapshot synced, then renamed, then the
 * folder synced), preallocated with zeros, and never becomes shorter while
 * anybody may have it mapped. */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "log/format.h"

struct err;

struct segment {
    int fd;
    char *path;
    struct segment_head head;
    const char *map;
    uint64_t len; /* of the map */
};

#define SEGMENT_NONE ((struct segment){.fd = -1})

/* The bases of the segments of a folder, rising. Caller frees. Complete as to
 * those that existed before the call; of two that are made meanwhile it may
 * hold the later one alone, so neighbours are neighbours only below a base that
 * was known to be there. */
int segment_list(const char *dir, uint64_t **base, size_t *n, struct err *);

/* 1 open, 0 there is no such file, -1 (74: its head is damaged or it belongs
 * to another topic). */
int segment_open(struct segment *, const char *dir, uint64_t base,
                 const char topic[33], struct err *);
void segment_close(struct segment *);

/* Make one of `size` bytes that begins with head and `start` (whole batches,
 * 64 bytes left free in front for the head), replacing a file of that name. 0,
 * 1 when the disk is full, -1. */
int segment_make(struct segment *, const char *dir, const struct segment_head *,
                 uint64_t size, struct buf *start, struct err *);

/* Let the map cover the first `need` bytes at least; slices into the old map
 * end here. 74 if the file is shorter. */
int segment_map(struct segment *, uint64_t need, struct err *);

/* The file's size now, or UINT64_MAX. */
uint64_t segment_size(const struct segment *);

/* Preallocate up to `size`. 0, 1 when the disk is full, -1. */
int segment_extend(const struct segment *, uint64_t size, struct err *);

/* Fill [from, to) with zeros. */
int segment_clear(const struct segment *, uint64_t from, uint64_t to,
                  struct err *);

/* STATUS_IO with the file and the byte. */
int segment_damage(const struct segment *, uint64_t at, const char *what,
                   struct err *);

#endif
