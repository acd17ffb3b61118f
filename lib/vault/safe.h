/* Memory for secrets: between guard pages, locked into memory, in no core
 * dump, and wiped when it is given back (libsodium's sodium_malloc).
 *
 * Nothing prints a struct safe, and nothing but this folder and whoever uses
 * the secret looks into it. It costs three pages and some calls: it is for
 * secrets, not for buffers. */
#ifndef VAULT_SAFE_H
#define VAULT_SAFE_H

#include <stdbool.h>

#include "base/buf.h"

struct err;

struct safe {
    unsigned char *p;
    size_t n;
};

/* Before the first secret, in every program that holds one; more often does no
 * harm. No core dumps, and no other process of ours may look into this one
 * (PR_SET_DUMPABLE). Where memory cannot be locked (RLIMIT_MEMLOCK is 0), a
 * warning, once; 77 if must_lock. */
int safe_init(bool must_lock, struct err *);

/* Zeroed. What was there before is not given back. */
void safe_new(struct safe *, size_t n);
void safe_copy(struct safe *, const void *, size_t n);

/* Wiped and empty; an empty one is fine. */
void safe_release(struct safe *);

/* A shorter one, of n of the bytes from `from` on. */
void safe_cut(struct safe *, size_t from, size_t n);

static inline struct slice safe_slice(const struct safe *s)
{
    return (struct slice){(const char *)s->p, s->n};
}

/* Wipes memory of any kind. */
void safe_wipe(void *, size_t n);

/* Takes no shorter for bytes that differ early. */
bool safe_equal(const void *, const void *, size_t n);

#endif
