/* Looking after topics: what dpp-topic does. */
#ifndef TOPIC_ADMIN_H
#define TOPIC_ADMIN_H

#include <stdint.h>

#include "base/buf.h"

struct err;
struct topic_store;

struct topic_conf {
    uint64_t partitions;
    uint64_t replicas;     /* 0: as the store has it; log: has one */
    uint64_t min_in_sync;  /* the same */
    uint64_t retain_bytes; /* 0: no limit */
    uint64_t retain_ms;
    uint64_t group_expiry_ms; /* of groups without a member; 0: a week */
};

struct topic_info {
    struct topic_conf conf;
    char id[33];
    uint64_t begin; /* oldest offset */
    uint64_t end;   /* behind the newest */
    uint64_t bytes;
    uint64_t segments;
};

typedef void topic_show_fn(void *, const char *topic,
                           const struct topic_info *);

/* A group's position in one partition; has_offset false: none yet. */
struct topic_group_pos {
    const char *group;
    uint32_t partition;
    int has_offset;
    uint64_t offset;
    uint64_t end;
    struct slice owner; /* who keeps it exactly once; empty: nobody */
};
typedef void topic_group_fn(void *, const struct topic_group_pos *);
typedef void topic_fault_fn(void *, const char *line);

int topic_list(struct topic_store *, topic_show_fn *, void *, struct err *);
int topic_create(struct topic_store *, const char *topic,
                 const struct topic_conf *, struct err *);
int topic_show(struct topic_store *, const char *topic, struct topic_info *,
               struct err *);
int topic_groups(struct topic_store *, const char *topic, topic_group_fn *,
                 void *, struct err *);

/* Moves a group to `from` (NULL: the beginning) and tells the offset. */
int topic_reset(struct topic_store *, const char *topic, const char *group,
                const char *from, uint64_t *offset, struct err *);

/* The number of faults. */
int topic_verify(struct topic_store *, const char *topic, topic_fault_fn *fn,
                 void *arg, uint64_t *records, struct err *);
int topic_remove(struct topic_store *, const char *topic, struct err *);

#endif
