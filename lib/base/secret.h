/* Secrets by reference, as -k takes them; never from argv or the environment.
 *
 *     file:PATH   a regular file of ours (or root's) that nobody else may read
 *     cred:NAME   $CREDENTIALS_DIRECTORY/NAME, as systemd passes credentials
 *     fd:N        an inherited descriptor, read to its end and closed
 *
 * One line end behind the secret is not part of it. A secret is at most 64 KiB
 * and not empty. Its bytes are wiped by secret_release(). */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"

struct err;

enum { SECRET_MAX = 64 * 1024 };

/* Looks at the reference only. STATUS_USAGE. */
int secret_check(const char *ref, struct err *);

/* Into out, which is empty. STATUS_USAGE for a reference that is none,
 * STATUS_REFUSED for a file that others may read or that cannot be opened. */
int secret_read(const char *ref, struct buf *out, struct err *);

void secret_release(struct buf *);

#endif
