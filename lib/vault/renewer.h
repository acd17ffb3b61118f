/* A renewal beside us: "dpp-renew NAME" in a process of its own, which
 * may have the vault's key where we have that of one entry, and which outlives
 * us, because a renewal must not be cut off. What goes wrong it says itself,
 * on our standard error. */
#ifndef VAULT_RENEWER_H
#define VAULT_RENEWER_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* 71. */
int renewer_start(const char *entry, pid_t *pid, struct err *);

/* Its exit status when it has ended; -1: it still runs. wait: until then. */
int renewer_ended(pid_t, bool wait);

#endif
