/* One door to topics, whatever holds them: "log:DIR" on this machine, or
 * "kafka://HOST:PORT,…" for Apache Kafka.
 *
 * Statuses: 69 unknown topic or unreachable store (with the line that makes
 * the topic), 74 disk, 77 refused, 78 configuration, expired position, fenced.
 */
#ifndef TOPIC_TOPIC_H
#define TOPIC_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/opt.h"
#include "topic/places.h"

struct err;
struct event;
struct pollfd;
struct topic_store;
struct topic_writer;
struct topic_reader;

struct topic_store_conf {
    const char *broker; /* NULL: $DPP_BROKER, else log: under the state folder
                         */
    struct opt_list property; /* of librdkafka; of a log: key=REF */
    const char *secret;       /* by reference: the broker's password, or the
                                 log's key; or NULL */
    bool must_lock;           /* 77 where memory cannot be locked */

    /* log: is exact by itself; these are for brokers. */
    bool exactly_once;
    bool single_broker;
    bool new_position; /* one that is gone is no error */
    bool structured;   /* CloudEvents in structured mode */
    uint64_t commit_ms;
};

/* The configuration must live as long as the store. */
struct topic_store *topic_store_open(const struct topic_store_conf *,
                                     struct err *);
void topic_store_close(struct topic_store *);
const char *topic_store_name(const struct topic_store *);

/* Letters, digits, '.', '_' and '-', 1 to 200 of them, not first '.'. */
int topic_name_check(const char *name, struct err *);

/* --- writing ------------------------------------------------------------ */

/* Makes the topic where the store does that (log: does). */
struct topic_writer *topic_writer_open(struct topic_store *, const char *topic,
                                       struct err *);
void topic_writer_close(struct topic_writer *);

/* Fence older runs of these position keys and append the stored position. */
int topic_writer_own(struct topic_writer *, const char *run, struct slice name,
                     struct slice keys, struct buf *pos, struct err *);

/* The run has come to its end: commit all, and give up what was owned. */
int topic_writer_disown(struct topic_writer *, struct err *);

/* Nobody will bring the same again if we die: what is gathered need not wait
 * for its commit. */
void topic_writer_flow(struct topic_writer *);

/* Gather one event line (copied; its dpporigin left out). */
void topic_writer_add(struct topic_writer *, const struct event *);

/* The same for a line that has none, with its decoded key (NULL: no key). */
void topic_writer_add_line(struct topic_writer *, struct slice line,
                           struct slice key);

/* What is gathered after this waits for another cut. Bytes before it. */
size_t topic_writer_cut(struct topic_writer *);

/* Write what is gathered up to the last cut (all, without one) as one atomic
 * batch, with the position of name (both may be empty). 0; 1 there is no room:
 * try again (the error's text says why, empty: it is only busy); -1. */
int topic_writer_commit(struct topic_writer *, struct slice name,
                        struct slice pos, struct err *);

/* Forget what is gathered: it could not be committed. */
void topic_writer_drop(struct topic_writer *);

/* Commits count 1, 2, 3 …; all up to *ticket is durable. */
uint64_t topic_writer_ticket(const struct topic_writer *);
int topic_writer_synced(struct topic_writer *, uint64_t *ticket, struct err *);

/* For those who want to know where events came to stand: call the first before
 * any is gathered; from then on a commit without room is to be dropped. The
 * second gives the place of each event that topic_writer_synced() has told to
 * be durable, in their order, once; false: no more for now. */
void topic_writer_track(struct topic_writer *);
bool topic_writer_placed(struct topic_writer *, struct place *);

/* Readable when topic_writer_synced() has news; call it after so many
 * milliseconds all the same (-1: no need). */
int topic_writer_fd(const struct topic_writer *);
int topic_writer_due(const struct topic_writer *);
int topic_writer_sync(struct topic_writer *, struct err *);

/* No more will come in this run: what was committed, and is, becomes durable
 * as soon as can be. */
void topic_writer_hurry(struct topic_writer *);

/* --- reading ------------------------------------------------------------ */

struct topic_reader_conf {
    const char *const *topics;
    size_t n;
    const char *group; /* NULL: none */
    const char *from;  /* beginning, end, N, -N or a time; NULL: beginning */
    uint32_t partition_min;
    uint32_t partition_max; /* UINT32_MAX: all */
    bool stop_at_end;       /* the end as seen at the start */
};

struct topic_record {
    const char *topic;
    uint32_t partition;
    uint64_t offset;
    struct slice line; /* the event without dpporigin; until the next call */
};

struct topic_reader *topic_reader_open(struct topic_store *,
                                       const struct topic_reader_conf *,
                                       struct err *);
void topic_reader_close(struct topic_reader *);

/* With a group: give surplus partitions back, take a fair share, and list the
 * position keys that are owned now (may be none: a standby). */
int topic_reader_assign(struct topic_reader *, struct buf *keys, struct err *);

/* Go on from here: pos is what the sink keeps (empty: nothing), which wins
 * within the group's epoch. */
int topic_reader_start(struct topic_reader *, struct slice pos, struct err *);

/* 1 a record, 0 nothing now, -1. */
int topic_reader_next(struct topic_reader *, struct topic_record *,
                      struct err *);

/* True when stop_at_end was asked for and the end is reached. */
bool topic_reader_ended(const struct topic_reader *);

/* Append (unsealed) where each owned partition goes on, if it moved. */
void topic_reader_position(struct topic_reader *, struct buf *pos);

/* Store a position in the group. */
int topic_reader_commit(struct topic_reader *, struct slice pos, struct err *);

/* Each second: 1 when the group wants another assignment, 0, -1. And when it is
 * due, in so many milliseconds (-1: no need): a position is not stored yet. */
int topic_reader_unbalanced(struct topic_reader *, struct err *);
int topic_reader_due(const struct topic_reader *);

/* Events between the position and the end. */
uint64_t topic_reader_lag(const struct topic_reader *);

/* Descriptors that tell of new records; poll them for a second at most. */
size_t topic_reader_fds(const struct topic_reader *, struct pollfd *,
                        size_t max);
void topic_reader_woken(struct topic_reader *);

#endif
