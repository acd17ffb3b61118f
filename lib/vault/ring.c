#include "vault/ring.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rand.h"
#include "vault/format.h"
#include "vault/secret.h"
#include "vault/value.h"

enum { NONCES = 64 }; /* drawn at once: a call of the system costs more */

struct ring {
    struct secret *secret;
    char name[FORMAT_NAME_MAX + 1];
    struct ring_key key[VALUE_KEPT];
    size_t n;
    unsigned char nonce[NONCES][KEYS_NONCE];
    size_t nonces; /* that are left */
};

int ring_check(const char *ref, struct err *e)
{
    char name[FORMAT_NAME_MAX + 1];

    return secret_entry(ref, name) && strchr(ref, '.') == NULL
               ? 0
               : err_set(e, STATUS_USAGE,
                         "\"%.80s\": a key to seal with is vault:NAME, an "
                         "entry of the kind \"key\"",
                         ref);
}

static void forget(struct ring *r)
{
    while (r->n > 0) {
        safe_release(&r->key[--r->n].key);
    }
}

static void add(struct ring *r, struct slice secret)
{
    struct ring_key *k = &r->key[r->n++];
    struct safe from;
    struct safe id;

    safe_copy(&from, secret.p, secret.n);
    keys_label(&from, "dpp-seal 1 data", &k->key);
    keys_label(&from, "dpp-seal 1 id", &id);
    memcpy(k->id, id.p, RING_ID);
    safe_release(&id);
    safe_release(&from);
}

/* An old version that has ended is not there. */
static int load(struct ring *r, struct err *e)
{
    const uint64_t now = clock_wall_ms();
    uint64_t until_ms;

    if (secret_load(r->secret, e) < 0) {
        return -1;
    }
    if (!kind_keeps(secret_kind(r->secret))) {
        return err_set(e, STATUS_CONFIG,
                       "%s: this is of the kind \"%s\"; what seals is a "
                       "\"key\" (dpp-vault put NAME --kind key)",
                       secret_ref(r->secret), secret_kind(r->secret)->name);
    }
    forget(r);
    for (size_t i = 0; i < secret_versions(r->secret); i++) {
        const struct slice s = secret_version(r->secret, i, &until_ms);
        if (until_ms == 0 || until_ms > now) {
            add(r, s);
        }
    }
    return 0;
}

struct ring *ring_open(const char *ref, struct err *e)
{
    if (ring_check(ref, e) < 0) {
        return NULL;
    }
    struct ring *r = mem_new(sizeof *r);
    r->secret = secret_new(ref);
    (void)secret_entry(ref, r->name);
    if (load(r, e) < 0) {
        ring_close(r);
        return NULL;
    }
    return r;
}

void ring_close(struct ring *r)
{
    if (r != NULL) {
        forget(r);
        secret_free(r->secret);
        free(r);
    }
}

struct slice ring_name(const struct ring *r)
{
    return slice_of(r->name);
}

/* What cannot be read again stays as it was. */
static void look_again(struct ring *r)
{
    struct err e;

    if (load(r, &e) < 0) {
        msg_warn("%s; the versions read before stay in use", e.text);
    }
}

const struct ring_key *ring_current(struct ring *r)
{
    if (secret_is_stale(r->secret)) {
        look_again(r);
    }
    return &r->key[0];
}

static const struct ring_key *find(const struct ring *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (memcmp(r->key[i].id, id, RING_ID) == 0) {
            return &r->key[i];
        }
    }
    return NULL;
}

const struct ring_key *ring_find(struct ring *r, const char *id)
{
    const struct ring_key *k = find(r, id);

    if (secret_is_stale(r->secret) ||
        (k == NULL && secret_has_changed(r->secret))) {
        look_again(r);
        k = find(r, id);
    }
    return k;
}

const unsigned char *ring_nonce(struct ring *r)
{
    if (r->nonces == 0) {
        rand_bytes(r->nonce, sizeof r->nonce);
        r->nonces = NONCES;
    }
    return r->nonce[--r->nonces];
}
