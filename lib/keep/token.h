/* The exchange of a refresh token for an access token at a token endpoint
 * (RFC 6749, section 6): one POST, and what its answer means. */
#ifndef KEEP_TOKEN_H
#define KEEP_TOKEN_H

#include <stdint.h>

#include "vault/safe.h"

struct err;

struct token_client {
    const struct safe *url;
    const struct safe *id;
    const struct safe *secret; /* p == NULL: a public client */
    const struct safe *refresh;
};

struct token {
    struct safe access;
    struct safe refresh;  /* empty: the one that was sent still holds */
    uint64_t lifetime_ms; /* 0: it was not said */
};

enum { TOKEN_LIMIT_MS = 30 * 1000 };

/* -1 with a status: 69 not reached, nothing was sent; 75 the answer is lost or
 * says "later", so that the refresh token may be used up (*lost is true then)
 * or not; 77 refused: the reason is in the error; 65 an answer that is none.
 */
int token_renew(const struct token_client *, struct token *, bool *lost,
                struct err *);
void token_release(struct token *);

#endif
