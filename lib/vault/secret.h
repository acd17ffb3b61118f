/* Secrets by reference, as -k takes them; never from argv or the environment.
 *
 *     vault:NAME[.FIELD]   an entry of the vault, or one field of it
 *     file:PATH            a regular file of ours (or root's) that nobody else
 *                          may read
 *     cred:NAME            $CREDENTIALS_DIRECTORY/NAME, from systemd
 *     fd:N                 an inherited descriptor, read to its end and closed
 *
 * One line end behind a secret from outside the vault is not part of it. A
 * secret is at most 64 KiB and not empty.
 *
 * The key of an entry is the one that was handed to this program (grant.h), if
 * any was; else it is made from the vault's key, which is wiped again at once.
 * In either case this program then holds the key of that entry, and nothing
 * that opens another one. */
#ifndef VAULT_SECRET_H
#define VAULT_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "vault/safe.h"

struct err;
struct kind;
struct secret;

enum { SECRET_MAX = 64 * 1024 };

/* Looks at the reference only. STATUS_USAGE. */
int secret_check(const char *ref, struct err *);

/* The value that holds now, into out. STATUS_USAGE for a reference that is
 * none, STATUS_REFUSED for one that cannot be read. */
int secret_read(const char *ref, struct safe *out, struct err *);

/* One that stays in use while it may change. The reference is copied. */
struct secret *secret_new(const char *ref);
void secret_free(struct secret *);

/* Read it (again); on an error what was there stays. What came through a
 * descriptor is read once. */
int secret_load(struct secret *, struct err *);

/* An access token (kind oauth2) is renewed before its end, as long as
 * secret_is_stale() is asked, by a process beside us; the change is noticed as
 * any other. _refused: who it is for has refused it, so it is renewed now (at
 * most once a minute). _waits: it has ended, and is being renewed: who can wait
 * should. _is_renewing: ask secret_is_stale() again soon. */
void secret_refused(struct secret *);
bool secret_waits(const struct secret *);
bool secret_is_renewing(const struct secret *);

/* Has the vault changed since? It looks at most once a second, so it may be
 * asked often. Never, for a secret that is not from the vault. */
bool secret_is_stale(struct secret *);

/* The current value; and all that hold, the current one first: of version
 * i < secret_versions(), *until_ms is when it ends, 0 if it does not. Valid
 * until the next load. */
struct slice secret_value(const struct secret *);
size_t secret_versions(const struct secret *);
struct slice secret_version(const struct secret *, size_t i,
                            uint64_t *until_ms);

const char *secret_ref(const struct secret *);

/* Of an entry of the vault that was read: what kind it is; has its file
 * changed since, which costs a stat(2)? */
const struct kind *secret_kind(const struct secret *);
bool secret_has_changed(const struct secret *);

/* The entry that such a reference names, into name (FORMAT_NAME_MAX + 1
 * bytes); false if it is no reference to the vault. */
bool secret_entry(const char *ref, char *name);

#endif
