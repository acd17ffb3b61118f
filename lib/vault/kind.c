#include "vault/kind.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "vault/json.h"
#include "vault/keys.h"
#include "vault/tty.h"

static const struct kind kinds[] = {
    {1, "token", "secret", {{"secret", KIND_TEXT, false}}},
    {2, "hmac", "secret", {{"secret", KIND_BYTES, false}}},
    {3,
     "basic",
     "user:password",
     {{"user", KIND_USER, false}, {"password", KIND_TEXT, false}}},
    {4,
     "smtp",
     "password",
     {{"user", KIND_TEXT, false},
      {"password", KIND_TEXT, false},
      {"server", KIND_TEXT, true}}},
    {5,
     "sasl",
     "password",
     {{"user", KIND_TEXT, false},
      {"password", KIND_TEXT, false},
      {"mechanism", KIND_MECHANISM, false}}},
    {6, "tls-key", "key", {{"key", KIND_PEM, false}}},
    {7,
     "oauth2",
     "access_token",
     {{"token_url", KIND_URL, false},
      {"client_id", KIND_SHORT, false},
      {"client_secret", KIND_SHORT, true},
      {"refresh_token", KIND_SHORT, false},
      {"access_token", KIND_SHORT, true},
      {"renewing", KIND_OWN, true}}},
    {8, "key", "secret", {{"secret", KIND_KEY, false}}},
    {KIND_SUBJECTS, "subjects", "secret", {{"secret", KIND_KEY, false}}},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

const struct kind *kind_of(uint8_t code)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].code == code) {
            return &kinds[i];
        }
    }
    return NULL;
}

const struct kind *kind_find(const char *name, struct err *e)
{
    struct buf all;

    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    buf_init(&all);
    for (size_t i = 0; i < KINDS; i++) {
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", kinds[i].name);
    }
    (void)err_set(e, STATUS_USAGE, "--kind %.60s: there are %s", name,
                  buf_cstr(&all));
    buf_release(&all);
    return NULL;
}

bool kind_keeps(const struct kind *k)
{
    return k->field[0].check == KIND_KEY;
}

int kind_field(const struct kind *k, struct slice name)
{
    for (int i = 0; k->field[i].name != NULL; i++) {
        if (slice_is(name, k->field[i].name)) {
            return i;
        }
    }
    return -1;
}

bool kind_is_renewed(const struct kind *k)
{
    return kind_field(k, SLICE("refresh_token")) >= 0;
}

/* --- checks ----------------------------------------------------------------
 */

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool holds(struct slice s, const char *text)
{
    return s.n > 0 && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

/* https, or http on this machine: what is sent there is a secret. */
static bool is_url(struct slice s)
{
    static const char *const starts[] = {"https://", "http://127.0.0.1",
                                         "http://localhost", "http://[::1]"};
    bool good = false;

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        const size_t n = strlen(starts[i]);
        good = good || (s.n > n && memcmp(s.p, starts[i], n) == 0 &&
                        (i == 0 || memchr(":/", s.p[n], 2) != NULL));
    }
    return good && !holds(s, "@") && !holds(s, " ");
}

/* What is wrong with it, or NULL. */
static const char *fault(enum kind_check check, struct slice s)
{
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256",
                                             "SCRAM-SHA-512"};

    if (s.n == 0) {
        return "is empty";
    }
    if (s.n > KIND_FIELD_MAX) {
        return "is larger than 64 KiB";
    }
    if (s.n > KIND_SHORT_MAX &&
        (check == KIND_SHORT || check == KIND_URL || check == KIND_OWN)) {
        return "is larger than 8 KiB";
    }
    switch (check) {
    case KIND_BYTES:
        return NULL;
    case KIND_URL:
        return is_url(s) && !has_control(s)
                   ? NULL
                   : "is no https URL (http is for this machine only, and a "
                     "user or password has no place in it)";
    case KIND_USER:
        if (holds(s, ":")) {
            return "has a colon in it";
        }
        __attribute__((fallthrough));
    case KIND_TEXT:
    case KIND_SHORT:
    case KIND_OWN:
        return has_control(s) ? "has a line end or a control character in it"
                              : NULL;
    case KIND_MECHANISM:
        for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
            if (slice_is(s, mechanisms[i])) {
                return NULL;
            }
        }
        return "is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512";
    case KIND_PEM:
        return memcmp(s.p, "-----BEGIN ", s.n < 11 ? s.n : 11) == 0 &&
                       holds(s, "PRIVATE KEY-----\n") && holds(s, "-----END ")
                   ? NULL
                   : "is no private key in PEM";
    case KIND_KEY:
        return s.n == KEYS_BYTES ? NULL
                                 : "is neither 32 bytes nor 64 hex digits nor "
                                   "the word random";
    }
    return "is of no known form";
}

static int check(const struct kind *k, const struct safe field[KIND_FIELDS],
                 struct err *e)
{
    for (int i = 0; k->field[i].name != NULL; i++) {
        const struct kind_field *f = &k->field[i];
        if (field[i].p == NULL && f->optional) {
            continue;
        }
        if (field[i].p == NULL) {
            return err_set(e, STATUS_STREAM, "%s: \"%s\" is missing", k->name,
                           f->name);
        }
        const char *why = fault(f->check, safe_slice(&field[i]));
        if (why != NULL) {
            return err_set(e, STATUS_STREAM, "%s: \"%s\" %s", k->name, f->name,
                           why);
        }
    }
    return 0;
}

/* --- JSON ------------------------------------------------------------------
 */

static int take_members(const struct kind *k, json_t *object,
                        struct safe field[KIND_FIELDS], struct err *e)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const int i = kind_field(k, slice_of(name));
        if (i < 0 || k->field[i].check == KIND_OWN) {
            return err_set(e, STATUS_STREAM,
                           "%s: there is no field \"%.60s\" in it", k->name,
                           name);
        }
        if (!json_is_string(value)) {
            return err_set(e, STATUS_STREAM, "%s: \"%s\" is not a text",
                           k->name, name);
        }
        safe_copy(&field[i], json_string_value(value),
                  json_string_length(value));
    }
    return 0;
}

/* jansson's own message would quote what it read. */
static int read_json(const struct kind *k, struct slice text,
                     struct safe field[KIND_FIELDS], struct err *e)
{
    struct vault_json was;
    json_error_t where;
    int rc;

    vault_json_begin(&was);
    json_t *object = json_loadb(
        text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (!json_is_object(object)) {
        rc = err_set(e, STATUS_STREAM,
                     "%s: give it as a JSON object, {\"%s\":\"...\"}%s",
                     k->name, k->field[0].name,
                     object == NULL ? "; this is no JSON" : "");
    } else {
        rc = take_members(k, object, field, e);
    }
    json_decref(object);
    vault_json_end(&was);
    return rc;
}

/* --- entering --------------------------------------------------------------
 */

static struct slice without_line_end(struct slice s)
{
    s.n -= s.n > 0 && s.p[s.n - 1] == '\n';
    s.n -= s.n > 0 && s.p[s.n - 1] == '\r';
    return s;
}

void kind_forget(struct safe field[KIND_FIELDS])
{
    for (int i = 0; i < KIND_FIELDS; i++) {
        safe_release(&field[i]);
    }
}

/* What is none stays as it was entered, for the check to refuse. */
static void read_key(const struct safe *entered, struct safe *field)
{
    const struct slice s = without_line_end(safe_slice(entered));

    if (slice_is(s, "random")) {
        safe_new(field, KEYS_BYTES);
        rand_bytes(field->p, field->n);
    } else if (!keys_parse(safe_slice(entered), field) &&
               !keys_parse(s, field)) {
        safe_copy(field, s.p, s.n);
    }
}

int kind_read(const struct kind *k, const struct safe *entered,
              struct safe field[KIND_FIELDS], struct err *e)
{
    const struct slice s = without_line_end(safe_slice(entered));
    int rc = 0;

    memset(field, 0, KIND_FIELDS * sizeof *field);
    if (k->field[1].name != NULL) {
        rc = read_json(k, s, field, e);
    } else if (k->field[0].check == KIND_KEY) {
        read_key(entered, &field[0]);
    } else {
        safe_copy(&field[0], s.p, s.n);
    }
    if (rc < 0 || check(k, field, e) < 0) {
        kind_forget(field);
        return -1;
    }
    return 0;
}

int kind_ask(const struct kind *k, const char *name,
             struct safe field[KIND_FIELDS], struct err *e)
{
    memset(field, 0, KIND_FIELDS * sizeof *field);
    for (int i = 0; k->field[i].name != NULL; i++) {
        if (k->field[i].optional) {
            continue;
        }
        char *what = mem_printf("%s of %s", k->field[i].name, name);
        const int rc = tty_ask(what, false, &field[i], e);
        free(what);
        if (rc < 0) {
            kind_forget(field);
            return -1;
        }
        if (k->field[i].check == KIND_KEY) {
            struct safe entered = field[i];
            read_key(&entered, &field[i]);
            safe_release(&entered);
        }
    }
    if (check(k, field, e) < 0) {
        kind_forget(field);
        return -1;
    }
    return 0;
}
