/* Where a vault's key comes from; the first that applies:
 *
 *     -k REF            32 bytes, as file:PATH, cred:NAME or fd:N
 *     vault.key         in $CREDENTIALS_DIRECTORY
 *     the default file  ${XDG_CONFIG_HOME:-~/.config}/dpp/vault.key
 *     a passphrase      asked for at the terminal
 *
 * The vault itself says whether it has a passphrase or 32 bytes.
 *
 * A new default key is written beside the old one, as vault.key.new, before
 * the vault that it opens, and takes its place after it. So at any moment one
 * of the two opens the vault, and who finds that it is the second does the
 * rest (unlock_settle). */
#ifndef VAULT_UNLOCK_H
#define VAULT_UNLOCK_H

#include "vault/keys.h"

struct err;

/* 32 bytes from there. 77. */
int unlock_ref(const char *ref, struct safe *key, struct err *);

/* The default key, or with fresh the one beside it. 77: there is none. */
int unlock_default(bool fresh, struct safe *key, struct err *);

/* Is the default key a credential? It cannot be replaced then. */
bool unlock_is_credential(void);

/* Asks for the passphrase and stretches it. 77: no terminal. */
int unlock_ask(const struct keys_form *, bool twice, struct safe *key,
               struct err *);

/* The default file: is there one; write a key beside it; put that in its
 * place; remove it. */
bool unlock_exists(void);
int unlock_prepare(const struct safe *key, struct err *);
int unlock_settle(struct err *);
int unlock_remove(struct err *);

/* Its path; caller frees. */
char *unlock_path(void);

#endif
