/* The highest generation of a vault that was seen here, so that an older file
 * put in its place is noticed: $XDG_STATE_HOME/dpp/vault-ID.seen.
 *
 * It lies apart from the vault, as a backup of the one does not bring back the
 * other. Its proof is made with the list key; while a vault gets a new key it
 * holds two, one for each, so that it fits whichever file a crash leaves. */
#ifndef VAULT_SEEN_H
#define VAULT_SEEN_H

#include <stdint.h>

#include "vault/safe.h"

struct err;

/* The generation, 0 if there is no such file. 78: it is not of this key. */
int seen_read(const unsigned char *id, const struct safe *list_key,
              uint64_t *generation, struct err *);

/* other: a second list key, or NULL. Hold the vault's lock. */
int seen_write(const unsigned char *id, uint64_t generation,
               const struct safe *list_key, const struct safe *other,
               struct err *);

/* Caller frees. */
char *seen_path(const unsigned char *id);

#endif
