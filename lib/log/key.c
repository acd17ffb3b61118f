/* Keys by reference. */
#include "base/err.h"
#include "log/shared.h"
#include "vault/secret.h"

static int add_versions(struct log *log, const struct secret *s, struct err *e)
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
        log_key(log, safe_slice(&key));
        safe_release(&key);
    }
    return 0;
}

int log_key_read(struct log *log, const char *ref, struct err *e)
{
    if (secret_check(ref, e) < 0 || safe_init(false, e) < 0) {
        return -1;
    }
    struct secret *s = secret_new(ref);
    const int rc =
        secret_load(s, e) < 0 || add_versions(log, s, e) < 0 ? -1 : 0;

    secret_free(s);
    return rc;
}
