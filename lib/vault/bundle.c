#include "vault/bundle.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/rand.h"
#include "vault/unlock.h"

static int add(struct format *f, const struct vault *v,
               const struct format_entry *en, const struct safe *bundle_key,
               struct err *e)
{
    struct format_entry *copy = format_put(f, en->name);
    struct value value;
    struct safe key;
    struct safe plain;

    if (vault_get(v, en, &value, e) < 0) {
        return -1;
    }
    copy->kind = en->kind;
    copy->created = en->created;
    copy->rotated = en->rotated;
    copy->expires = en->expires;
    copy->counter = f->generation;
    keys_entry(bundle_key, f->id, en->name, &key);
    value_pack(&value, &plain);
    format_seal(f, copy, &key, &plain);
    safe_release(&plain);
    safe_release(&key);
    value_release(&value);
    return 0;
}

int bundle_write(const struct vault *v, const struct vault_key *k,
                 struct buf *out, struct err *e)
{
    const struct format *from = vault_list(v);
    struct format f = {.form = k->form, .generation = 1};
    struct safe list_key;
    int rc = 0;

    rand_bytes(f.id, sizeof f.id);
    for (size_t i = 0; rc == 0 && i < from->n; i++) {
        rc = add(&f, v, &from->entry[i], &k->key, e);
    }
    if (rc == 0) {
        keys_list(&k->key, f.id, &list_key);
        format_write(&f, &list_key, out);
        safe_release(&list_key);
    }
    format_release(&f);
    return rc;
}

static int parse(struct format *f, struct slice bundle, struct err *e)
{
    return format_parse(f, bundle, e) < 0 ? err_wrap(e, "the bundle") : 0;
}

int bundle_key(struct slice bundle, const char *ref, struct safe *key,
               struct err *e)
{
    struct format f;

    if (parse(&f, bundle, e) < 0) {
        return -1;
    }
    const struct keys_form form = f.form;
    format_release(&f);
    if ((form.way == KEYS_PASSPHRASE) == (ref != NULL)) {
        return err_set(e, STATUS_USAGE,
                       ref != NULL
                           ? "import: the bundle has a passphrase, so --from "
                             "is of no use"
                           : "import: which key is the bundle sealed with? "
                             "--from REF");
    }
    return ref != NULL ? unlock_ref(ref, key, e)
                       : unlock_ask(&form, false, key, e);
}

static int take(struct vault *v, const struct format *f,
                const struct format_entry *en, const struct safe *bundle_key,
                struct err *e)
{
    const struct kind *k = kind_of(en->kind);
    struct safe key;
    struct safe plain = {0};
    struct value value;
    int rc = -1;

    keys_entry(bundle_key, f->id, en->name, &key);
    if (k != NULL && format_open(f, en, &key, &plain) &&
        value_unpack(&value, k, &plain) == 0) {
        vault_adopt(v, en, &value);
        value_release(&value);
        rc = 0;
    } else {
        (void)err_set(e, STATUS_CONFIG,
                      "the bundle: entry %s is damaged, or a newer dpp wrote "
                      "it",
                      en->name);
    }
    safe_release(&plain);
    safe_release(&key);
    return rc;
}

static int merge(struct vault *v, const struct format *f,
                 const struct safe *key, bool replace, struct err *e)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct format_entry *en = &f->entry[i];
        if (!replace && format_find(vault_list(v), en->name) != NULL) {
            return err_set(e, STATUS_CONFIG,
                           "vault %s has an entry %s already; nothing was "
                           "imported (--replace replaces it)",
                           vault_name(v), en->name);
        }
        if (take(v, f, en, key, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int bundle_merge(struct vault *v, struct slice bundle, const struct safe *key,
                 bool replace, struct err *e)
{
    struct format f;
    struct safe list_key;

    if (parse(&f, bundle, e) < 0) {
        return -1;
    }
    keys_list(key, f.id, &list_key);
    const int rc =
        format_proven(bundle, &list_key)
            ? merge(v, &f, key, replace, e)
            : err_set(e, STATUS_REFUSED,
                      "the bundle: this is not its key, or it was changed by "
                      "other hands");
    safe_release(&list_key);
    format_release(&f);
    return rc;
}
