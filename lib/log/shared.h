/* One topic as one object (a writer, a reader, …) of this process sees it:
 * where its files are, its locks, and the state shared with all others. */
#ifndef LOG_SHARED_H
#define LOG_SHARED_H

#include "log/cipher.h"
#include "log/log.h"
#include "log/segment.h"
#include "log/state.h"

struct secret;

struct log {
    char *dir;
    struct cipher keys;
    uint64_t keys_serial;   /* counts their changes */
    struct secret **secret; /* that they come from */
    size_t secrets;
};

/* Bytes of the lock file. Order: append, then sync. */
enum {
    LOCK_APPEND = 0,  /* who may write the log, the owners, the segments */
    LOCK_SYNC = 1,    /* who syncs for all */
    LOCK_PRESENT = 2, /* shared: has the topic open; alone: may recover it */
    LOCK_RETAIN = 3,  /* who deletes old segments */
};

struct shared {
    char *topic;
    char *store; /* DIR */
    char *dir;   /* DIR/topics/T */
    char *run;   /* DIR/run/topics/T */
    struct log_topic meta;
    struct log *log;
    struct cipher cipher;
    uint64_t cipher_serial; /* of the keys it was made from */
    bool is_ours;           /* one of the keys was right for a segment */
    int lock;
    int wake; /* the file that readers watch */
    struct state *state;
};

#define SHARED_NONE ((struct shared){.lock = -1, .wake = -1})

/* 69 where there is no such topic. Recovers it if nobody has it open and the
 * state is not of this boot (recover.h). */
int shared_open(struct shared *, struct log *, const char *topic, struct err *);
void shared_close(struct shared *);

/* Both always succeed after shared_open(). */
void shared_appended(const struct shared *, struct mark *);
void shared_synced(const struct shared *, struct mark *);

/* Open the segment with the greatest base that is not above offset. 1, 0 if
 * offset lies before the oldest, -1. */
int shared_segment(const struct shared *, uint64_t offset, struct segment *,
                   struct err *);

/* The keys as the vault has them now, if it has changed: looked at once a
 * second, or at once. What is derived from them is older then. */
void log_keys_renew(struct log *, bool at_once);
void log_keys_release(struct log *);

/* Before records are encrypted: s->cipher as of now. */
void shared_renew_keys(struct shared *, bool at_once);

/* The key of a segment, NULL if it is not encrypted. 77: it is none of those
 * that are known; 75 if another one was right before: it was rotated since. */
int shared_key(struct shared *, const struct segment *,
               const struct cipher_key **, struct err *);

/* The same of the present segment. */
int shared_check_key(struct shared *, struct err *);

/* DIR/KIND/NAME, for whoever knows no topic; caller frees. */
char *store_path(struct log *, const char *kind, const char *name);
int store_name_check(const char *what, const char *name, struct err *);

#endif
