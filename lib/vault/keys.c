#include "vault/keys.h"

#include <sodium.h>

#include "base/err.h"
#include "base/rand.h"

#define OPS_MAX    64
#define MEMORY_MAX (4ULL << 30)

_Static_assert(KEYS_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "");
_Static_assert(KEYS_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "");
_Static_assert(KEYS_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "");
_Static_assert(KEYS_SALT == crypto_pwhash_argon2id_SALTBYTES, "");

void keys_form_new(struct keys_form *f, enum keys_way way)
{
    *f = (struct keys_form){.way = (uint8_t)way};
    if (way == KEYS_PASSPHRASE) {
        rand_bytes(f->salt, sizeof f->salt);
        f->ops = crypto_pwhash_argon2id_OPSLIMIT_MODERATE;
        f->memory = crypto_pwhash_argon2id_MEMLIMIT_MODERATE;
    }
}

bool keys_form_equal(const struct keys_form *a, const struct keys_form *b)
{
    return a->way == b->way && a->ops == b->ops && a->memory == b->memory &&
           memcmp(a->salt, b->salt, KEYS_SALT) == 0;
}

bool keys_form_is_good(const struct keys_form *f)
{
    if (f->way == KEYS_RAW) {
        return f->ops == 0 && f->memory == 0 &&
               sodium_is_zero(f->salt, sizeof f->salt);
    }
    return f->way == KEYS_PASSPHRASE &&
           f->ops >= crypto_pwhash_argon2id_OPSLIMIT_MODERATE &&
           f->ops <= OPS_MAX &&
           f->memory >= crypto_pwhash_argon2id_MEMLIMIT_MODERATE &&
           f->memory <= MEMORY_MAX;
}

int keys_stretch(const struct keys_form *f, const struct safe *passphrase,
                 struct safe *key, struct err *e)
{
    safe_new(key, KEYS_BYTES);
    if (crypto_pwhash(key->p, key->n, (const char *)passphrase->p,
                      passphrase->n, f->salt, f->ops, (size_t)f->memory,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        safe_release(key);
        return err_set(e, STATUS_SYSTEM,
                       "no memory for the passphrase: Argon2id needs %llu MiB",
                       (unsigned long long)f->memory >> 20);
    }
    return 0;
}

/* The label's NUL ends it: no label and id can be taken for another's. */
static void derive(const struct safe *key, const char *label,
                   const unsigned char *id, const char *name, struct safe *out)
{
    crypto_generichash_state s;

    safe_new(out, KEYS_BYTES);
    (void)crypto_generichash_init(&s, key->p, key->n, KEYS_BYTES);
    (void)crypto_generichash_update(&s, (const unsigned char *)label,
                                    strlen(label) + 1);
    (void)crypto_generichash_update(&s, id, KEYS_ID);
    (void)crypto_generichash_update(&s, (const unsigned char *)name,
                                    strlen(name));
    (void)crypto_generichash_final(&s, out->p, out->n);
    sodium_memzero(&s, sizeof s);
}

void keys_list(const struct safe *vault_key, const unsigned char *id,
               struct safe *out)
{
    derive(vault_key, "dpp-vault 1 list", id, "", out);
}

void keys_entry(const struct safe *vault_key, const unsigned char *id,
                const char *name, struct safe *out)
{
    derive(vault_key, "dpp-vault 1 entry", id, name, out);
}

void keys_label(const struct safe *key, const char *label,
                unsigned char out[KEYS_BYTES])
{
    keys_mac(key, (struct slice){label, strlen(label) + 1}, out);
}

void keys_mac(const struct safe *key, struct slice s, unsigned char *mac)
{
    (void)crypto_generichash(mac, KEYS_MAC, (const unsigned char *)s.p, s.n,
                             key->p, key->n);
}

void keys_seal(const struct safe *key, struct slice ad, struct slice plain,
               unsigned char *nonce, unsigned char *out)
{
    rand_bytes(nonce, KEYS_NONCE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, NULL, (const unsigned char *)plain.p, plain.n,
        (const unsigned char *)ad.p, ad.n, NULL, nonce, key->p);
}

bool keys_open(const struct safe *key, struct slice ad,
               const unsigned char *nonce, struct slice sealed,
               struct safe *out)
{
    if (sealed.n < KEYS_TAG) {
        return false;
    }
    safe_new(out, sealed.n - KEYS_TAG);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            out->p, NULL, NULL, (const unsigned char *)sealed.p, sealed.n,
            (const unsigned char *)ad.p, ad.n, nonce, key->p) != 0) {
        safe_release(out);
        return false;
    }
    return true;
}

void keys_seal_here(const struct safe *key, struct slice ad,
                    const unsigned char *nonce, char *p, size_t n)
{
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        (unsigned char *)p, NULL, (const unsigned char *)p, n,
        (const unsigned char *)ad.p, ad.n, NULL, nonce, key->p);
}

bool keys_open_into(const struct safe *key, struct slice ad, const char *nonce,
                    struct slice sealed, char *out)
{
    return sealed.n >= KEYS_TAG &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(
               (unsigned char *)out, NULL, NULL,
               (const unsigned char *)sealed.p, sealed.n,
               (const unsigned char *)ad.p, ad.n, (const unsigned char *)nonce,
               key->p) == 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool keys_parse(struct slice text, struct safe *out)
{
    bool good = text.n == KEYS_BYTES || text.n == (size_t)2 * KEYS_BYTES;

    safe_new(out, KEYS_BYTES);
    if (text.n == KEYS_BYTES) {
        memcpy(out->p, text.p, KEYS_BYTES);
        return true;
    }
    for (size_t i = 0; good && i < KEYS_BYTES; i++) {
        const int high = hex_digit(text.p[2 * i]);
        const int low = hex_digit(text.p[2 * i + 1]);
        good = high >= 0 && low >= 0;
        out->p[i] = (unsigned char)(high << 4 | low);
    }
    if (!good) {
        safe_release(out);
    }
    return good;
}
