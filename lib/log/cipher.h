/* Records at rest under a key; dpp-log(5).
 *
 *     key of the store ─BLAKE2b with the topic's id─► key of the topic
 *                                                      └─► its id, 32 bits
 *
 * The head of a segment has the id of the key that all its records are
 * encrypted under (0: none). The body of such a batch is
 *
 *     nonce (24), XChaCha20-Poly1305 of [ entries, zeros to 8 ] (n + 16)
 *
 * and its CRC that of these bytes: tearing and damage are found, and a torn
 * tail is cut, without the key. Heads stay as they are: places, times,
 * positions and their names are not secret.
 *
 * Several keys may be known; new segments get the first one, so another key in
 * front, or the first one at all, is for what is written from now on. */
#ifndef LOG_CIPHER_H
#define LOG_CIPHER_H

#include "log/format.h"
#include "vault/keys.h"

struct cipher_key {
    uint32_t id; /* never 0 */
    struct safe key;
};

struct cipher {
    struct cipher_key *v;
    size_t n;
};

/* Another key of a store, 32 bytes, behind those that are there. */
void cipher_add(struct cipher *store, struct slice key);

/* The keys of a topic (id: 32 hex digits) out of the store's. */
void cipher_derive(const struct cipher *store, const char *id, struct cipher *);
void cipher_release(struct cipher *);

/* Of new segments: NULL, or 0, without a key. */
const struct cipher_key *cipher_first(const struct cipher *);
uint32_t cipher_first_id(const struct cipher *);

/* NULL: it is not known. */
const struct cipher_key *cipher_find(const struct cipher *, uint32_t id);

/* Building a batch: at the start of its body, and at its end (body: where that
 * start is). */
void cipher_begin(struct buf *batch);
void cipher_end(const struct cipher_key *, struct buf *batch, size_t body);

/* The entries of a batch, in room; without a key its body as it is. False if
 * this is not its key. */
bool cipher_open(const struct cipher_key *, const struct batch *,
                 struct buf *room, struct slice *entries);

#endif
