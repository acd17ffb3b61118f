#include "base/err.h"
#include "base/msg.h"
#include "keep/keep.h"
#include "vault/subjects.h"

struct count {
    size_t keys;
    size_t gone;
};

/* One subject, in the keys of one entry, under all versions of that. */
static int forget_in(struct keep_call *c, const struct format_entry *en,
                     struct slice subject, struct count *count)
{
    struct subjects_version version[VALUE_KEPT];
    struct value value;

    if (vault_get(c->vault, en, &value, c->e) < 0) {
        return -1;
    }
    const size_t n = value.versions;
    for (size_t i = 0; i < n; i++) {
        subjects_version_make(&version[i], &value.version[i].field[0]);
    }
    value_release(&value);
    struct subjects *s = subjects_new(vault_name(c->vault), en->name);
    const int rc = subjects_forget(s, version, n, subject, &count->keys,
                                   &count->gone, c->e);
    subjects_free(s);
    for (size_t i = 0; i < n; i++) {
        subjects_version_release(&version[i]);
    }
    return rc;
}

static int forget(struct keep_call *c, const char *subject, struct count *count)
{
    const struct format *f = vault_list(c->vault);

    for (size_t i = 0; i < f->n; i++) {
        if (f->entry[i].kind == KIND_SUBJECTS &&
            forget_in(c, &f->entry[i], slice_of(subject), count) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A subject that nobody knows is an error: it may be misspelt. All the others
 * are forgotten none the less. */
int keep_forget(struct keep_call *c)
{
    int rc = 0;

    if (keep_open(c, false) < 0) {
        return -1;
    }
    for (size_t i = 0; i < c->names; i++) {
        struct count count = {0};
        if (forget(c, c->name[i], &count) < 0) {
            return -1;
        }
        if (count.keys > 0) {
            msg_info("forgotten: %s", c->name[i]);
        } else if (count.gone > 0) {
            msg_info("forgotten before: %s", c->name[i]);
        } else {
            rc = err_set(c->e, STATUS_REFUSED,
                         "vault %s has no key of a subject \"%s\"",
                         vault_name(c->vault), c->name[i]);
        }
    }
    return rc;
}
