/* Fencing: which run owns which (name, position key).
 *
 * The list is a file, replaced whole under the append lock; a counter in the
 * shared state tells everyone that it changed. It lives as long as the boot
 * does: no process that was fenced survives it. */
#ifndef LOG_OWNERS_H
#define LOG_OWNERS_H

#include "base/map.h"
#include "log/shared.h"

struct owners {
    uint64_t version;
    struct map run_of; /* name TAB key → run, as text */
};

void owners_init(struct owners *);
void owners_release(struct owners *);

/* All under the append lock. */

/* Make run the owner of each of these keys. */
int owners_claim(struct owners *, const struct shared *, const char *run,
                 struct slice name, struct slice keys, struct err *);

/* 78 if another run owns one of the keys of pos. */
int owners_check(struct owners *, const struct shared *, const char *run,
                 struct slice name, struct slice pos, struct err *);

#endif
