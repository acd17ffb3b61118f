/* A key of the vault in all its versions, for sealing what passes by.
 *
 * What is sealed with is not the version's secret itself but a key that is
 * made from it, and it is named by an id that is made from it as well
 * (dpp-seal(7)): whoever holds the version finds out by the id that it is the
 * right one, and nobody else learns anything from it.
 *
 * An entry of the kind "subjects" seals with a key for each subject instead
 * (subjects.h), which the entry's versions seal. */
#ifndef VAULT_RING_H
#define VAULT_RING_H

#include "vault/keys.h"

struct err;
struct ring;

enum { RING_ID = 8, RING_CACHE = 256 };

struct ring_key {
    unsigned char id[RING_ID];
    struct safe key;
};

/* Looks at the reference only: vault:NAME and nothing else. 64. */
int ring_check(const char *ref, struct err *);

/* 64, 77; 78: the entry is no key. */
struct ring *ring_open(const char *ref, struct err *);
void ring_close(struct ring *);

/* The entry's name. */
struct slice ring_name(const struct ring *);

/* Has it a key for each subject? */
bool ring_has_subjects(const struct ring *);

/* The version that seals; rotations are noticed within a second. */
const struct ring_key *ring_current(struct ring *);

/* The version of this id, after another look into the vault if it is not here;
 * NULL: the vault does not hold it. Valid until the next call. */
const struct ring_key *ring_find(struct ring *, const char *id);

/* The same for a subject's key: to seal, made if there is none; and of an id.
 * 71, 74, 77, 78. */
enum ring_found { RING_NONE, RING_KEY, RING_FORGOTTEN, RING_FAILED };
const struct ring_key *ring_subject(struct ring *, struct slice subject,
                                    struct err *);
enum ring_found ring_find_subject(struct ring *, struct slice subject,
                                  const char *id, const struct ring_key **,
                                  struct err *);

/* Before what was sealed leaves: keys that were made are on the disk then. 74,
 * 75. */
int ring_sync(struct ring *, struct err *);

/* 24 bytes that never came before. */
const unsigned char *ring_nonce(struct ring *);

#endif
