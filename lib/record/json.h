/* A validating JSON scanner (RFC 8259) that returns slices of the text.
 *
 * Nothing is decoded, copied or allocated, numbers stay text, and nesting is
 * counted in a stack of bits, not by recursion: memory is one bit per level.
 * Texts must be valid UTF-8; lone surrogates in \u escapes are legal. */
#ifndef RECORD_JSON_H
#define RECORD_JSON_H

#include "base/buf.h"

/* One whole text: a value with blanks around it. */
bool json_valid(struct slice text);

/* Over one value and the blanks before it; NULL if it is not valid. */
const char *json_skip(const char *p, const char *end);

/* Walks the members of an object. */
struct json_walk {
    const char *p;
    const char *end;
    bool started;
};

void json_walk_init(struct json_walk *, struct slice text);

/* 1 and a member, 0 at the end of the text, -1 if it is no valid object. The
 * key comes without its quotes, the value as it stands, both raw. */
int json_walk_next(struct json_walk *, struct slice *key, struct slice *value);

/* True if the value is a string (as json_walk_next returns it). */
static inline bool json_is_string(struct slice v)
{
    return v.n >= 2 && v.p[0] == '"';
}

/* Append the text of a string value; lone surrogates become U+FFFD. */
void json_decode(struct buf *, struct slice string);

/* Append a string value, with its quotes, of any bytes; what is no UTF-8
 * becomes U+FFFD. */
void json_encode(struct buf *, struct slice text);

bool utf8_valid(struct slice);

/* Digits only and at most 2^53: the numbers of control lines. */
bool json_count(struct slice value, unsigned long long *);

#endif
