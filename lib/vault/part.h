/* For the parts of the vault: vault.c opens and reads it, change.c writes it.
 */
#ifndef VAULT_PART_H
#define VAULT_PART_H

#include "vault/vault.h"

struct vault {
    char *path;
    int lock;         /* -1: none could be had; nobody can write then */
    bool change;      /* it is ours alone */
    bool default_key; /* the default file is this vault's, to be replaced */
    struct safe key;
    struct safe list_key;
    struct buf bytes; /* what format points into */
    struct format format;
};

struct vault *vault_make(const char *path, bool change);

/* Alone, or with other readers. Where nobody can make the lock, nobody can
 * write the vault either: a reader goes without. 71, 77. */
int vault_lock(struct vault *, struct err *);

#endif
