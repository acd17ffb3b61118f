/* JSON text into libjq's values, and back.
 *
 * libjq's own parser takes three quarters of the time of a usual program, its
 * printer most of the rest. This builder reads text that is known to be valid
 * JSON, and keeps the keys that it has seen, with their hashes. It makes what
 * jv_parse() makes, but for two things: a lone surrogate becomes U+FFFD (libjq
 * 1.6 refuses it), and nesting goes down to VALUE_DEPTH (libjq: 256). */
#ifndef JQ_VALUE_H
#define JQ_VALUE_H

#include <jv.h>
#include <stdint.h>

#include "base/buf.h"

enum { VALUE_DEPTH = 1000, VALUE_KEYS = 512, VALUE_KEY_MAX = 32 };

/* Keys by a hash of their text; one that comes later takes the place. */
struct value_keys {
    jv key[VALUE_KEYS];
    uint8_t n[VALUE_KEYS]; /* bytes; the key is there if `used` says so */
    bool used[VALUE_KEYS];
    struct buf text; /* scratch: decoded strings, numbers */
};

void value_keys_init(struct value_keys *);
void value_keys_release(struct value_keys *);

/* A key from its raw text without quotes. The caller frees it. */
jv value_key(struct value_keys *, struct slice raw);

/* The value at p, which must be valid (a slice of a valid text); returns behind
 * it. NULL: nested deeper than VALUE_DEPTH. The caller frees *out. */
const char *value_parse(struct value_keys *, const char *p, const char *end,
                        jv *out);

/* Append v, compact. v stays the caller's. -1: nested deeper than twice
 * VALUE_DEPTH, out may have half of it. */
int value_print(struct buf *out, jv v);

/* The bytes of a string value; they live as long as it does. */
struct slice value_text(jv string);

const char *value_blanks(const char *p, const char *end);

#endif
