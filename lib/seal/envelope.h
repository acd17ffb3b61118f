/* The bytes of one sealed piece, as dpp-seal(7) lays them down:
 *
 *      0   4   "dps1"
 *      4   1   form: whose key it is
 *      5   1   length of the key's name
 *      6   n   the key's name
 *    n+6   8   the key's id
 *   n+14  24   nonce
 *   n+38       what is sealed, and 16 bytes of tag
 *
 * Bound to it are all bytes before the nonce, and the event and place where it
 * belongs. Parsing checks the form only. */
#ifndef SEAL_ENVELOPE_H
#define SEAL_ENVELOPE_H

#include "base/buf.h"

enum envelope_form {
    ENVELOPE_KEY = 1,     /* a version of the entry */
    ENVELOPE_SUBJECT = 2, /* its subject's, of those of the entry */
};

enum { ENVELOPE_MAX = 6 + 64 + 8 + 24 + 16 }; /* more than what is sealed */

struct envelope {
    enum envelope_form form;
    struct slice name;
    const char *id;
    struct slice head; /* what is bound */
    const char *nonce;
    struct slice sealed;
};

/* Append all before what is sealed; returns how much of it is bound. */
size_t envelope_begin(struct buf *, enum envelope_form, struct slice name,
                      const void *id, const void *nonce);

bool envelope_parse(struct envelope *, struct slice bytes);

/* The event that a piece belongs to; text that is decoded. */
struct envelope_place {
    struct slice source;
    struct slice id;
    struct slice subject;
    struct slice path; /* a JSON Pointer into data; empty: all of it */
};

/* The associated data. */
void envelope_bind(struct buf *, struct slice head,
                   const struct envelope_place *);

#endif
