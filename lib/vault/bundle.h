/* A bundle: entries of a vault on their way to another one, sealed under a key
 * of their own. It has the form of a vault (format.h) with an id of its own;
 * nothing remembers having seen it. */
#ifndef VAULT_BUNDLE_H
#define VAULT_BUNDLE_H

#include "vault/vault.h"

struct err;

/* All entries, as bytes. */
int bundle_write(const struct vault *, const struct vault_key *,
                 struct buf *out, struct err *);

/* The entries of a bundle into the vault, in memory. 77: the key does not fit;
 * 78: damaged, or the vault has an entry of such a name and replace is false.
 */
int bundle_merge(struct vault *, struct slice bundle, const struct safe *key,
                 bool replace, struct err *);

/* The key of a bundle, by reference or, with NULL, its passphrase, which is
 * asked for. 64, 77, 78. */
int bundle_key(struct slice bundle, const char *ref, struct safe *key,
               struct err *);

#endif
