#include "vault/subjects.h"

#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/little.h"
#include "base/mem.h"
#include "base/rand.h"
#include "vault/slots.h"

static const char label[] = "dpp-subjects 1"; /* with its NUL */

_Static_assert((int)SUBJECTS_TAG == (int)SLOTS_TAG, "");

struct subjects {
    struct slots slots;
    bool dirty;
};

void subjects_version_make(struct subjects_version *v, const struct safe *from)
{
    safe_new(&v->wrap, KEYS_BYTES);
    safe_new(&v->tag, KEYS_BYTES);
    keys_label(from, "dpp-seal 1 wrap", v->wrap.p);
    keys_label(from, "dpp-seal 1 subject", v->tag.p);
}

void subjects_version_release(struct subjects_version *v)
{
    safe_release(&v->wrap);
    safe_release(&v->tag);
}

void subjects_tag(const struct subjects_version *v, struct slice subject,
                  unsigned char tag[SUBJECTS_TAG])
{
    unsigned char mac[KEYS_MAC];

    keys_mac(&v->tag, subject, mac);
    memcpy(tag, mac, SUBJECTS_TAG);
}

/* --- the file --------------------------------------------------------------
 */

struct subjects *subjects_new(const char *path, const char *name)
{
    struct subjects *s = mem_new(sizeof *s);

    slots_init(&s->slots, path, name);
    return s;
}

void subjects_free(struct subjects *s)
{
    if (s != NULL) {
        slots_release(&s->slots);
        free(s);
    }
}

void subjects_remove(const char *path, const char *name)
{
    char *file = mem_printf("%s.subjects/%s", path, name);

    (void)unlink(file);
    free(file);
}

uint64_t subjects_forgotten(const struct subjects *s)
{
    return s->slots.head != NULL ? get64(s->slots.head + SLOTS_AT_FORGOTTEN)
                                 : 0;
}

/* --- records ---------------------------------------------------------------
 */

static void bind(const struct slots *s, const char *record, struct buf *ad)
{
    buf_init(ad);
    buf_append(ad, label, sizeof label);
    buf_append(ad, s->head + SLOTS_AT_ID, 16);
    buf_append(ad, record, SLOTS_AT_NONCE);
}

static bool open_record(const struct slots *s, const struct subjects_version *v,
                        const char *r, struct subjects_found *f)
{
    const bool key = r[0] == SLOTS_KEY;
    const struct slice sealed = {r + SLOTS_AT_SEALED,
                                 (key ? KEYS_BYTES : 0) + KEYS_TAG};
    struct buf ad;
    char none;

    bind(s, r, &ad);
    const bool good =
        keys_open_into(&v->wrap, buf_slice(&ad), r + SLOTS_AT_NONCE, sealed,
                       key ? (char *)f->secret.p : &none);
    buf_release(&ad);
    memcpy(f->id, r + SLOTS_AT_KEY_ID, SUBJECTS_ID);
    f->number = get64(r + SLOTS_AT_NUMBER);
    return good;
}

/* Seals what is in r up to its nonce, and the n bytes behind that. */
static void seal_record(const struct slots *s, const struct subjects_version *v,
                        char *r, size_t n)
{
    struct buf ad;

    rand_bytes(r + SLOTS_AT_NONCE, KEYS_NONCE);
    bind(s, r, &ad);
    keys_seal_here(&v->wrap, buf_slice(&ad),
                   (const unsigned char *)r + SLOTS_AT_NONCE,
                   r + SLOTS_AT_SEALED, n);
    buf_release(&ad);
}

/* --- use -------------------------------------------------------------------
 */

/* One look. id NULL: any key that is not forgotten. */
static int look(const struct slots *s, const struct subjects_version *v,
                size_t n, struct slice subject, const char *id,
                struct subjects_found *f, struct err *e)
{
    unsigned char tag[SUBJECTS_TAG];
    struct slots_probe p;
    char *r;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        subjects_tag(&v[i], subject, tag);
        slots_probe_init(&p, tag);
        while ((rc = slots_next(s, &p, &r, e)) == 1) {
            if ((id != NULL ? memcmp(r + SLOTS_AT_KEY_ID, id, SUBJECTS_ID) == 0
                            : r[0] == SLOTS_KEY) &&
                open_record(s, &v[i], r, f)) {
                return r[0] == SLOTS_KEY ? SUBJECTS_KEY : SUBJECTS_GONE;
            }
        }
        if (rc < 0) {
            return -1;
        }
    }
    return SUBJECTS_NONE;
}

int subjects_find(struct subjects *people, const struct subjects_version *v,
                  size_t n, struct slice subject, const char *id,
                  struct subjects_found *f, struct err *e)
{
    struct slots *s = &people->slots;
    int rc = slots_open(s, false, e);

    if (rc != 0) {
        return rc < 0 ? -1 : SUBJECTS_NONE;
    }
    rc = look(s, v, n, subject, id, f, e);
    if (rc == SUBJECTS_NONE) {
        if (slots_lock(s, LOCK_SH, e) < 0) {
            return -1;
        }
        rc = look(s, v, n, subject, id, f, e);
        slots_unlock(s);
    }
    return rc;
}

/* Where a new record of the newest version goes. */
static int find_free(const struct slots *s, const unsigned char *tag,
                     uint64_t *at, struct err *e)
{
    struct slots_probe p;
    char *ignored;
    int rc;

    slots_probe_init(&p, tag);
    while ((rc = slots_next(s, &p, &ignored, e)) == 1) {
    }
    *at = p.at;
    return rc;
}

/* Its number goes into the head first: one that was never used does no harm. */
static int add(const struct slots *s, const struct subjects_version *v,
               struct slice subject, struct subjects_found *f, struct err *e)
{
    char r[SLOTS_RECORD] = {SLOTS_KEY};
    unsigned char id[KEYS_BYTES];
    uint64_t at;

    subjects_tag(v, subject, (unsigned char *)r + SLOTS_AT_TAG);
    f->number = get64(s->head + SLOTS_AT_RECORDS) + 1;
    rand_bytes(f->secret.p, KEYS_BYTES);
    keys_label(&f->secret, "dpp-seal 1 id", id);
    memcpy(f->id, id, SUBJECTS_ID);
    put64(r + SLOTS_AT_NUMBER, f->number);
    put64(r + SLOTS_AT_TIME, clock_wall_ms());
    memcpy(r + SLOTS_AT_KEY_ID, f->id, SUBJECTS_ID);
    memcpy(r + SLOTS_AT_SEALED, f->secret.p, KEYS_BYTES);
    seal_record(s, v, r, KEYS_BYTES);
    return find_free(s, (const unsigned char *)r + SLOTS_AT_TAG, &at, e) < 0 ||
                   slots_set_head(s, SLOTS_AT_RECORDS, f->number, e) < 0 ||
                   slots_write(s, r, SLOTS_RECORD, at, e) < 0
               ? -1
               : 0;
}

int subjects_key(struct subjects *people, const struct subjects_version *v,
                 size_t n, struct slice subject, struct subjects_found *f,
                 struct err *e)
{
    struct slots *s = &people->slots;
    if (slots_open(s, true, e) < 0) {
        return -1;
    }
    int rc = look(s, v, n, subject, NULL, f, e);
    if (rc == SUBJECTS_NONE) {
        if (slots_lock(s, LOCK_EX, e) < 0) {
            return -1;
        }
        rc = look(s, v, n, subject, NULL, f, e);
        if (rc == SUBJECTS_NONE) {
            rc = add(s, &v[0], subject, f, e);
        }
        slots_unlock(s);
    }
    return rc < 0 ? -1 : 0;
}

void subjects_use(struct subjects *s, uint64_t number)
{
    s->dirty |= number > get64(s->slots.head + SLOTS_AT_SYNCED);
}

int subjects_sync(struct subjects *people, struct err *e)
{
    struct slots *s = &people->slots;
    if (s->head == NULL) {
        return 0;
    }
    if (slots_check_place(s, e) < 0) {
        return -1;
    }
    if (!people->dirty) {
        return 0;
    }
    if (slots_lock(s, LOCK_SH, e) < 0) {
        return -1;
    }
    const uint64_t n =
        get64(s->head + SLOTS_AT_RECORDS); /* all of them written */
    slots_unlock(s);
    if (fdatasync(s->fd) < 0) {
        return err_errno(e, STATUS_IO, "%s", s->path);
    }
    if (slots_lock(s, LOCK_EX, e) < 0) {
        return -1;
    }
    const int rc = n > get64(s->head + SLOTS_AT_SYNCED)
                       ? slots_set_head(s, SLOTS_AT_SYNCED, n, e)
                       : 0;
    slots_unlock(s);
    people->dirty = rc < 0;
    return rc;
}

/* --- to forget -------------------------------------------------------------
 */

static int overwrite(const struct slots *s, const struct subjects_version *v,
                     char *r, uint64_t at, struct err *e)
{
    r[0] = SLOTS_GONE;
    put64(r + SLOTS_AT_TIME, clock_wall_ms());
    memset(r + SLOTS_AT_NONCE, 0, SLOTS_RECORD - SLOTS_AT_NONCE);
    seal_record(s, v, r, 0);
    return slots_write(s, r, SLOTS_RECORD, at, e);
}

static int forget(const struct slots *s, const struct subjects_version *v,
                  struct slice subject, size_t *keys, size_t *gone,
                  struct err *e)
{
    unsigned char tag[SUBJECTS_TAG];
    struct slots_probe p;
    char *r;
    int rc;

    subjects_tag(v, subject, tag);
    slots_probe_init(&p, tag);
    while ((rc = slots_next(s, &p, &r, e)) == 1) {
        *keys += r[0] == SLOTS_KEY;
        *gone += r[0] == SLOTS_GONE;
        if (r[0] == SLOTS_KEY && overwrite(s, v, r, p.at, e) < 0) {
            return -1;
        }
    }
    return rc;
}

int subjects_forget(struct subjects *people, const struct subjects_version *v,
                    size_t n, struct slice subject, size_t *keys, size_t *gone,
                    struct err *e)
{
    struct slots *s = &people->slots;
    int rc = slots_open(s, false, e);

    if (rc != 0) {
        return rc < 0 ? -1 : 0;
    }
    if (slots_lock(s, LOCK_EX, e) < 0) {
        return -1;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = forget(s, &v[i], subject, keys, gone, e);
    }
    /* Also if it was done before: whoever did it may have been killed. */
    if (rc == 0 && *keys + *gone > 0) {
        rc = slots_set_head(s, SLOTS_AT_FORGOTTEN,
                            subjects_forgotten(people) + 1, e);
        if (rc == 0 && fdatasync(s->fd) < 0) {
            rc = err_errno(e, STATUS_IO, "%s", s->path);
        }
    }
    slots_unlock(s);
    return rc;
}
