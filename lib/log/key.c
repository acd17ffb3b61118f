/* Keys by reference. The vault's may change while they are in use. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "log/shared.h"
#include "vault/secret.h"

static int add_versions(struct cipher *keys, const struct secret *s,
                        struct err *e)
{
    struct safe key;
    uint64_t ignored;

    for (size_t i = 0; i < secret_versions(s); i++) {
        if (!keys_parse(secret_version(s, i, &ignored), &key)) {
            return err_set(e, STATUS_CONFIG,
                           "%s is no key of a log: 64 hex digits (openssl rand "
                           "-hex 32), or an entry of the vault of kind key",
                           secret_ref(s));
        }
        cipher_add(keys, safe_slice(&key));
        safe_release(&key);
    }
    return 0;
}

/* All of them, or those that were there stay. */
static int take(struct log *log, struct err *e)
{
    struct cipher keys = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < log->secrets; i++) {
        rc = add_versions(&keys, log->secret[i], e);
    }
    if (rc < 0) {
        cipher_release(&keys);
        return -1;
    }
    cipher_release(&log->keys);
    log->keys = keys;
    log->keys_serial++;
    return 0;
}

int log_key_read(struct log *log, const char *ref, struct err *e)
{
    if (secret_check(ref, e) < 0 || safe_init(false, e) < 0) {
        return -1;
    }
    struct secret *s = secret_new(ref);
    log->secret =
        mem_resize(log->secret, (log->secrets + 1) * sizeof(struct secret *));
    log->secret[log->secrets++] = s;
    return secret_load(s, e) < 0 ? -1 : take(log, e);
}

void log_keys_renew(struct log *log, bool at_once)
{
    bool changed = false;
    struct err e;

    for (size_t i = 0; i < log->secrets; i++) {
        struct secret *s = log->secret[i];
        if (at_once ? secret_has_changed(s) : secret_is_stale(s)) {
            if (secret_load(s, &e) < 0) {
                msg_warn("%s; the old keys stay in use", e.text);
                return;
            }
            changed = true;
        }
    }
    if (changed && take(log, &e) < 0) {
        msg_warn("%s; the old keys stay in use", e.text);
    }
}

void log_keys_release(struct log *log)
{
    for (size_t i = 0; i < log->secrets; i++) {
        secret_free(log->secret[i]);
    }
    free(log->secret);
    cipher_release(&log->keys);
}
