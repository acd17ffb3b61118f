/* A secret as a credential of systemd: sealed by systemd-creds(1), for this
 * machine alone, and printed as the line that a unit takes. */
#ifndef VAULT_CREDS_H
#define VAULT_CREDS_H

#include "vault/safe.h"

struct err;

/* Appends "SetCredentialEncrypted=NAME: ..." and a line end. 71: there is no
 * systemd-creds; 77: it refused, and said why on standard error. */
int creds_seal(const char *name, const struct safe *value, struct buf *out,
               struct err *);

#endif
