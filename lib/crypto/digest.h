/* SHA-256 in pieces (OpenSSL). */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include <stddef.h>

enum { DIGEST_HEX = 65 };

struct digest;

struct digest *digest_new(void);
void digest_free(struct digest *);
void digest_add(struct digest *, const void *, size_t n);

/* 64 lower-case hex digits and a NUL; the digest begins anew. */
void digest_hex(struct digest *, char out[DIGEST_HEX]);

#endif
