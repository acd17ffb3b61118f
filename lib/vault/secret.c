#include "vault/secret.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "vault/grant.h"
#include "vault/ref.h"
#include "vault/renewer.h"

enum { LOOK_US = 1000 * 1000, AGAIN_US = 30 * LOOK_US };
enum { EARLY_MS = 60 * 1000, RENEW_AGAIN_US = 60 * LOOK_US };

struct secret {
    char *ref;
    char *path; /* of the vault; NULL: not from there */
    char entry[FORMAT_NAME_MAX + 1];
    struct slice field;      /* into ref */
    struct grant grant;      /* key.p is NULL: none yet */
    bool handed;             /* the grant was */
    struct stat seen;        /* the vault's file, as it was read */
    uint64_t look_us;        /* not before */
    const struct kind *kind; /* of the entry */
    struct safe value[VALUE_KEPT];
    uint64_t until_ms[VALUE_KEPT];
    size_t versions;

    bool renewed;        /* its kind is: an access token */
    uint64_t end_ms;     /* of the value; 0: unknown */
    uint64_t renew_ms;   /* when it should be renewed; 0: if refused */
    uint64_t planned_ms; /* the end that this is for */
    uint64_t renew_us;   /* but not before */
    uint64_t refused_us; /* nor for that reason */
    pid_t renewer;       /* 0: none is under way */
};

/* --- references ------------------------------------------------------------
 */

bool secret_entry(const char *ref, char *name)
{
    const char *rest = ref_after(ref, "vault:");
    struct err ignored;

    if (rest == NULL) {
        return false;
    }
    const size_t n = strcspn(rest, ".");
    const char *field = rest + n + (rest[n] == '.');
    if (format_name_check((struct slice){rest, n}, &ignored) < 0 ||
        (rest[n] == '.' &&
         (*field == '\0' ||
          field[strspn(field, "abcdefghijklmnopqrstuvwxyz")] != '\0'))) {
        return false;
    }
    memcpy(name, rest, n);
    name[n] = '\0';
    return true;
}

int secret_check(const char *ref, struct err *e)
{
    char name[FORMAT_NAME_MAX + 1];

    if (ref_is_good(ref) || secret_entry(ref, name)) {
        return 0;
    }
    /* What stands there may be the secret itself: it is not repeated. */
    return err_set(e, STATUS_USAGE,
                   "a secret is given as vault:NAME, file:PATH, cred:NAME or "
                   "fd:N, never by itself");
}

struct secret *secret_new(const char *ref)
{
    struct secret *s = mem_new(sizeof *s);

    s->ref = mem_strdup(ref);
    if (secret_entry(s->ref, s->entry)) {
        const char *dot = strchr(s->ref, '.');
        s->field = slice_of(dot != NULL ? dot + 1 : "");
        s->path = vault_path();
    }
    return s;
}

static void forget(struct secret *s)
{
    for (size_t i = 0; i < s->versions; i++) {
        safe_release(&s->value[i]);
    }
    s->versions = 0;
}

void secret_free(struct secret *s)
{
    if (s == NULL) {
        return;
    }
    forget(s);
    grant_release(&s->grant);
    free(s->path);
    free(s->ref);
    free(s);
}

/* --- from the vault --------------------------------------------------------
 */

/* A passphrase is asked for at the start only. */
static int obtain_key(struct secret *s, struct err *e)
{
    const bool first = s->grant.key.p == NULL;
    struct grant fresh;
    int rc = first ? grant_handed(&fresh, s->entry, e) : 1;

    s->handed = first ? rc == 0 : s->handed;
    if (rc == 1) {
        const struct vault_conf conf = {.path = s->path, .silent = !first};
        struct vault *v = vault_open(&conf, e);
        rc = v != NULL ? grant_make(&fresh, v, s->entry, e) : -1;
        vault_close(v);
    }
    if (rc < 0) {
        return -1;
    }
    fresh.counter =
        s->grant.counter > fresh.counter ? s->grant.counter : fresh.counter;
    grant_release(&s->grant);
    s->grant = fresh;
    return 0;
}

static int open_entry(struct secret *s, struct value *value, struct err *e)
{
    uint64_t expires_ms = 0;
    char text[CLOCK_TEXT];
    int rc = -1;

    if (s->grant.key.p != NULL) {
        rc = grant_open(&s->grant, s->path, value, &expires_ms, e);
        if (rc < 0 && (s->handed || e->status != STATUS_REFUSED)) {
            return -1;
        }
    }
    if (rc < 0 && (obtain_key(s, e) < 0 ||
                   grant_open(&s->grant, s->path, value, &expires_ms, e) < 0)) {
        return -1;
    }
    s->renewed = kind_is_renewed(value->kind);
    s->end_ms = expires_ms;
    if (!s->renewed && expires_ms > 0 && expires_ms <= clock_wall_ms()) {
        time_format(expires_ms, text);
        msg_warn("secret %s: it expired at %s", s->ref, text);
    }
    return 0;
}

/* All versions; an old one that lacks the field is none of them. */
static int take_value(struct secret *s, const struct value *value,
                      struct err *e)
{
    struct safe fresh[VALUE_KEPT] = {0};
    size_t n = 0;

    while (n < value->versions &&
           value_pick(value, n, s->field, &fresh[n], e) == 0) {
        n++;
    }
    if (n == 0) {
        return -1;
    }
    forget(s);
    for (size_t i = 0; i < n; i++) {
        s->value[i] = fresh[i];
        s->until_ms[i] = value->version[i].until_ms;
    }
    s->versions = n;
    s->kind = value->kind;
    return 0;
}

/* --- renewal ---------------------------------------------------------------
 *
 * Of an access token: a minute before its end, or in the last quarter of a
 * short life, or when it was refused. Where the program cannot do without, at
 * its start, it waits; else it goes on and takes the new one as any other
 * change of the vault. */

static void plan_renewal(struct secret *s)
{
    const uint64_t now = clock_wall_ms();
    const uint64_t left = s->end_ms > now ? s->end_ms - now : 0;

    if (s->planned_ms == s->end_ms) {
        return; /* the same token, which has less of its life left now */
    }
    s->planned_ms = s->end_ms;
    s->renew_ms = s->renewed && s->end_ms > 0
                      ? s->end_ms - (left / 4 < EARLY_MS ? left / 4 : EARLY_MS)
                      : 0;
}

static void start_renewal(struct secret *s)
{
    struct err e;

    s->renew_us = clock_mono_us() + RENEW_AGAIN_US;
    if (renewer_start(s->entry, &s->renewer, &e) < 0) {
        s->renewer = 0;
        msg_warn("secret %s: it is not renewed: %s", s->ref, e.text);
    }
}

static void tend_renewal(struct secret *s)
{
    if (s->renewer > 0) {
        const int status = renewer_ended(s->renewer, false);
        if (status < 0) {
            return;
        }
        s->renewer = 0;
        s->look_us = 0; /* see at once what has come of it */
        if (status == STATUS_OK) {
            s->renew_us = clock_mono_us() + LOOK_US;
        }
    } else if (s->renew_ms > 0 && clock_wall_ms() >= s->renew_ms &&
               clock_mono_us() >= s->renew_us) {
        start_renewal(s);
    }
}

bool secret_waits(const struct secret *s)
{
    return s->renewer > 0 && s->end_ms > 0 && clock_wall_ms() >= s->end_ms;
}

bool secret_is_renewing(const struct secret *s)
{
    return s->renewer > 0;
}

void secret_refused(struct secret *s)
{
    if (s->renewed && s->renewer == 0 && clock_mono_us() >= s->refused_us) {
        s->refused_us = clock_mono_us() + RENEW_AGAIN_US;
        start_renewal(s);
    }
}

/* No value that could be used? */
static bool wants_renewal(const struct secret *s, const struct value *value)
{
    struct safe main;
    struct err ignored;
    const int rc =
        s->renewed ? value_pick(value, 0, (struct slice){0}, &main, &ignored)
                   : 1;

    if (rc == 0) {
        safe_release(&main);
    }
    return rc < 0 || (rc == 0 && s->end_ms > 0 && s->end_ms <= clock_wall_ms());
}

/* The first value: there must be one. */
static int renew_now(struct secret *s, struct err *e)
{
    pid_t pid;

    if (renewer_start(s->entry, &pid, e) < 0) {
        return -1;
    }
    const int status = renewer_ended(pid, true);
    return status == STATUS_OK ? 0
                               : err_set(e, status, "it could not be renewed");
}

static int load_entry(struct secret *s, struct err *e)
{
    struct value value;

    s->look_us = clock_mono_us() + LOOK_US;
    if (stat(s->path, &s->seen) < 0) {
        s->seen = (struct stat){0};
    }
    int rc = open_entry(s, &value, e);
    if (rc == 0 && wants_renewal(s, &value)) {
        if (s->versions == 0) {
            value_release(&value);
            rc = renew_now(s, e) < 0 ? -1 : open_entry(s, &value, e);
        } else if (s->renewer == 0 && clock_mono_us() >= s->renew_us) {
            start_renewal(s);
        }
    }
    if (rc == 0) {
        rc = take_value(s, &value, e);
        value_release(&value);
    }
    if (rc == 0) {
        plan_renewal(s);
        vault_use(s->path, s->entry);
    } else {
        s->seen = (struct stat){0}; /* what is in the way may go */
        s->look_us = clock_mono_us() + AGAIN_US;
    }
    return rc;
}

/* --- from elsewhere --------------------------------------------------------
 */

static int load_ref(struct secret *s, struct err *e)
{
    struct safe fresh;

    if (ref_after(s->ref, "fd:") != NULL && s->versions > 0) {
        return 0;
    }
    if (ref_read(s->ref, &fresh, e) < 0) {
        return -1;
    }
    size_t n = fresh.n;
    n -= n > 0 && fresh.p[n - 1] == '\n';
    n -= n > 0 && fresh.p[n - 1] == '\r';
    if (n == 0) {
        safe_release(&fresh);
        return err_set(e, STATUS_REFUSED, "secret %s: it is empty", s->ref);
    }
    safe_cut(&fresh, 0, n);
    forget(s);
    s->value[0] = fresh;
    s->until_ms[0] = 0;
    s->versions = 1;
    return 0;
}

/* --- use -------------------------------------------------------------------
 */

int secret_load(struct secret *s, struct err *e)
{
    if (secret_check(s->ref, e) < 0 || safe_init(false, e) < 0) {
        return -1;
    }
    if (s->path == NULL) {
        return load_ref(s, e);
    }
    return load_entry(s, e) < 0 ? err_wrap(e, "secret %s", s->ref) : 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool secret_has_changed(const struct secret *s)
{
    struct stat st;

    return s->path != NULL && stat(s->path, &st) == 0 &&
           !same_file(&st, &s->seen);
}

bool secret_is_stale(struct secret *s)
{
    if (s->path == NULL) {
        return false;
    }
    tend_renewal(s);
    const uint64_t now = clock_mono_us();
    if (now < s->look_us) {
        return false;
    }
    s->look_us = now + LOOK_US;
    return secret_has_changed(s);
}

struct slice secret_value(const struct secret *s)
{
    return safe_slice(&s->value[0]);
}

size_t secret_versions(const struct secret *s)
{
    return s->versions;
}

struct slice secret_version(const struct secret *s, size_t i,
                            uint64_t *until_ms)
{
    *until_ms = s->until_ms[i];
    return safe_slice(&s->value[i]);
}

const struct kind *secret_kind(const struct secret *s)
{
    return s->kind;
}

const char *secret_ref(const struct secret *s)
{
    return s->ref;
}

int secret_read(const char *ref, struct safe *out, struct err *e)
{
    struct secret *s = secret_new(ref);
    const int rc = secret_load(s, e);

    if (rc == 0) {
        *out = s->value[0];
        s->value[0] = (struct safe){0};
    }
    secret_free(s);
    return rc;
}
