/* Looking after topics and groups of a cluster. All calls wait for the answer,
 * 30 s at most. Statuses: 69 no broker or no such topic, 77 refused, 75. */
#ifndef KAFKA_ADMIN_H
#define KAFKA_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct kafka_admin;
struct kafka_client;
struct start;

struct kafka_admin *kafka_admin_open(const struct kafka_client *, struct err *);
void kafka_admin_close(struct kafka_admin *);

/* The cluster's id, NULL on an error. */
const char *kafka_admin_cluster(struct kafka_admin *, struct err *);

/* Topics that are not the cluster's own. */
typedef int kafka_topic_fn(void *, const char *topic, uint32_t partitions,
                           uint32_t replicas, struct err *);
int kafka_admin_topics(struct kafka_admin *, kafka_topic_fn *, void *,
                       struct err *);

/* 1, 0 there is none, -1. */
int kafka_admin_topic(struct kafka_admin *, const char *topic,
                      uint32_t *partitions, uint32_t *replicas, struct err *);

/* The oldest offset, and the one behind the newest. */
int kafka_admin_bounds(struct kafka_admin *, const char *topic, uint32_t,
                       uint64_t *begin, uint64_t *end, struct err *);

struct kafka_topic_conf {
    uint32_t partitions;
    uint32_t replicas;     /* 0: as the brokers have it */
    uint32_t min_in_sync;  /* the same */
    uint64_t retain_bytes; /* the same */
    uint64_t retain_ms;    /* the same */
    bool is_compacted;
};
int kafka_admin_create(struct kafka_admin *, const char *topic,
                       const struct kafka_topic_conf *, struct err *);
int kafka_admin_remove(struct kafka_admin *, const char *topic, struct err *);

/* A topic's settings as they are; 0: no limit. */
int kafka_admin_conf(struct kafka_admin *, const char *topic,
                     struct kafka_topic_conf *, struct err *);

typedef int kafka_group_fn(void *, const char *group, struct err *);
int kafka_admin_groups(struct kafka_admin *, kafka_group_fn *, void *,
                       struct err *);

/* A group's offsets, all of them, with their metadata. stable: wait until none
 * is part of an open transaction. */
typedef int kafka_offset_fn(void *, const char *topic, uint32_t partition,
                            uint64_t offset, struct slice metadata,
                            struct err *);
int kafka_admin_offsets(struct kafka_admin *, const char *group, bool stable,
                        kafka_offset_fn *, void *, struct err *);

/* Set offsets[p] for p < n; 75 while the group has members. */
int kafka_admin_set_offsets(struct kafka_admin *, const char *group,
                            const char *topic, const uint64_t *offsets,
                            uint32_t n, const char *metadata, struct err *);

/* Where to begin (kafka/place.h). */
int kafka_admin_find(struct kafka_admin *, const char *topic, uint32_t,
                     const struct start *, uint64_t *offset, struct err *);

#endif
