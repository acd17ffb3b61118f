/* Writing a vault: vault.h has the steps, and what a crash behind each leaves.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rand.h"
#include "vault/part.h"
#include "vault/seen.h"
#include "vault/unlock.h"

/* What a killed writer left beside the vault would outlive what is removed or
 * sealed anew. The lock is ours, so nobody else writes one. */
static void sweep(const struct vault *v)
{
    const char *slash = strrchr(v->path, '/');
    const char *name = slash != NULL ? slash + 1 : v->path;
    char *dir = slash == NULL ? mem_strdup(".")
                              : mem_strndup(v->path, (size_t)(name - v->path));
    const size_t n = strlen(name);
    DIR *d = opendir(dir);

    for (const struct dirent *f; d != NULL && (f = readdir(d)) != NULL;) {
        const char *rest = f->d_name + n;
        if (strncmp(f->d_name, name, n) == 0 && *rest++ == '.' &&
            *rest >= '1' && *rest <= '9' &&
            strcmp(rest + strspn(rest, "0123456789"), ".tmp") == 0) {
            (void)unlinkat(dirfd(d), f->d_name, 0);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    free(dir);
}

int vault_commit(struct vault *v, struct err *e)
{
    struct buf bytes;
    struct err why;

    if (v->format.n > FORMAT_ENTRIES_MAX) {
        return err_set(e, STATUS_CONFIG, "vault %s: more than %d entries",
                       v->path, FORMAT_ENTRIES_MAX);
    }
    sweep(v);
    buf_init(&bytes);
    v->format.generation++;
    format_write(&v->format, &v->list_key, &bytes);
    const int rc = file_replace(v->path, bytes.p, bytes.n, 0600, e);
    buf_release(&bytes);
    if (rc == 0 && seen_write(v->format.id, v->format.generation, &v->list_key,
                              NULL, &why) < 0) {
        msg_warn("%s; until that is written, an older vault in this one's "
                 "place would not be noticed",
                 why.text);
    }
    return rc;
}

int vault_key_make(struct vault_key *k, const char *ref, bool passphrase,
                   struct err *e)
{
    *k = (struct vault_key){.is_default = ref == NULL && !passphrase};
    keys_form_new(&k->form, passphrase ? KEYS_PASSPHRASE : KEYS_RAW);
    if (safe_init(false, e) < 0) {
        return -1;
    }
    if (passphrase && ref != NULL) {
        return err_set(e, STATUS_USAGE,
                       "a passphrase or a key by reference: choose one");
    }
    if (passphrase) {
        return unlock_ask(&k->form, true, &k->key, e);
    }
    if (ref != NULL) {
        return unlock_ref(ref, &k->key, e);
    }
    safe_new(&k->key, KEYS_BYTES);
    rand_bytes(k->key.p, k->key.n);
    return 0;
}

void vault_key_release(struct vault_key *k)
{
    safe_release(&k->key);
}

static int refuse_existing(const struct vault *v, bool default_key,
                           struct err *e)
{
    struct stat st;

    if (lstat(v->path, &st) == 0) {
        return err_set(e, STATUS_CONFIG, "there is a vault %s already",
                       v->path);
    }
    if (default_key && unlock_exists()) {
        char *path = unlock_path();
        (void)err_set(e, STATUS_CONFIG,
                      "there is a key %s already, of another vault; give this "
                      "one a key of its own (-k file:PATH), or a passphrase",
                      path);
        free(path);
        return -1;
    }
    return 0;
}

static int make_folder(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    int rc = 0;

    if (slash != NULL && slash != path) {
        char *dir = mem_strndup(path, (size_t)(slash - path));
        rc = dir_make(dir, e);
        free(dir);
    }
    return rc;
}

int vault_create(const char *path, const struct vault_key *k, struct err *e)
{
    struct vault *v = vault_make(path, true);
    int rc = -1;

    v->format.form = k->form;
    safe_copy(&v->key, k->key.p, k->key.n);
    if (make_folder(v->path, e) < 0 || vault_lock(v, e) < 0 ||
        refuse_existing(v, k->is_default, e) < 0 ||
        (k->is_default && unlock_prepare(&v->key, e) < 0)) {
        goto out;
    }
    rand_bytes(v->format.id, KEYS_ID);
    keys_list(&v->key, v->format.id, &v->list_key);
    rc = vault_commit(v, e);
    if (rc == 0 && k->is_default) {
        rc = unlock_settle(e);
    }
out:
    vault_close(v);
    return rc;
}

int vault_check_absent(const char *path, bool default_key, struct err *e)
{
    struct vault *v = vault_make(path, true);
    const int rc = refuse_existing(v, default_key, e);

    vault_close(v);
    return rc;
}

/* Every value, from the old key to the one that v has now. */
static int seal_again(struct vault *v, const struct safe *old, struct err *e)
{
    for (size_t i = 0; i < v->format.n; i++) {
        struct format_entry *en = &v->format.entry[i];
        struct safe key;
        struct safe plain;
        keys_entry(old, v->format.id, en->name, &key);
        const bool good = format_open(&v->format, en, &key, &plain);
        safe_release(&key);
        if (!good) {
            return err_set(e, STATUS_CONFIG, "vault %s: entry %s is damaged",
                           v->path, en->name);
        }
        vault_entry_key(v, en->name, &key);
        format_seal(&v->format, en, &key, &plain);
        safe_release(&key);
        safe_release(&plain);
    }
    return 0;
}

static int replace_key(struct vault *v, const struct safe *old_list,
                       bool to_default, struct err *e)
{
    if ((to_default && unlock_prepare(&v->key, e) < 0) ||
        seen_write(v->format.id, v->format.generation, old_list, &v->list_key,
                   e) < 0 ||
        vault_commit(v, e) < 0) {
        return -1;
    }
    return to_default       ? unlock_settle(e)
           : v->default_key ? unlock_remove(e)
                            : 0;
}

int vault_rekey(struct vault *v, const struct vault_key *k, struct err *e)
{
    struct safe old = v->key;
    struct safe old_list = v->list_key;
    int rc = -1;

    if (k->is_default && !v->default_key) {
        return err_set(e, STATUS_USAGE,
                       "rekey: say what the new key is, --to REF or "
                       "--passphrase");
    }
    if (safe_equal(old.p, k->key.p, KEYS_BYTES)) {
        return err_set(e, STATUS_USAGE, "rekey: the new key is the old one");
    }
    v->format.form = k->form;
    safe_copy(&v->key, k->key.p, k->key.n);
    keys_list(&v->key, v->format.id, &v->list_key);
    if (seal_again(v, &old, e) == 0) {
        rc = replace_key(v, &old_list, k->is_default, e);
    }
    safe_release(&old_list);
    safe_release(&old);
    return rc;
}
