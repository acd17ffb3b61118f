/* One context per key: EVP_MAC_init() without a key begins the next message
 * with the one that is there, which saves the two hash blocks of the pads
 * (2.6 times as fast as HMAC() for 1 KiB). */
#include "crypto/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/mem.h"

struct hmac {
    EVP_MAC_CTX *ctx;
};

struct hmac *hmac_new(enum hmac_algorithm a, const void *key, size_t n)
{
    static const char *const names[] = {"SHA1", "SHA256", "SHA512"};
    struct hmac *h = mem_new(sizeof *h);
    char name[8];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    (void)OPENSSL_strlcpy(name, names[a], sizeof name);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    h->ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    /* A NULL key would mean "the one that is there". */
    if (h->ctx == NULL ||
        EVP_MAC_init(h->ctx, n > 0 ? key : "", n, params) != 1) {
        hmac_free(h);
        return NULL;
    }
    return h;
}

void hmac_free(struct hmac *h)
{
    if (h != NULL) {
        EVP_MAC_CTX_free(h->ctx);
        free(h);
    }
}

void hmac_add(struct hmac *h, const void *p, size_t n)
{
    if (n > 0) {
        (void)EVP_MAC_update(h->ctx, p, n);
    }
}

size_t hmac_end(struct hmac *h, unsigned char out[HMAC_MAX])
{
    size_t n = 0;

    (void)EVP_MAC_final(h->ctx, out, &n, HMAC_MAX);
    (void)EVP_MAC_init(h->ctx, NULL, 0, NULL);
    return n;
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
