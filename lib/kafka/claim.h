/* The positions of one segment in the cluster, and who owns them. */
#ifndef KAFKA_CLAIM_H
#define KAFKA_CLAIM_H

#include "base/buf.h"
#include "kafka/handle.h"

enum { KAFKA_ID = 96, KAFKA_OWNERS = 64 };

/* The topic of cursors. */
extern const char kafka_cursors[];

/* One position key. */
struct kafka_claim {
    char *key;
    char *group;
    char *topic;
    int32_t partition;
    bool cursor; /* its value is a text, not an offset */
    bool stored; /* the cluster knows it, if only by its owner */
    bool known;  /* it has a position */
    bool dirty;  /* not committed yet */
    uint64_t offset;
    uint64_t epoch;
    struct buf text;
    char owner[KAFKA_ID]; /* as it was read; "" nobody */
    char first[KAFKA_ID]; /* as it was read first */
};

struct kafka_claims {
    struct kafka_claim *v;
    size_t n;
};

/* One for each key; cluster is our own. */
void kafka_claims_init(struct kafka_claims *, struct slice name,
                       struct slice keys, const char *cluster);
void kafka_claims_release(struct kafka_claims *);

struct kafka_admin;

/* Read them, waiting until no transaction of anybody holds them. */
int kafka_claims_read(struct kafka_claims *, struct kafka_admin *,
                      struct err *);

/* The same without waiting: who seems to own them. */
int kafka_claims_peek(struct kafka_claims *, struct kafka_admin *,
                      struct err *);

/* 1: one owner has all of these as they were read, and nothing else; into
 * owner. 0, -1. */
int kafka_claims_sole_owner(const struct kafka_claims *, struct kafka_admin *,
                            char owner[KAFKA_ID], struct err *);

/* The first owner who is neither self nor among the n of fenced, or NULL. */
const char *kafka_claims_other(const struct kafka_claims *, const char *self,
                               char (*fenced)[KAFKA_ID], size_t n);

/* After the first reading (again: false), and after each that follows: 78 if
 * somebody else has claimed one of them since. */
int kafka_claims_check(struct kafka_claims *, const char *self, bool again,
                       struct err *);

/* A position of the stream: remembered, to be committed. */
int kafka_claims_take(struct kafka_claims *, struct slice pos, struct err *);

/* Append the position as hi carries it. */
void kafka_claims_position(const struct kafka_claims *, struct buf *pos);

/* Into the open transaction of rk: those that moved, or all. owner: who has
 * them from then on. -1 with the library's own error in *error. */
int kafka_claims_send(struct kafka_claims *, rd_kafka_t *rk, const char *owner,
                      bool all, rd_kafka_error_t **error);
void kafka_claims_sent(struct kafka_claims *);

#endif
