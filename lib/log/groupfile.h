/* DIR/groups/G/T: the positions of a group on a topic.
 *
 * Two slots, written in turn and in place under a lock, each with a counter
 * and a checksum: a commit is one pwrite and no sync. After a power cut the
 * newest good slot counts; it may lag, it never leads. */
#ifndef LOG_GROUPFILE_H
#define LOG_GROUPFILE_H

#include <stdint.h>

struct err;

#define GROUP_NO_OFFSET UINT64_MAX

struct positions_of_group {
    uint64_t seq;   /* counts the commits */
    uint64_t epoch; /* counts the resets, from 1 */
    char topic[33]; /* the id of the topic they belong to */
    uint32_t n;     /* partitions */
    uint64_t *offset;
};

void group_positions_release(struct positions_of_group *);

/* 1, 0 there is no such file, -1 (78: both slots are damaged). */
int group_file_load(const char *path, struct positions_of_group *,
                    struct err *);

/* Replace the file, synced. */
int group_file_make(const char *path, const struct positions_of_group *,
                    struct err *);

/* Change the offsets of a file that is open: read, then write the other slot
 * with what the positions hold now and seq + 1. */
int group_fd_load(int fd, const char *path, struct positions_of_group *,
                  struct err *);
int group_fd_store(int fd, const char *path, struct positions_of_group *,
                   struct err *);

#endif
