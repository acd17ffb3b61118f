/* Asking at the terminal, /dev/tty and nothing else, without an echo. */
#ifndef VAULT_TTY_H
#define VAULT_TTY_H

#include "vault/safe.h"

struct err;

/* One line, not empty, without its end. twice: asked again, until both are the
 * same. 77 where there is no terminal; what says then, in words, what was to
 * be asked ("the passphrase"). */
int tty_ask(const char *what, bool twice, struct safe *out, struct err *);

#endif
