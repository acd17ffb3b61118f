#include "vault/ring.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/little.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rand.h"
#include "vault/format.h"
#include "vault/secret.h"
#include "vault/subjects.h"
#include "vault/value.h"
#include "vault/vault.h"

enum { NONCES = 64 }; /* of one draw: a call of the system costs more */

/* A subject's key that was used lately. */
struct recent {
    bool there;
    unsigned char tag[SUBJECTS_TAG]; /* under the newest version */
    uint64_t number;
    struct ring_key key; /* into `keys` */
};

struct people {
    struct subjects *subjects;
    struct subjects_version version[VALUE_KEPT];
    struct subjects_found found;
    struct recent recent[RING_CACHE];
    struct safe keys;
    uint64_t forgotten; /* as the file counted when they were read */
};

struct ring {
    struct secret *secret;
    struct people *people; /* NULL: one key for all */
    char name[FORMAT_NAME_MAX + 1];
    struct ring_key key[VALUE_KEPT];
    size_t n;
    unsigned char nonce[KEYS_NONCE]; /* drawn, and counted up from there */
    size_t nonces;                   /* that are left of that */
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

static void forget_recent(struct people *p)
{
    for (size_t i = 0; i < RING_CACHE; i++) {
        p->recent[i].there = false;
    }
    safe_wipe(p->keys.p, p->keys.n);
}

static void forget(struct ring *r)
{
    while (r->n > 0) {
        safe_release(&r->key[--r->n].key);
        if (r->people != NULL) {
            subjects_version_release(&r->people->version[r->n]);
        }
    }
    if (r->people != NULL) {
        forget_recent(r->people);
    }
}

static void meet_people(struct ring *r)
{
    char *path = vault_path();
    struct people *p = mem_new(sizeof *p);

    p->subjects = subjects_new(path, r->name);
    safe_new(&p->found.secret, KEYS_BYTES);
    safe_new(&p->keys, (size_t)RING_CACHE * KEYS_BYTES);
    for (size_t i = 0; i < RING_CACHE; i++) {
        p->recent[i].key.key =
            (struct safe){p->keys.p + i * KEYS_BYTES, KEYS_BYTES};
    }
    r->people = p;
    free(path);
}

static void add(struct ring *r, struct slice secret)
{
    struct ring_key *k = &r->key[r->n++];
    struct safe from;
    unsigned char id[KEYS_BYTES];

    safe_copy(&from, secret.p, secret.n);
    if (r->people != NULL) {
        subjects_version_make(&r->people->version[r->n - 1], &from);
    }
    safe_new(&k->key, KEYS_BYTES);
    keys_label(&from, "dpp-seal 1 data", k->key.p);
    keys_label(&from, "dpp-seal 1 id", id);
    memcpy(k->id, id, RING_ID);
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
    if (r->people == NULL && secret_kind(r->secret)->code == KIND_SUBJECTS) {
        meet_people(r);
    }
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
        if (r->people != NULL) {
            subjects_free(r->people->subjects);
            safe_release(&r->people->found.secret);
            safe_release(&r->people->keys);
            free(r->people);
        }
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
    r->nonces--;
    put64((char *)r->nonce, get64((const char *)r->nonce) + 1);
    return r->nonce;
}

/* --- subjects --------------------------------------------------------------
 */

bool ring_has_subjects(const struct ring *r)
{
    return r->people != NULL;
}

/* Where the key of a subject is, if it was used lately. */
static struct recent *recent(struct ring *r, struct slice subject,
                             unsigned char tag[SUBJECTS_TAG])
{
    struct people *p = r->people;
    const uint64_t forgotten = subjects_forgotten(p->subjects);

    if (forgotten != p->forgotten) {
        forget_recent(p);
        p->forgotten = forgotten;
    }
    subjects_tag(&p->version[0], subject, tag);
    struct recent *at = &p->recent[tag[SUBJECTS_TAG - 1] % RING_CACHE];
    if (at->there && memcmp(at->tag, tag, SUBJECTS_TAG) != 0) {
        at->there = false;
    }
    return at;
}

static const struct ring_key *keep(struct people *p, struct recent *at,
                                   const unsigned char tag[SUBJECTS_TAG])
{
    keys_label(&p->found.secret, "dpp-seal 1 data", at->key.key.p);
    safe_wipe(p->found.secret.p, KEYS_BYTES);
    memcpy(at->key.id, p->found.id, RING_ID);
    memcpy(at->tag, tag, SUBJECTS_TAG);
    at->number = p->found.number;
    at->there = true;
    return &at->key;
}

const struct ring_key *ring_subject(struct ring *r, struct slice subject,
                                    struct err *e)
{
    struct people *p = r->people;
    unsigned char tag[SUBJECTS_TAG];

    (void)ring_current(r);
    struct recent *at = recent(r, subject, tag);
    if (!at->there) {
        if (subjects_key(p->subjects, p->version, r->n, subject, &p->found, e) <
            0) {
            return NULL;
        }
        (void)keep(p, at, tag);
    }
    subjects_use(p->subjects, at->number);
    return &at->key;
}

enum ring_found ring_find_subject(struct ring *r, struct slice subject,
                                  const char *id, const struct ring_key **key,
                                  struct err *e)
{
    struct people *p = r->people;
    unsigned char tag[SUBJECTS_TAG];

    (void)ring_current(r);
    for (bool again = false;; again = true) {
        struct recent *at = recent(r, subject, tag);
        if (at->there && memcmp(at->key.id, id, RING_ID) == 0) {
            *key = &at->key;
            return RING_KEY;
        }
        switch (subjects_find(p->subjects, p->version, r->n, subject, id,
                              &p->found, e)) {
        case SUBJECTS_KEY:
            *key = keep(p, at, tag);
            return RING_KEY;
        case SUBJECTS_GONE:
            return RING_FORGOTTEN;
        case SUBJECTS_NONE:
            break;
        default:
            return RING_FAILED;
        }
        if (again || !secret_has_changed(r->secret)) {
            return RING_NONE;
        }
        look_again(r); /* it may be under a version that is new */
    }
}

int ring_sync(struct ring *r, struct err *e)
{
    return r->people != NULL ? subjects_sync(r->people->subjects, e) : 0;
}
