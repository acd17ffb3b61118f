/* Reading topics of a cluster, as a member of a group or alone.
 *
 * A position is "OFFSET@EPOCH" under the key "TOPIC/PARTITION@CLUSTER" (the
 * first eight characters of the cluster's id, so that a sink knows whether it
 * is of its own cluster). The epoch is raised when the group is reset; it
 * stands in the metadata of the group's offset. A value with '!' behind it is
 * kept by the sink in the group itself, which the reader then leaves alone. */
#ifndef KAFKA_READER_H
#define KAFKA_READER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "kafka/record.h"
#include "record/start.h"

struct err;
struct kafka_client;
struct kafka_reader;

enum { KAFKA_CLUSTER = 8 };

struct kafka_reader_conf {
    const char *const *topics;
    size_t n;
    const char *group; /* NULL: none */
    size_t space;      /* how much of these names a user does not write */
    struct start start;
    uint32_t partition_min;
    uint32_t partition_max;
    bool stop_at_end;
};

struct kafka_reader_record {
    const char *topic;
    uint32_t partition;
    uint64_t offset;
    struct kafka_record record; /* until the next call */
};

/* 69 no broker, or *unknown is set: a topic that is not there; 77. */
struct kafka_reader *kafka_reader_open(const struct kafka_client *,
                                       const struct kafka_reader_conf *,
                                       const char **unknown, struct err *);
void kafka_reader_close(struct kafka_reader *);

/* With a group: give back what it wants back (its positions are stored), take
 * what it gives, and list the position keys that are owned now. The first call
 * waits for the group. */
int kafka_reader_assign(struct kafka_reader *, struct buf *keys, struct err *);

/* Go on from here: a position of the sink wins within its epoch, then the
 * group's, then the start. */
int kafka_reader_start(struct kafka_reader *, struct slice pos, struct err *);

/* 1 a record, 0 nothing now, -1: 78 where a position's records are gone. */
int kafka_reader_next(struct kafka_reader *, struct kafka_reader_record *,
                      struct err *);
bool kafka_reader_ended(const struct kafka_reader *);

/* Append where each owned partition goes on, if it moved. */
void kafka_reader_position(struct kafka_reader *, struct buf *pos);
int kafka_reader_commit(struct kafka_reader *, struct slice pos, struct err *);

/* Call at least once a second, whatever holds the reader up: this is what
 * keeps it in its group. 1: the group wants another assignment; -1: 75 it was
 * lost, 74 damage was met, and what came before it is dealt with. */
int kafka_reader_unbalanced(struct kafka_reader *, struct err *);

/* In so many milliseconds it should be called, for a position that is not
 * stored yet; -1: none. */
int kafka_reader_due(const struct kafka_reader *);
uint64_t kafka_reader_lag(const struct kafka_reader *);
size_t kafka_reader_fds(const struct kafka_reader *, struct pollfd *,
                        size_t max);
void kafka_reader_woken(struct kafka_reader *);

#endif
