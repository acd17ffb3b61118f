/* The file of subjects' keys as a head and slots for records, found by the
 * first bytes of a tag; dpp-seal(7) has the bytes, subjects.h what holds.
 *
 * Behind the head come levels of pages, each with twice as many as the one
 * before. A record is in the first level whose page for its tag had a slot that
 * was free. */
#ifndef VAULT_SLOTS_H
#define VAULT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum {
    SLOTS_PAGE = 4096,
    SLOTS_RECORD = 128,
    SLOTS_FREE = 0,
    SLOTS_KEY = 1,
    SLOTS_GONE = 2,
    SLOTS_TAG = 24, /* bytes of a tag */
    /* in the head */
    SLOTS_AT_ID = 16,
    SLOTS_AT_SYNCED = 32,
    SLOTS_AT_FORGOTTEN = 40,
    SLOTS_AT_RECORDS = 48,
    /* in a record */
    SLOTS_AT_NUMBER = 8,
    SLOTS_AT_TIME = 16,
    SLOTS_AT_KEY_ID = 24,
    SLOTS_AT_TAG = 32,
    SLOTS_AT_NONCE = 56,
    SLOTS_AT_SEALED = 80,
};

struct slots {
    char *dir;
    char *path;
    int fd;           /* -1: not open */
    const char *head; /* mapped; NULL: not open */
};

/* Beside the vault at path. Opens nothing. */
void slots_init(struct slots *, const char *path, const char *name);
void slots_release(struct slots *);

/* 0; 1: there is no such file, and it is not to be made; -1: 71, 74, 77, 78. */
int slots_open(struct slots *, bool make, struct err *);

/* flock(2). 71. */
int slots_lock(const struct slots *, int how, struct err *);
void slots_unlock(const struct slots *);

/* With the lock. 74. */
int slots_write(const struct slots *, const void *, size_t n, uint64_t at,
                struct err *);
int slots_set_head(const struct slots *, int at, uint64_t, struct err *);

/* Is it still the file of that path? 75. */
int slots_check_place(const struct slots *, struct err *);

/* A search for the records of one subject under one version. */
struct slots_probe {
    const unsigned char *tag;
    char page[SLOTS_PAGE];
    uint64_t page_at;
    int level;
    int next;    /* record of the page, or SLOTS_PAGE: another page */
    uint64_t at; /* where the one that was found lies, or the free one */
};

void slots_probe_init(struct slots_probe *, const unsigned char *tag);

/* 1: the next record with this tag; 0: there is none, and p->at is free; -1:
 * 74, 78. */
int slots_next(const struct slots *, struct slots_probe *, char **record,
               struct err *);

#endif
