#include "vault/unlock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "vault/ref.h"
#include "vault/tty.h"

static char *folder(void)
{
    const char *dir = getenv("XDG_CONFIG_HOME");

    if (dir != NULL && dir[0] == '/') {
        return mem_printf("%s/dpp", dir);
    }
    dir = getenv("HOME");
    return mem_printf("%s/.config/dpp", dir != NULL ? dir : "");
}

static char *path_of(const char *name)
{
    char *dir = folder();
    char *path = mem_printf("%s/%s", dir, name);

    free(dir);
    return path;
}

char *unlock_path(void)
{
    return path_of("vault.key");
}

static int check_size(struct safe *key, const char *name, struct err *e)
{
    if (key->n == KEYS_BYTES) {
        return 0;
    }
    const size_t n = key->n;
    safe_release(key);
    return err_set(e, STATUS_REFUSED,
                   "%s: a vault's key is %d bytes, these are %zu", name,
                   KEYS_BYTES, n);
}

int unlock_ref(const char *ref, struct safe *key, struct err *e)
{
    if (!ref_is_good(ref)) {
        return err_set(e, STATUS_USAGE,
                       "a vault's key is given as file:PATH, cred:NAME or "
                       "fd:N, never by itself");
    }
    return ref_read(ref, key, e) < 0 ? -1 : check_size(key, ref, e);
}

bool unlock_is_credential(void)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char *path = mem_printf("%s/vault.key", dir != NULL ? dir : "");
    const bool has = dir != NULL && access(path, F_OK) == 0;

    free(path);
    return has;
}

int unlock_default(bool fresh, struct safe *key, struct err *e)
{
    if (!fresh && unlock_is_credential()) {
        return unlock_ref("cred:vault.key", key, e);
    }
    char *path = path_of(fresh ? "vault.key.new" : "vault.key");
    const int fd = ref_open("key", path, true, e);
    int rc = -1;

    if (fd >= 0) {
        rc = ref_read_fd(fd, path, KEYS_BYTES, key, e);
        (void)close(fd);
        rc = rc < 0 ? -1 : check_size(key, path, e);
    }
    free(path);
    return rc;
}

int unlock_ask(const struct keys_form *form, bool twice, struct safe *key,
               struct err *e)
{
    struct safe passphrase;

    if (tty_ask(twice ? "the new passphrase" : "the passphrase", twice,
                &passphrase, e) < 0) {
        return -1;
    }
    const int rc = keys_stretch(form, &passphrase, key, e);
    safe_release(&passphrase);
    return rc;
}

bool unlock_exists(void)
{
    char *path = unlock_path();
    const bool is = access(path, F_OK) == 0;

    free(path);
    return is;
}

int unlock_prepare(const struct safe *key, struct err *e)
{
    char *dir = folder();
    char *path = path_of("vault.key.new");
    int rc = dir_make(dir, e);

    if (rc == 0) {
        rc = file_replace(path, key->p, key->n, 0600, e);
    }
    free(path);
    free(dir);
    return rc;
}

int unlock_settle(struct err *e)
{
    char *dir = folder();
    char *fresh = path_of("vault.key.new");
    char *path = unlock_path();
    int rc = 0;

    if (rename(fresh, path) < 0) {
        rc = errno == ENOENT ? 0 /* another has done it */
                             : err_errno(e, STATUS_IO, "%s", path);
    } else {
        rc = dir_sync(dir, e);
    }
    free(path);
    free(fresh);
    free(dir);
    return rc;
}

int unlock_remove(struct err *e)
{
    char *dir = folder();
    char *path = unlock_path();
    int rc = 0;

    if (unlink(path) < 0) {
        rc = errno == ENOENT ? 0 : err_errno(e, STATUS_IO, "%s", path);
    } else {
        rc = dir_sync(dir, e);
    }
    free(path);
    free(dir);
    return rc;
}
