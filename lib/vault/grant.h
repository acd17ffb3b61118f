/* What a program gets to open its entries of the vault, and no other: their
 * names, keys and counters.
 *
 * dpp-run hands it to a stage as a sealed memfd whose number stands in
 * $DPP_VAULT_FD; "dpp-vault grant NAME" writes the same bytes, for that or for
 * $CREDENTIALS_DIRECTORY/vault.NAME. dpp-vault(5) has the layout. */
#ifndef VAULT_GRANT_H
#define VAULT_GRANT_H

#include "vault/vault.h"

struct err;

enum { GRANT_ENTRIES_MAX = 64 };

struct grant {
    unsigned char id[KEYS_ID]; /* the vault's */
    char name[FORMAT_NAME_MAX + 1];
    uint64_t counter; /* the highest of the entry that was seen */
    struct safe key;
};

void grant_release(struct grant *);

/* From the vault. 77: no such entry. */
int grant_make(struct grant *, const struct vault *, const char *name,
               struct err *);

/* n of them, of one vault, as bytes; and one of them out of such bytes: 0, or
 * 1 if it is not in there, or -1 (77). */
void grant_pack(const struct grant *, size_t n, struct safe *out);
int grant_unpack(struct grant *, const struct safe *bytes, const char *name,
                 struct err *);

/* The bytes as a memfd that nobody can change any more, close-on-exec, and
 * locked into memory as long as this process runs, where it may. 71. */
int grant_memfd(const struct safe *bytes, struct err *);

/* The one that was handed to this process, by $DPP_VAULT_FD or as a
 * credential. 0; 1: nothing was handed; -1 (77): something, but not this. */
int grant_handed(struct grant *, const char *name, struct err *);

/* The entry's value out of the vault at path, by the grant alone. Its counter
 * may not be lower than the grant's, which rises to it. 77, 78. */
int grant_open(struct grant *, const char *path, struct value *,
               uint64_t *expires_ms, struct err *);

#endif
