/* What an entry holds: the fields of its kind, and for a while after a
 * rotation those that were there before. */
#ifndef VAULT_VALUE_H
#define VAULT_VALUE_H

#include "vault/kind.h"

enum {
    VALUE_VERSIONS = 2, /* the current one and the one before */
    VALUE_KEPT = 64,    /* of a kind that keeps them */
};

#define VALUE_FOR_EVER UINT64_MAX /* an end that does not come */

struct value_version {
    uint64_t until_ms; /* 0: it is the current one */
    struct safe field[KIND_FIELDS];
};

struct value {
    const struct kind *kind;
    struct value_version version[VALUE_KEPT]; /* the current one first */
    size_t versions;
};

void value_release(struct value *);

/* The bytes that are sealed, dpp-vault(5). */
void value_pack(const struct value *, struct safe *out);

/* -1: these are none, or of another kind. */
int value_unpack(struct value *, const struct kind *, const struct safe *);

/* fields become the current version and belong to the value; the one before
 * holds until then, or all before go at once if that is 0. */
void value_rotate(struct value *, const struct safe field[KIND_FIELDS],
                  uint64_t until_ms);

/* The same for a value that is there, at a time: what has ended goes. Old
 * versions hold for overlap_ms, or with VALUE_USUAL as long as their kind has
 * it: 24 hours, or until they are ended. 78: there are too many of them. */
#define VALUE_USUAL UINT64_MAX
int value_renew(struct value *, const struct safe field[KIND_FIELDS],
                uint64_t overlap_ms, uint64_t now_ms, struct err *);

/* One field, or, without a name, what the kind stands for. 77: the kind has no
 * such field, or this entry none in it. */
int value_pick(const struct value *, size_t version, struct slice field,
               struct safe *out, struct err *);

#endif
