/* Entries: in, out, and what there is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "keep/keep.h"
#include "vault/ref.h"
#include "vault/show.h"
#include "vault/subjects.h"

enum { INPUT_MAX = 4 * KIND_FIELD_MAX };

static int read_value(const struct kind *k, const char *name,
                      struct safe field[KIND_FIELDS], struct err *e)
{
    struct safe in;

    if (isatty(STDIN_FILENO)) {
        return kind_ask(k, name, field, e);
    }
    if (ref_read_fd(STDIN_FILENO, "standard input", INPUT_MAX, &in, e) < 0) {
        return -1;
    }
    const int rc = kind_read(k, &in, field, e);
    safe_release(&in);
    return rc < 0 ? err_wrap(e, "%s", name) : 0;
}

/* An RFC 3339 time, or how long from now; NULL: as it was. */
static int read_expiry(const char *text, uint64_t *ms, struct err *e)
{
    uint64_t duration;
    struct err ignored;

    if (text == NULL || strcmp(text, "never") == 0) {
        *ms = text == NULL ? *ms : 0;
        return 0;
    }
    if (duration_parse(text, &duration, &ignored) == 0) {
        *ms = clock_wall_ms() + duration;
        return 0;
    }
    return time_parse(text, ms, e) < 0 ? err_wrap(e, "--expires") : 0;
}

/* The value may be typed, which takes its time: the vault is looked at before,
 * and again behind it, when it is ours alone. */
static int enter_value(struct keep_call *c, const struct kind *k,
                       struct safe field[KIND_FIELDS])
{
    vault_pause(c->vault);
    if (read_value(k, c->name[0], field, c->e) < 0) {
        return -1;
    }
    if (vault_resume(c->vault, c->e) < 0) {
        kind_forget(field);
        return -1;
    }
    return 0;
}

/* Of what is renewed the end is known to who issues it. */
static int check_expiry(const struct kind *k, const struct keep_options *o,
                        struct err *e)
{
    return kind_is_renewed(k) && o->expires != NULL
               ? err_set(e, STATUS_USAGE,
                         "--expires: renewals say when the access token of "
                         "%s ends",
                         k->name)
               : 0;
}

static int refuse_existing(struct keep_call *c)
{
    return format_find(vault_list(c->vault), c->name[0]) == NULL
               ? 0
               : err_set(c->e, STATUS_CONFIG,
                         "vault %s has an entry %s already: rotate gives it a "
                         "new value, rm removes it",
                         vault_name(c->vault), c->name[0]);
}

int keep_put(struct keep_call *c)
{
    const struct kind *k =
        kind_find(c->o->kind != NULL ? c->o->kind : "token", c->e);
    struct value value = {.kind = k};
    struct safe field[KIND_FIELDS];
    uint64_t expires = 0;

    if (k == NULL || check_expiry(k, c->o, c->e) < 0 ||
        read_expiry(c->o->expires, &expires, c->e) < 0 ||
        keep_open(c, false) < 0 || refuse_existing(c) < 0 ||
        enter_value(c, k, field) < 0) {
        return -1;
    }
    value_rotate(&value, field, 0);
    int rc = refuse_existing(c);
    if (rc == 0) {
        vault_set(c->vault, c->name[0], &value, expires);
        rc = vault_commit(c->vault, c->e);
    }
    value_release(&value);
    return rc;
}

static int get_value(struct keep_call *c, struct value *value)
{
    const struct format_entry *en = vault_find(c->vault, c->name[0], c->e);

    return en != NULL ? vault_get(c->vault, en, value, c->e) : -1;
}

int keep_rotate(struct keep_call *c)
{
    struct safe field[KIND_FIELDS];
    struct value value = {0};
    uint64_t expires = 0; /* the old value's is not the new one's */

    if (read_expiry(c->o->expires, &expires, c->e) < 0 ||
        keep_open(c, false) < 0 || get_value(c, &value) < 0) {
        return -1;
    }
    const struct kind *k = value.kind;
    value_release(&value);
    if (check_expiry(k, c->o, c->e) < 0 || enter_value(c, k, field) < 0) {
        return -1;
    }
    const uint64_t overlap_ms = kind_is_renewed(k) ? 0 : c->o->overlap_ms;
    int rc = get_value(c, &value);
    if (rc == 0 && value.kind != k) {
        rc = err_set(c->e, STATUS_RETRY, "%s became another kind just now",
                     c->name[0]);
    }
    if (rc < 0 ||
        value_renew(&value, field, overlap_ms, clock_wall_ms(), c->e) < 0) {
        kind_forget(field);
        value_release(&value);
        return -1;
    }
    vault_set(c->vault, c->name[0], &value, expires);
    value_release(&value);
    return vault_commit(c->vault, c->e);
}

/* The field that "NAME" or "NAME.FIELD" stands for. */
int keep_pick(struct keep_call *c, const char *ref, struct safe *out)
{
    const char *dot = strchr(ref, '.');
    const struct slice field = slice_of(dot != NULL ? dot + 1 : "");
    char *name = mem_strndup(ref, strcspn(ref, "."));
    const struct format_entry *en = vault_find(c->vault, name, c->e);
    struct value value = {0};
    int rc = -1;

    if (en != NULL && vault_get(c->vault, en, &value, c->e) == 0) {
        rc = value_pick(&value, 0, field, out, c->e) < 0
                 ? err_wrap(c->e, "%s", name)
                 : 0;
    }
    if (rc == 0) {
        vault_use(vault_name(c->vault), name);
    }
    value_release(&value);
    free(name);
    return rc;
}

int keep_get(struct keep_call *c)
{
    struct safe out = {0};

    if ((!c->o->reveal &&
         keep_refuse_terminal("a secret", "; --reveal shows it", c->e) < 0) ||
        keep_open(c, false) < 0 || keep_pick(c, c->name[0], &out) < 0) {
        return -1;
    }
    const int rc = keep_write(safe_slice(&out), c->e);
    if (rc == 0 && isatty(STDOUT_FILENO)) {
        (void)!write(STDOUT_FILENO, "\n", 1);
    }
    safe_release(&out);
    return rc;
}

int keep_rm(struct keep_call *c)
{
    if (keep_open(c, true) < 0 ||
        vault_remove(c->vault, c->name[0], c->e) < 0 ||
        vault_commit(c->vault, c->e) < 0) {
        return -1;
    }
    vault_use_never(vault_name(c->vault), c->name[0]);
    subjects_remove(vault_name(c->vault), c->name[0]);
    return 0;
}

int keep_list(struct keep_call *c)
{
    if (keep_open(c, false) < 0) {
        return -1;
    }
    if (vault_list(c->vault)->n == 0) {
        msg_info("no entries yet in %s", vault_name(c->vault));
    } else {
        show_entries(c->vault, stdout);
    }
    return 0;
}
