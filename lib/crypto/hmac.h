/* HMAC (RFC 2104) with a key that is set up once, and comparison in constant
 * time (OpenSSL). */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include <stdbool.h>
#include <stddef.h>

enum hmac_algorithm { HMAC_ALG_SHA1, HMAC_ALG_SHA256, HMAC_ALG_SHA512 };

enum { HMAC_MAX = 64 };

struct hmac;

/* The key is copied. Any size, even none. NULL where the library refuses the
 * algorithm (a FIPS provider may refuse SHA-1). */
struct hmac *hmac_new(enum hmac_algorithm, const void *key, size_t n);

/* Wipes the key. */
void hmac_free(struct hmac *);

void hmac_add(struct hmac *, const void *, size_t n);

/* The code of what was added; the next message begins. Returns its size. */
size_t hmac_end(struct hmac *, unsigned char out[HMAC_MAX]);

/* Takes the same time wherever they differ. */
bool crypto_equal(const void *, const void *, size_t n);

void crypto_wipe(void *, size_t n);

#endif
