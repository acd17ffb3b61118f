/* Where a secret or a key is read from, other than the vault:
 *
 *     file:PATH   a regular file of ours (or root's) that nobody else may read
 *     cred:NAME   $CREDENTIALS_DIRECTORY/NAME, as systemd passes credentials
 *     fd:N        an inherited descriptor, read to its end and closed */
#ifndef VAULT_REF_H
#define VAULT_REF_H

#include <stdbool.h>

#include "vault/safe.h"

struct err;

enum { REF_MAX = 64 * 1024 };

/* What stands behind the prefix, or NULL if it is not this one, or bare. */
const char *ref_after(const char *ref, const char *prefix);

/* Looks at the text only. */
bool ref_is_good(const char *ref);

/* All its bytes, 1 to REF_MAX, into out. 77 for what others may read or that
 * cannot be opened. */
int ref_read(const char *ref, struct safe *out, struct err *);

/* Open for reading. strict: no symbolic link, ours and not root's. what is
 * said before the path in errors; 77. */
int ref_open(const char *what, const char *path, bool strict, struct err *);

/* The whole of a descriptor, at most max bytes; name is for errors. */
int ref_read_fd(int fd, const char *name, size_t max, struct safe *out,
                struct err *);

#endif
