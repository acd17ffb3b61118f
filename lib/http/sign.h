/* Signatures of requests: which bytes are signed, where the signature and the
 * time are, and whether one of our keys made it.
 *
 * A scheme is data (a connector's "sign" section). Everything is computed over
 * the raw bytes, before anybody looks at the body; all keys are tried on all
 * candidates, and no comparison ends early, so the time says nothing. */
#ifndef HTTP_SIGN_H
#define HTTP_SIGN_H

#include "crypto/hmac.h"
#include "http/message.h"

struct err;
struct sign;

enum sign_encoding { SIGN_HEX, SIGN_BASE64 };
enum sign_list { SIGN_ONE, SIGN_COMMA, SIGN_BLANK };
enum sign_key { SIGN_KEY_TEXT, SIGN_KEY_HEX, SIGN_KEY_BASE64 };
enum sign_unit { SIGN_SECONDS, SIGN_MILLISECONDS };

enum { SIGN_KEYS_MAX = 16, SIGN_CANDIDATES_MAX = 16 };

/* Texts are the caller's and must live as long as the struct sign. */
struct sign_scheme {
    const char *header;    /* the field with the signature */
    const char *prefix;    /* of each candidate, taken off; or "" */
    unsigned hmac;         /* enum hmac_algorithm */
    unsigned encoding;     /* enum sign_encoding; hex of either case */
    unsigned list;         /* enum sign_list: several candidates in the field */
    const char *item;      /* in a list of name=value: whose; or NULL */
    const char *id;        /* the field behind {id}; or NULL */
    const char *time;      /* the field behind {ts}; or NULL */
    const char *time_item; /* or the list's item behind {ts} */
    unsigned unit;         /* enum sign_unit, of {ts} */
    uint64_t tolerance_ms; /* both ways; 0: the time is not checked */
    const char *text;      /* what is signed: "{ts}.{body}" */
    unsigned key;          /* enum sign_key: how a secret becomes a key */
    const char *key_prefix; /* taken off a secret that has it; or "" */
};

/* STATUS_CONFIG if the scheme contradicts itself. */
struct sign *sign_new(const struct sign_scheme *, struct err *);
void sign_free(struct sign *);

/* One more key, which holds until then (0: for ever); the secret is not kept.
 * STATUS_CONFIG. */
int sign_add_key(struct sign *, struct slice secret, uint64_t until_ms,
                 struct err *);

unsigned sign_keys(const struct sign *);

/* True for fields that carry the signature: they do not travel. */
bool sign_is_field(const struct sign_scheme *, struct slice name);

/* 0, or -1 with STATUS_REFUSED and the reason, which names no secret. */
int sign_verify(struct sign *, const struct http_message *, uint64_t now_ms,
                struct err *why);

#endif
