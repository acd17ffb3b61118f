/* The keys of subjects: one for each, random, so that what is sealed for one of
 * them is lost when its key is, wherever copies of it lie.
 *
 * There may be millions, and new ones all the time, so they are not entries of
 * the vault, which is one file that is written anew for each change. They lie
 * beside it in PATH.subjects/NAME, a hash table on the disk that only grows,
 * each sealed under the entry NAME of the vault, in a place that never moves;
 * dpp-seal(7) has the bytes. Who the subjects are does not show in it.
 *
 * What holds
 *
 *   1. A record is 128 bytes within one sector, written by one call: it is
 *      there or not, a key or forgotten, and never half. One that does not open
 *      (a cut of the power, other hands) counts as none.
 *   2. A record is free, then a key, then forgotten, and stays where it is. To
 *      forget overwrites the sealed key in its place, so that no other copy of
 *      it is in this file.
 *   3. Pages fill from their front, levels from the first: a search ends at the
 *      first free record.
 *   4. No event leaves a stage before the key that it is sealed with is on the
 *      disk: a record whose number is above `synced` makes whoever seals with
 *      it sync the file first (subjects_sync), many with one call.
 *   5. Two that write hold the file's lock. Readers hold none, and look once
 *      more with it before they say that something is not there.
 *   6. `forgotten` counts in the mapped head: whoever keeps keys throws them
 *      away when it has changed.
 *
 * Killed between any two of its steps, making a key leaves a record that is
 * used the next time; to forget leaves the key, or none. A subject that was
 * forgotten gets another key when it comes again. */
#ifndef VAULT_SUBJECTS_H
#define VAULT_SUBJECTS_H

#include "vault/keys.h"

struct err;
struct subjects;

enum { SUBJECTS_ID = 8, SUBJECTS_TAG = 24 };

/* What a version of the entry gives: the key that seals those of subjects, and
 * the one that hides who they are. */
struct subjects_version {
    struct safe wrap;
    struct safe tag;
};

void subjects_version_make(struct subjects_version *, const struct safe *);
void subjects_version_release(struct subjects_version *);

/* A subject's name in the file. */
void subjects_tag(const struct subjects_version *, struct slice subject,
                  unsigned char tag[SUBJECTS_TAG]);

/* Of the vault at path. Opens nothing yet. */
struct subjects *subjects_new(const char *path, const char *name);
void subjects_free(struct subjects *);

/* How often something was forgotten. */
uint64_t subjects_forgotten(const struct subjects *);

struct subjects_found {
    char id[SUBJECTS_ID]; /* of the key, which is in secret */
    uint64_t number;      /* of the record */
    struct safe secret;   /* KEYS_BYTES of the caller's */
};

enum { SUBJECTS_NONE, SUBJECTS_KEY, SUBJECTS_GONE };

/* The key of a subject with this id (KEY), or that it was forgotten (GONE), or
 * NONE. 71, 74, 77, 78. */
int subjects_find(struct subjects *, const struct subjects_version *, size_t n,
                  struct slice subject, const char *id, struct subjects_found *,
                  struct err *);

/* A key to seal for a subject with, made if there is none. */
int subjects_key(struct subjects *, const struct subjects_version *, size_t n,
                 struct slice subject, struct subjects_found *, struct err *);

/* The record of this number is used to seal: it must be on the disk. */
void subjects_use(struct subjects *, uint64_t number);

/* Before anything leaves. 74; 75: another file has taken this one's place. */
int subjects_sync(struct subjects *, struct err *);

/* On the disk when it returns. keys: how many there were; gone: and were before
 * already. */
int subjects_forget(struct subjects *, const struct subjects_version *,
                    size_t n, struct slice subject, size_t *keys, size_t *gone,
                    struct err *);

/* All of them, with the entry. */
void subjects_remove(const char *path, const char *name);

#endif
