#include "vault/safe.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/msg.h"

/* Of the whole process, as what it stands for is. */
static bool warned;

static bool can_lock(void)
{
    void *page = sodium_malloc(1);
    const bool good = page != NULL && sodium_mlock(page, 1) == 0;

    sodium_free(page);
    return good;
}

int safe_init(bool must_lock, struct err *e)
{
    const struct rlimit none = {0, 0};

    if (sodium_init() < 0) {
        return err_set(e, STATUS_SYSTEM, "libsodium does not start");
    }
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0) {
        return err_errno(e, STATUS_SYSTEM, "no core dumps");
    }
    if ((must_lock || !warned) && !can_lock()) {
        if (must_lock) {
            return err_set(e, STATUS_REFUSED,
                           "memory cannot be locked, secrets could reach the "
                           "swap: raise the limit (ulimit -l, LimitMEMLOCK=)");
        }
        msg_warn("memory cannot be locked (ulimit -l): secrets could reach "
                 "the swap");
        warned = true;
    }
    return 0;
}

void safe_new(struct safe *s, size_t n)
{
    s->p = sodium_init() < 0 ? NULL : sodium_malloc(n);
    s->n = n;
    if (s->p == NULL) {
        msg_error("no memory for a secret");
        exit(STATUS_SYSTEM);
    }
    sodium_memzero(s->p, n);
}

void safe_copy(struct safe *s, const void *p, size_t n)
{
    safe_new(s, n);
    if (n > 0) {
        memcpy(s->p, p, n);
    }
}

void safe_release(struct safe *s)
{
    sodium_free(s->p); /* wipes it */
    *s = (struct safe){0};
}

void safe_cut(struct safe *s, size_t from, size_t n)
{
    struct safe shorter;

    if (from > 0 || n < s->n) {
        safe_copy(&shorter, s->p + from, n);
        safe_release(s);
        *s = shorter;
    }
}

void safe_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

bool safe_equal(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}
