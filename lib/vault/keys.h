/* Keys, and how they come from one another:
 *
 *     passphrase ─Argon2id─► vault key ─┬─BLAKE2b─► list key
 *     a file of 32 bytes ───►           └─BLAKE2b─► one key for each entry
 *
 * The list key proves the file as a whole. The key of an entry opens that
 * entry and nothing else: it leads neither back to the vault key nor to
 * another entry's. Labels and layout stand in dpp-vault(5). */
#ifndef VAULT_KEYS_H
#define VAULT_KEYS_H

#include <stdint.h>

#include "vault/safe.h"

struct err;

enum {
    KEYS_BYTES = 32,
    KEYS_ID = 16,   /* a vault's id */
    KEYS_SALT = 16, /* of Argon2id */
    KEYS_MAC = 32,
    KEYS_NONCE = 24,
    KEYS_TAG = 16, /* that sealing adds */
};

enum keys_way { KEYS_RAW = 0, KEYS_PASSPHRASE = 1 };

/* How a vault's key comes about, as the file's head says it. */
struct keys_form {
    uint8_t way; /* enum keys_way */
    unsigned char salt[KEYS_SALT];
    uint64_t ops;
    uint64_t memory; /* bytes */
};

/* For a new passphrase: fresh salt, today's costs. */
void keys_form_new(struct keys_form *, enum keys_way);

bool keys_form_equal(const struct keys_form *, const struct keys_form *);

/* Costs within [moderate, 4 GiB]? A file asks for what it likes. */
bool keys_form_is_good(const struct keys_form *);

/* 71 if memory is out. */
int keys_stretch(const struct keys_form *, const struct safe *passphrase,
                 struct safe *key, struct err *);

void keys_list(const struct safe *vault_key, const unsigned char *id,
               struct safe *out);
void keys_entry(const struct safe *vault_key, const unsigned char *id,
                const char *name, struct safe *out);

/* The proof of these bytes under a key. */
void keys_mac(const struct safe *key, struct slice, unsigned char *mac);

/* Another key out of this one, and what it is for. */
void keys_label(const struct safe *key, const char *label,
                unsigned char out[KEYS_BYTES]);

/* A key as it is written: 32 bytes, or 64 hex digits. False: it is none. */
bool keys_parse(struct slice text, struct safe *out);

/* XChaCha20-Poly1305: n bytes become n + KEYS_TAG, the nonce is a fresh one;
 * and back: false if anything is not as it was, nothing is written then. */
void keys_seal(const struct safe *key, struct slice ad, struct slice plain,
               unsigned char *nonce, unsigned char *out);
bool keys_open(const struct safe *key, struct slice ad,
               const unsigned char *nonce, struct slice sealed,
               struct safe *out);

/* The same for what is no secret of ours: in place, n bytes and KEYS_TAG more
 * behind them, under a nonce that was never used with this key; and back, to
 * sealed.n - KEYS_TAG bytes elsewhere. */
void keys_seal_here(const struct safe *key, struct slice ad,
                    const unsigned char *nonce, char *p, size_t n);
bool keys_open_into(const struct safe *key, struct slice ad, const char *nonce,
                    struct slice sealed, char *out);

#endif
