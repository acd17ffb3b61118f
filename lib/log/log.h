/* The embedded log: topics as files, many processes, no server; dpp-log(5).
 *
 * One directory is a store. A topic is a row of segments, one physical log for
 * all its partitions; offsets run through the topic. Everything here is
 * single-threaded per object except where it says so. Statuses: 69 unknown
 * topic, 74 disk or damage (file and offset named), 77 permission, 78 fenced,
 * or a configuration that cannot be. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct log;

enum { LOG_NAME_MAX = 200, LOG_GROUP_EXPIRY_MS = 7 * 24 * 3600 * 1000 };
enum { LOG_KEY = 32 };

/* Makes the directory where it is missing; refuses a network file system and
 * a VERSION it does not know. */
struct log *log_open(const char *dir, struct err *);
void log_close(struct log *);

/* Encrypt the records of topics that are opened or made from now on under this
 * key (LOG_KEY bytes), from their next segment on. More keys read what was
 * written under them. Without its key such a topic is 77. */
void log_key(struct log *, struct slice key);

/* The same by reference (vault/secret.h): 64 hex digits, or a key of the vault
 * in all its versions. */
int log_key_read(struct log *, const char *ref, struct err *);

/* --- topics ------------------------------------------------------------- */

struct log_topic {
    char id[33];         /* random, new with each creation */
    uint32_t partitions; /* at least 1 */
    uint64_t retain_bytes;
    uint64_t retain_ms;       /* 0: for ever */
    uint64_t group_expiry_ms; /* retention waits so long for a group that has no
                                 member; 0: as usual, a week */
};

struct log_stat {
    uint64_t begin; /* offset of the oldest record */
    uint64_t end;   /* offset behind the newest durable one */
    uint64_t bytes; /* of batches, without preallocated space */
    uint32_t segments;
};

struct log_names {
    char **v;
    size_t n;
};
void log_names_release(struct log_names *);

/* All but the id, which is made, from *t. 78 where it exists. */
int log_topic_create(struct log *, const char *topic, struct log_topic *,
                     struct err *);

/* 1 found, 0 there is none, -1. */
int log_topic_load(struct log *, const char *topic, struct log_topic *,
                   struct err *);
int log_topic_list(struct log *, struct log_names *, struct err *);
int log_topic_remove(struct log *, const char *topic, struct err *);
int log_topic_stat(struct log *, const char *topic, struct log_stat *,
                   struct err *);

/* Reads every byte. Returns the number of faults, each given to report() as
 * one line with file and byte; *records counts the good ones. */
int log_topic_verify(struct log *, const char *topic,
                     void (*report)(void *, const char *line), void *arg,
                     uint64_t *records, struct err *);

/* --- writing ------------------------------------------------------------ */

struct log_writer;

struct log_entry {
    uint32_t partition;
    struct slice part[2]; /* the record is part[0] and part[1] joined */
};

struct log_writer *log_writer_open(struct log *, const char *topic,
                                   struct err *);
void log_writer_close(struct log_writer *);

/* Make `run` the owner of each position key of `name` (blank-separated keys):
 * from now on an append for one of them by another run is refused with 78.
 * pos gets the stored position of the name (empty where there is none). */
int log_writer_own(struct log_writer *, const char *run, struct slice name,
                   struct slice keys, struct buf *pos, struct err *);

/* One batch, atomic: all of it is there after a crash, or nothing. name and
 * pos may be empty; otherwise pos is merged into the name's position with it
 * (n == 0 with a pos is a batch that only moves the position).
 * Returns 0; 1 when the disk is full (nothing was written, try again); -1.
 * Not durable before log_writer_synced() says so. */
int log_writer_append(struct log_writer *, const struct log_entry *, size_t n,
                      struct slice name, struct slice pos, struct err *);

/* Tickets: appends of this writer count 1, 2, 3 …. */
uint64_t log_writer_appended(const struct log_writer *);

/* The offset of the first record of the last append. */
uint64_t log_writer_base(const struct log_writer *);

/* The newest ticket up to which all is durable; a thread of the writer syncs,
 * sharing each fdatasync with all writers of the topic. -1 after a failed
 * sync: fatal, never tried again. Reading it drains the descriptor. */
int log_writer_synced(struct log_writer *, uint64_t *ticket, struct err *);

/* Readable whenever log_writer_synced() has news. */
int log_writer_fd(struct log_writer *);

/* Wait until all appends are durable. */
int log_writer_sync(struct log_writer *, struct err *);

/* --- reading ------------------------------------------------------------ */

struct log_reader;

struct log_record {
    uint64_t offset;
    uint64_t time_ms; /* of its batch */
    uint32_t partition;
    struct slice data; /* valid until the next call on the reader */
};

struct log_reader *log_reader_open(struct log *, const char *topic,
                                   struct err *);
void log_reader_close(struct log_reader *);

/* Go on at the first record at or behind offset. 78 if offset lies before the
 * oldest record (say so: expired) or behind the end. */
int log_reader_seek(struct log_reader *, uint64_t offset, struct err *);

/* The offset of the first record of a batch written at or after ms. */
int log_reader_find_time(struct log_reader *, uint64_t ms, uint64_t *offset,
                         struct err *);

/* 1 a record, 0 at the durable end, -1. */
int log_reader_next(struct log_reader *, struct log_record *, struct err *);

/* The offset that log_reader_next() would look at next. */
uint64_t log_reader_tell(const struct log_reader *);

/* Readable when something was written (inotify), and once after the first call;
 * drain it with log_reader_woken(). -1 where inotify is at its limit. A writer
 * may die before it wakes anyone, so poll with a timeout of at most a
 * second. */
int log_reader_fd(struct log_reader *);
void log_reader_woken(struct log_reader *);

/* --- groups ------------------------------------------------------------- */

/* A member of a group on one topic. Membership and owned partitions are file
 * locks: the kernel frees them when the process dies. */
struct log_group;

struct log_group *log_group_open(struct log *, const char *group,
                                 const char *topic, struct err *);
void log_group_close(struct log_group *);

uint64_t log_group_epoch(const struct log_group *);

/* Where partition p goes on: 1 and *offset, 0 if the group has none, -1. */
int log_group_read(struct log_group *, uint32_t p, uint64_t *offset,
                   struct err *);

/* Store the next offset of owned partitions; never moves backwards. */
struct log_group_pos {
    uint32_t partition;
    uint64_t offset;
};
int log_group_commit(struct log_group *, const struct log_group_pos *, size_t n,
                     struct err *);

/* Fair share: takes free partitions up to this member's share of the live
 * members (owned[] tells which; changes are made in it). Sets *surplus to how
 * many it should give back with log_group_release(). Call it at the start and
 * each second. Returns 1 when something was taken. */
int log_group_balance(struct log_group *, bool owned[], uint32_t *surplus,
                      struct err *);
int log_group_release(struct log_group *, uint32_t p, struct err *);

/* For dpp-topic: positions of a group without being a member. */
int log_group_list(struct log *, const char *topic, struct log_names *,
                   struct err *);

/* Raise the epoch and store these positions; 75 with the owner's pid while a
 * member lives. */
int log_group_reset(struct log *, const char *group, const char *topic,
                    const struct log_group_pos *, size_t n, struct err *);

#endif
