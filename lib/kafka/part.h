/* The partitions a reader knows, for the files of this folder. */
#ifndef KAFKA_PART_H
#define KAFKA_PART_H

#include "base/err.h"
#include "kafka/handle.h"
#include "kafka/reader.h"
#include "kafka/stall.h"

enum { KAFKA_BATCH = 1000, KAFKA_KEY = 300 };

struct kafka_part {
    bool owned;
    bool active; /* started: records are given out */
    bool kept;   /* its position is kept by the sink in our group */
    bool fresh;  /* the group has no position of it yet */
    bool ended;
    uint64_t epoch;
    uint64_t next;     /* where it goes on */
    uint64_t pulled;   /* behind the last record that came since the start */
    uint64_t reported; /* in the last position */
    uint64_t stop_at;
    uint64_t done;            /* receipted */
    uint64_t stored;          /* in the group, as far as we know */
    uint64_t end;             /* 1 + where it ends for us, as the brokers say */
    uint64_t stood;           /* where it was when it was last looked at, */
    struct kafka_stall stall; /* and since when it is there */
};

struct kafka_topic {
    char *name;
    struct kafka_part *part;
    uint32_t partitions;
};

struct kafka_reader {
    struct kafka_handle h;
    rd_kafka_queue_t *records; /* apart from the group's events, which must be
                                  served however long nobody takes a record */
    struct kafka_topic *v;
    size_t n;
    char *group;
    struct start start;
    size_t space;
    uint32_t partition_min;
    uint32_t partition_max;
    bool stop_at_end;
    bool joined;
    bool leaving;
    rd_kafka_topic_partition_list_t *grant;  /* what the group gives, */
    rd_kafka_topic_partition_list_t *revoke; /* and wants back: to do */
    bool committing;
    uint64_t committed_us;
    rd_kafka_message_t *batch[KAFKA_BATCH];
    size_t got;
    size_t at;
    size_t stale;      /* those before came before the start */
    uint64_t empty_us; /* when there was nothing, the last time */
    uint64_t watched_us;
    uint64_t held_us;  /* when we warned of an open transaction */
    struct err damage; /* what is behind what was given out */
    uint64_t damaged_us;
    struct header *headers;
    size_t headers_cap;
};

/* NULL where we know no such partition. */
struct kafka_part *kafka_part_find(struct kafka_reader *, const char *topic,
                                   int32_t partition);

/* Its records go to our own queue, before the first of them can come. */
void kafka_part_route(struct kafka_reader *, const char *topic,
                      int32_t partition);

/* --- positions (kafka/position.c) ----------------------------------------- */

/* The key of its position. */
void kafka_part_key(const struct kafka_reader *, const struct kafka_topic *,
                    uint32_t partition, char out[KAFKA_KEY]);

/* It goes on from pos, if that has a place of it; added to the list if the
 * library has to be told. */
int kafka_part_start(struct kafka_reader *, struct kafka_topic *,
                     uint32_t partition, struct slice pos,
                     rd_kafka_topic_partition_list_t *, struct err *);

/* --- trouble (kafka/trouble.c) -------------------------------------------- */

/* A message that is an error: 0 no trouble, or one that is told by
 * kafka_trouble_watch() when what came before it is dealt with; -1. */
int kafka_trouble_take(struct kafka_reader *, const rd_kafka_message_t *,
                       struct err *);

/* A record whose offset is not behind that of the one before. */
void kafka_trouble_backward(struct kafka_reader *, const rd_kafka_message_t *);

/* Looks once a second. -1: 74 damage was met; it warns where nothing comes. */
int kafka_trouble_watch(struct kafka_reader *, struct err *);

/* --- the group (kafka/group.c) ------------------------------------------- */

/* Serve what the group says; fills in grant and revoke. */
int kafka_group_serve(struct kafka_reader *, int timeout_ms, struct err *);

/* Subscribe, and wait for a first assignment, some time. */
int kafka_group_join(struct kafka_reader *, struct err *);

/* Do what grant and revoke say. */
int kafka_group_settle(struct kafka_reader *, struct err *);

/* Store what is receipted: with wait, all of it, else as it suits. */
int kafka_group_store(struct kafka_reader *, bool wait, struct err *);
int kafka_group_due(const struct kafka_reader *);
void kafka_group_leave(struct kafka_reader *);

#endif
