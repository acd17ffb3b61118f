/* The entries of a vault as a table for people: names and times, no values. */
#ifndef VAULT_SHOW_H
#define VAULT_SHOW_H

#include <stdio.h>

#include "vault/vault.h"

void show_entries(const struct vault *, FILE *);

#endif
