#include "crypto/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"

struct digest {
    EVP_MD_CTX *ctx;
};

struct digest *digest_new(void)
{
    struct digest *d = mem_new(sizeof *d);

    d->ctx = EVP_MD_CTX_new();
    (void)EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL);
    return d;
}

void digest_free(struct digest *d)
{
    if (d != NULL) {
        EVP_MD_CTX_free(d->ctx);
        free(d);
    }
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    (void)EVP_DigestUpdate(d->ctx, p, n);
}

void digest_hex(struct digest *d, char out[DIGEST_HEX])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    (void)EVP_DigestFinal_ex(d->ctx, md, &n);
    for (unsigned i = 0; i < 32; i++) {
        out[2 * i] = "0123456789abcdef"[md[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[md[i] & 15];
    }
    out[64] = '\0';
    /* The algorithm that is there: naming it again would look it up again. */
    (void)EVP_DigestInit_ex(d->ctx, NULL, NULL);
}
