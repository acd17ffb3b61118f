/* Keys, and the ways on which entries leave the vault. */
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/msg.h"
#include "keep/keep.h"
#include "vault/bundle.h"
#include "vault/creds.h"
#include "vault/grant.h"
#include "vault/unlock.h"

int keep_refuse_terminal(const char *what, const char *way, struct err *e)
{
    return isatty(STDOUT_FILENO)
               ? err_set(e, STATUS_USAGE,
                         "standard output is a terminal: %s goes into a pipe "
                         "or a file%s",
                         what, way)
               : 0;
}

int keep_write(struct slice s, struct err *e)
{
    return fd_write(STDOUT_FILENO, s.p, s.n) < 0
               ? err_errno(e, STATUS_IO, "standard output")
               : 0;
}

int keep_open(struct keep_call *c, bool change)
{
    const struct vault_conf conf = {.path = c->o->path,
                                    .key = c->o->key,
                                    .change = change,
                                    .silent = c->silent};

    c->vault = vault_open(&conf, c->e);
    return c->vault != NULL ? 0 : -1;
}

int keep_init(struct keep_call *c)
{
    const struct keep_options *o = c->o;
    struct vault_key key = {0};
    int rc =
        vault_check_absent(o->path, o->key == NULL && !o->passphrase, c->e);

    if (rc == 0) {
        rc = vault_key_make(&key, o->key, o->passphrase, c->e);
    }
    if (rc == 0) {
        rc = vault_create(o->path, &key, c->e);
    }
    if (rc == 0 && key.is_default) {
        char *path = unlock_path();
        msg_info("the key is in %s: keep a copy elsewhere", path);
        free(path);
    }
    vault_key_release(&key);
    return rc;
}

int keep_rekey(struct keep_call *c)
{
    struct vault_key key = {0};
    int rc = -1;

    if (vault_key_make(&key, c->o->to, c->o->passphrase, c->e) == 0 &&
        keep_open(c, true) == 0) {
        rc = vault_rekey(c->vault, &key, c->e);
    }
    vault_key_release(&key);
    return rc;
}

/* All of them are sealed before the first is printed. */
int keep_credentials(struct keep_call *c)
{
    struct buf out;
    int rc = keep_open(c, false);

    buf_init(&out);
    buf_puts(&out, "[Service]\n");
    for (size_t i = 0; rc == 0 && i < c->names; i++) {
        struct safe value = {0};
        rc = keep_pick(c, c->name[i], &value);
        if (rc == 0 && creds_seal(c->name[i], &value, &out, c->e) < 0) {
            rc = err_wrap(c->e, "%s", c->name[i]);
        }
        safe_release(&value);
    }
    rc = rc == 0 ? keep_write(buf_slice(&out), c->e) : rc;
    buf_release(&out);
    return rc;
}

int keep_grant(struct keep_call *c)
{
    struct grant grant = {0};
    struct safe bytes = {0};
    int rc = -1;

    if (keep_refuse_terminal("a key", "", c->e) == 0 &&
        keep_open(c, false) == 0 &&
        grant_make(&grant, c->vault, c->name[0], c->e) == 0) {
        grant_pack(&grant, 1, &bytes);
        rc = keep_write(safe_slice(&bytes), c->e);
    }
    safe_release(&bytes);
    grant_release(&grant);
    return rc;
}

int keep_export(struct keep_call *c)
{
    struct vault_key key = {0};
    struct buf out;
    int rc = -1;

    if (c->o->to == NULL && !c->o->passphrase) {
        return err_set(c->e, STATUS_USAGE,
                       "export: what shall it be sealed with? --to REF or "
                       "--passphrase");
    }
    buf_init(&out);
    if (keep_refuse_terminal("a bundle", "", c->e) == 0 &&
        vault_key_make(&key, c->o->to, c->o->passphrase, c->e) == 0 &&
        keep_open(c, false) == 0 &&
        bundle_write(c->vault, &key, &out, c->e) == 0) {
        rc = keep_write(buf_slice(&out), c->e);
    }
    buf_release(&out);
    vault_key_release(&key);
    return rc;
}

int keep_import(struct keep_call *c)
{
    struct buf in;
    struct safe key = {0};
    int rc = -1;

    buf_init(&in);
    if (isatty(STDIN_FILENO)) {
        (void)err_set(c->e, STATUS_USAGE,
                      "import reads a bundle: dpp-vault import < FILE");
    } else if (safe_init(false, c->e) == 0 &&
               fd_read(STDIN_FILENO, "standard input", FORMAT_FILE_MAX, &in,
                       c->e) == 0 &&
               bundle_key(buf_slice(&in), c->o->from, &key, c->e) == 0 &&
               keep_open(c, true) == 0 &&
               bundle_merge(c->vault, buf_slice(&in), &key, c->o->replace,
                            c->e) == 0) {
        rc = vault_commit(c->vault, c->e);
    }
    safe_release(&key);
    buf_release(&in);
    return rc;
}
