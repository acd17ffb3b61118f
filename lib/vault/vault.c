#include "vault/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "vault/ref.h"
#include "vault/seen.h"
#include "vault/unlock.h"

char *vault_path(void)
{
    const char *dir = getenv("STATE_DIRECTORY");

    if (dir != NULL && dir[0] != '\0') {
        return mem_printf("%.*s/vault", (int)strcspn(dir, ":"), dir);
    }
    dir = getenv("XDG_DATA_HOME");
    if (dir != NULL && dir[0] == '/') {
        return mem_printf("%s/dpp/vault", dir);
    }
    dir = getenv("HOME");
    return mem_printf("%s/.local/share/dpp/vault", dir != NULL ? dir : "");
}

const struct format *vault_list(const struct vault *v)
{
    return &v->format;
}

const char *vault_name(const struct vault *v)
{
    return v->path;
}

/* --- opening ---------------------------------------------------------------
 */

static void forget_contents(struct vault *v)
{
    format_release(&v->format);
    buf_release(&v->bytes);
    buf_init(&v->bytes);
}

void vault_pause(struct vault *v)
{
    if (v->lock >= 0) {
        (void)close(v->lock);
        v->lock = -1;
    }
}

void vault_close(struct vault *v)
{
    if (v == NULL) {
        return;
    }
    forget_contents(v);
    safe_release(&v->key);
    safe_release(&v->list_key);
    vault_pause(v);
    free(v->path);
    free(v);
}

struct vault *vault_make(const char *path, bool change)
{
    struct vault *v = mem_new(sizeof *v);

    v->path = path != NULL ? mem_strdup(path) : vault_path();
    v->lock = -1;
    v->change = change;
    buf_init(&v->bytes);
    return v;
}

int vault_lock(struct vault *v, struct err *e)
{
    char *path = mem_printf("%s.lock", v->path);
    const int flags = O_CLOEXEC | O_NOFOLLOW;
    int rc = 0;

    v->lock = open(path, O_RDWR | O_CREAT | flags, 0600);
    if (v->lock < 0 && !v->change) {
        v->lock = open(path, O_RDONLY | flags);
    }
    if (v->lock < 0) {
        rc = v->change ? err_errno(e, STATUS_REFUSED, "%s", path) : 0;
    }
    while (v->lock >= 0 &&
           (rc = flock(v->lock, v->change ? LOCK_EX : LOCK_SH)) < 0) {
        if (errno != EINTR) {
            rc = err_errno(e, STATUS_SYSTEM, "%s", path);
            break;
        }
    }
    free(path);
    return rc;
}

static int check_there(const struct vault *v, struct err *e)
{
    struct stat st;

    return lstat(v->path, &st) == 0 || errno != ENOENT
               ? 0
               : err_set(e, STATUS_REFUSED,
                         "there is no vault %s; dpp-vault init makes one",
                         v->path);
}

/* The file as it is now: its form only. */
static int load(struct vault *v, struct err *e)
{
    forget_contents(v);
    const int fd = ref_open("vault", v->path, true, e);
    if (fd < 0) {
        return -1;
    }
    int rc = fd_read(fd, v->path, FORMAT_FILE_MAX, &v->bytes, e);
    (void)close(fd);
    if (rc == 0 && format_parse(&v->format, buf_slice(&v->bytes), e) < 0) {
        rc = err_wrap(e, "vault %s", v->path);
    }
    return rc;
}

/* Takes the key if it proves what was read. */
static bool fits(struct vault *v, struct safe *key)
{
    struct safe list_key;

    keys_list(key, v->format.id, &list_key);
    if (!format_proven(buf_slice(&v->bytes), &list_key)) {
        safe_release(&list_key);
        safe_release(key);
        return false;
    }
    v->key = *key;
    v->list_key = list_key;
    return true;
}

static int misfit(const struct vault *v, struct err *e)
{
    return err_set(
        e, STATUS_REFUSED,
        "vault %s: %s, or the file was changed by other hands", v->path,
        v->format.form.way == KEYS_PASSPHRASE ? "this is not its passphrase"
                                              : "the key does not fit");
}

/* The default key belongs to the default vault, and changes with it. Another
 * one that it opens leaves it alone, and so does one that is a credential. */
static bool owns_default_key(const struct vault *v)
{
    char *path = vault_path();
    const bool owns = strcmp(path, v->path) == 0 && !unlock_is_credential();

    free(path);
    return owns;
}

/* The default key, or the one that was on its way there when a crash came. */
static int take_default_key(struct vault *v, struct err *e)
{
    struct safe key = {0};
    struct err ignored;
    const int rc = unlock_default(false, &key, e);

    if (rc == 0 && fits(v, &key)) {
        v->default_key = owns_default_key(v);
        return 0;
    }
    if (unlock_default(true, &key, &ignored) == 0 && fits(v, &key)) {
        v->default_key = owns_default_key(v);
        return unlock_settle(e);
    }
    return rc < 0 ? err_wrap(e, "vault %s", v->path) : misfit(v, e);
}

static int ask(struct vault *v, const struct vault_conf *conf, struct safe *key,
               struct err *e)
{
    if (conf->key != NULL) {
        return err_set(e, STATUS_USAGE,
                       "vault %s has a passphrase, so -k is of no use",
                       v->path);
    }
    if (conf->silent) {
        return err_set(e, STATUS_REFUSED,
                       "vault %s has a passphrase, and this is no moment to "
                       "ask for it",
                       v->path);
    }
    return unlock_ask(&v->format.form, false, key, e) < 0
               ? err_wrap(e, "vault %s", v->path)
               : 0;
}

/* The passphrase is asked for, and stretched, while nobody waits for the lock;
 * then the file is read again. */
static int take_passphrase(struct vault *v, const struct vault_conf *conf,
                           struct err *e)
{
    const struct keys_form form = v->format.form;
    struct safe key;

    vault_pause(v);
    if (ask(v, conf, &key, e) < 0) {
        return -1;
    }
    if (vault_lock(v, e) < 0 || load(v, e) < 0) {
        safe_release(&key);
        return -1;
    }
    if (!keys_form_equal(&form, &v->format.form)) {
        safe_release(&key);
        return err_set(e, STATUS_RETRY,
                       "vault %s got another key just now; try again", v->path);
    }
    return fits(v, &key) ? 0 : misfit(v, e);
}

static int take_key(struct vault *v, const struct vault_conf *conf,
                    struct err *e)
{
    struct safe key;

    if (v->format.form.way == KEYS_PASSPHRASE) {
        return take_passphrase(v, conf, e);
    }
    if (conf->key == NULL) {
        return take_default_key(v, e);
    }
    return unlock_ref(conf->key, &key, e) < 0 ? -1
           : fits(v, &key)                    ? 0
                                              : misfit(v, e);
}

/* The number of this file is not lower than the highest; it may be higher. */
static int check_seen(struct vault *v, struct err *e)
{
    const uint64_t is = v->format.generation;
    uint64_t seen;
    struct err why;

    if (seen_read(v->format.id, &v->list_key, &seen, e) < 0) {
        return err_wrap(e, "vault %s", v->path);
    }
    if (is < seen) {
        char *path = seen_path(v->format.id);
        (void)err_set(e, STATUS_CONFIG,
                      "vault %s is older than it was (%llu writes, %llu were "
                      "seen); if you have brought back a backup on purpose, "
                      "remove %s",
                      v->path, (unsigned long long)is, (unsigned long long)seen,
                      path);
        free(path);
        return -1;
    }
    if (is > seen && v->lock >= 0 &&
        seen_write(v->format.id, is, &v->list_key, NULL, &why) < 0) {
        msg_debug("%s", why.text);
    }
    return 0;
}

struct vault *vault_open(const struct vault_conf *conf, struct err *e)
{
    struct vault *v = vault_make(conf->path, conf->change);

    if (safe_init(false, e) < 0 || check_there(v, e) < 0 ||
        vault_lock(v, e) < 0 || load(v, e) < 0 || take_key(v, conf, e) < 0 ||
        check_seen(v, e) < 0) {
        vault_close(v);
        return NULL;
    }
    return v;
}

int vault_resume(struct vault *v, struct err *e)
{
    v->change = true;
    if (vault_lock(v, e) < 0 || load(v, e) < 0) {
        return -1;
    }
    if (!format_proven(buf_slice(&v->bytes), &v->list_key)) {
        return err_set(e, STATUS_RETRY,
                       "vault %s got another key just now; try again", v->path);
    }
    return check_seen(v, e);
}

/* --- entries ---------------------------------------------------------------
 */

const struct format_entry *vault_find(const struct vault *v, const char *name,
                                      struct err *e)
{
    const struct format_entry *en = format_find(&v->format, name);

    if (en == NULL) {
        (void)err_set(e, STATUS_REFUSED, "vault %s has no entry %s", v->path,
                      name);
    }
    return en;
}

void vault_entry_key(const struct vault *v, const char *name, struct safe *key)
{
    keys_entry(&v->key, v->format.id, name, key);
}

int vault_get(const struct vault *v, const struct format_entry *en,
              struct value *out, struct err *e)
{
    const struct kind *k = kind_of(en->kind);
    struct safe key;
    struct safe plain = {0};
    int rc = -1;

    vault_entry_key(v, en->name, &key);
    if (k == NULL || !format_open(&v->format, en, &key, &plain) ||
        value_unpack(out, k, &plain) < 0) {
        (void)err_set(e, STATUS_CONFIG,
                      "vault %s: entry %s is damaged, or a newer dpp wrote it",
                      v->path, en->name);
    } else {
        rc = 0;
    }
    safe_release(&plain);
    safe_release(&key);
    return rc;
}

static void seal(struct vault *v, struct format_entry *en,
                 const struct value *value)
{
    struct safe key;
    struct safe plain;

    vault_entry_key(v, en->name, &key);
    value_pack(value, &plain);
    format_seal(&v->format, en, &key, &plain);
    safe_release(&plain);
    safe_release(&key);
}

static struct format_entry *set(struct vault *v, const char *name,
                                const struct value *value)
{
    struct format_entry *en = format_put(&v->format, name);

    en->kind = value->kind->code;
    en->counter = v->format.generation + 1;
    return en;
}

void vault_set(struct vault *v, const char *name, const struct value *value,
               uint64_t expires_ms)
{
    struct format_entry *en = set(v, name, value);
    const uint64_t now = clock_wall_ms();

    if (en->created == 0) {
        en->created = now;
    } else {
        en->rotated = now;
    }
    en->expires = expires_ms;
    seal(v, en, value);
}

void vault_adopt(struct vault *v, const struct format_entry *from,
                 const struct value *value)
{
    struct format_entry *en = set(v, from->name, value);

    en->created = from->created;
    en->rotated = from->rotated;
    en->expires = from->expires;
    seal(v, en, value);
}

int vault_remove(struct vault *v, const char *name, struct err *e)
{
    struct format_entry *en = format_find(&v->format, name);

    if (en == NULL) {
        return vault_find(v, name, e) == NULL ? -1 : 0;
    }
    format_remove(&v->format, en);
    return 0;
}
