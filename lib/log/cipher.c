#include "log/cipher.h"

#include <stdlib.h>

#include "base/little.h"
#include "base/mem.h"
#include "base/rand.h"

enum { ID = 32 };

static struct safe *add(struct cipher *c)
{
    c->v = mem_resize(c->v, (c->n + 1) * sizeof *c->v);
    c->v[c->n] = (struct cipher_key){0};
    return &c->v[c->n++].key;
}

void cipher_add(struct cipher *store, struct slice key)
{
    safe_copy(add(store), key.p, key.n);
}

void cipher_derive(const struct cipher *store, const char *id,
                   struct cipher *topic)
{
    char label[sizeof "dpp-log 1 topic " + ID] = "dpp-log 1 topic ";
    unsigned char hash[KEYS_MAC];

    memcpy(label + strlen(label), id, ID);
    for (size_t i = 0; i < store->n; i++) {
        struct safe *key = add(topic);
        safe_new(key, KEYS_BYTES);
        keys_label(&store->v[i].key, label, key->p);
        keys_mac(key, slice_of("dpp-log 1 id"), hash);
        topic->v[i].id = get32((const char *)hash) | 1;
    }
}

void cipher_release(struct cipher *c)
{
    for (size_t i = 0; i < c->n; i++) {
        safe_release(&c->v[i].key);
    }
    free(c->v);
    *c = (struct cipher){0};
}

const struct cipher_key *cipher_first(const struct cipher *c)
{
    return c->n > 0 ? &c->v[0] : NULL;
}

uint32_t cipher_first_id(const struct cipher *c)
{
    return c->n > 0 ? c->v[0].id : 0;
}

const struct cipher_key *cipher_find(const struct cipher *c, uint32_t id)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->v[i].id == id) {
            return &c->v[i];
        }
    }
    return NULL;
}

void cipher_begin(struct buf *batch)
{
    rand_bytes(buf_reserve(batch, KEYS_NONCE), KEYS_NONCE);
    batch->n += KEYS_NONCE;
}

void cipher_end(const struct cipher_key *k, struct buf *batch, size_t body)
{
    static const char zeros[8];
    const size_t from = body + KEYS_NONCE;

    buf_append(batch, zeros, -(batch->n - from) & 7);
    (void)buf_reserve(batch, KEYS_TAG);
    keys_seal_here(&k->key, slice_of(""),
                   (const unsigned char *)batch->p + body, batch->p + from,
                   batch->n - from);
    batch->n += KEYS_TAG;
}

bool cipher_open(const struct cipher_key *k, const struct batch *b,
                 struct buf *room, struct slice *entries)
{
    const struct slice s = b->body;

    *entries = s;
    if (k == NULL || b->count == 0) {
        return true;
    }
    if (s.n < KEYS_NONCE + KEYS_TAG) {
        return false;
    }
    const struct slice sealed = {s.p + KEYS_NONCE, s.n - KEYS_NONCE};
    buf_clear(room);
    *entries = (struct slice){buf_reserve(room, sealed.n), sealed.n - KEYS_TAG};
    return keys_open_into(&k->key, slice_of(""), s.p, sealed, room->p);
}
