/* What kinds of credentials there are, as one table: their fields, how each is
 * checked, and which of them "vault:NAME" stands for.
 *
 * A kind of one field is entered as that field's bytes, without one line end
 * behind them; the others as a JSON object of texts. A key is 32 bytes as they
 * are, 64 hex digits, or the word "random", which makes one here. */
#ifndef VAULT_KIND_H
#define VAULT_KIND_H

#include <stdint.h>

#include "vault/safe.h"

struct err;

enum {
    KIND_FIELDS = 6,
    KIND_FIELD_MAX = 64 * 1024,
    KIND_SHORT_MAX = 8 * 1024,
};

enum { KIND_SUBJECTS = 9 }; /* the code of what seals keys of subjects */

enum kind_check {
    KIND_BYTES,     /* anything */
    KIND_TEXT,      /* no control characters */
    KIND_USER,      /* nor a colon */
    KIND_MECHANISM, /* of SASL */
    KIND_PEM,       /* a private key */
    KIND_KEY,       /* 32 bytes; a kind of one field only */
    KIND_URL,       /* that secrets may be sent to */
    KIND_SHORT,     /* text, KIND_SHORT_MAX bytes */
    KIND_OWN,       /* the same, but never entered: dpp's own notes */
};

struct kind_field {
    const char *name; /* NULL ends the list */
    enum kind_check check;
    bool optional;
};

struct kind {
    uint8_t code; /* in the file, for ever */
    const char *name;
    const char *main; /* fields with ':' between */
    struct kind_field field[KIND_FIELDS + 1];
};

/* NULL: there is none. */
const struct kind *kind_of(uint8_t code);

/* 64, with the list of those there are. */
const struct kind *kind_find(const char *name, struct err *);

/* A key: its old versions hold until somebody ends them. */
bool kind_keeps(const struct kind *);

/* Which field of the kind has this name, or -1. */
int kind_field(const struct kind *, struct slice name);

/* Does "dpp-renew" give it its main field? The entry's expiry is that
 * field's then. */
bool kind_is_renewed(const struct kind *);

void kind_forget(struct safe field[KIND_FIELDS]);

/* Fields from what was entered, checked; those that may be missing and are
 * stay empty. What it says names fields, never what is in them. 65. */
int kind_read(const struct kind *, const struct safe *entered,
              struct safe field[KIND_FIELDS], struct err *);

/* The same, asked at the terminal, field by field. */
int kind_ask(const struct kind *, const char *name,
             struct safe field[KIND_FIELDS], struct err *);

#endif
