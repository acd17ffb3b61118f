#include "connector/connector.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "connector/find.h"
#include "record/pointer.h"

/* --- the tables of known keys ------------------------------------------- */

static const char *const hashes[] = {"sha1", "sha256", "sha512", NULL};
static const char *const encodings[] = {"hex", "base64", NULL};
static const char *const lists[] = {"none", "comma", "blank", NULL};
static const char *const key_forms[] = {"text", "hex", "base64", NULL};
static const char *const units[] = {"s", "ms", NULL};

struct top {
    const char *about;
    const char *docs;
    const char *checked;
    const struct conf *webhook;
    const struct conf *examples;
};

static const struct conf_key top_keys[] = {
    {.name = "about",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct top, about),
     .required = true},
    {.name = "docs", .want = CONF_WANT_TEXT, .at = offsetof(struct top, docs)},
    {.name = "checked",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct top, checked)},
    {.name = "webhook",
     .want = CONF_WANT_MAP,
     .at = offsetof(struct top, webhook),
     .required = true},
    {.name = "examples",
     .want = CONF_WANT_LIST,
     .at = offsetof(struct top, examples)},
    {.name = NULL},
};

struct webhook {
    const char *source;
    const char *id;
    const char *type;
    const char *key;
    const char *subject;
    const struct conf *sign;
};

static const struct conf_key webhook_keys[] = {
    {.name = "source",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct webhook, source),
     .required = true},
    {.name = "id", .want = CONF_WANT_TEXT, .at = offsetof(struct webhook, id)},
    {.name = "type",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct webhook, type),
     .required = true},
    {.name = "key",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct webhook, key)},
    {.name = "subject",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct webhook, subject)},
    {.name = "sign",
     .want = CONF_WANT_MAP,
     .at = offsetof(struct webhook, sign)},
    {.name = NULL},
};

#define SCHEME(member) offsetof(struct sign_scheme, member)

static const struct conf_key sign_keys_known[] = {
    {.name = "header",
     .want = CONF_WANT_TEXT,
     .at = SCHEME(header),
     .required = true},
    {.name = "prefix", .want = CONF_WANT_TEXT, .at = SCHEME(prefix)},
    {.name = "hmac",
     .want = CONF_WANT_CHOICE,
     .at = SCHEME(hmac),
     .required = true,
     .choices = hashes},
    {.name = "encoding",
     .want = CONF_WANT_CHOICE,
     .at = SCHEME(encoding),
     .required = true,
     .choices = encodings},
    {.name = "list",
     .want = CONF_WANT_CHOICE,
     .at = SCHEME(list),
     .choices = lists},
    {.name = "item", .want = CONF_WANT_TEXT, .at = SCHEME(item)},
    {.name = "id", .want = CONF_WANT_TEXT, .at = SCHEME(id)},
    {.name = "timestamp", .want = CONF_WANT_TEXT, .at = SCHEME(time)},
    {.name = "timestamp-item", .want = CONF_WANT_TEXT, .at = SCHEME(time_item)},
    {.name = "timestamp-unit",
     .want = CONF_WANT_CHOICE,
     .at = SCHEME(unit),
     .choices = units},
    {.name = "tolerance",
     .want = CONF_WANT_DURATION,
     .at = SCHEME(tolerance_ms),
     .min = 1000,
     .max = 86400000},
    {.name = "signed",
     .want = CONF_WANT_TEXT,
     .at = SCHEME(text),
     .required = true},
    {.name = "key",
     .want = CONF_WANT_CHOICE,
     .at = SCHEME(key),
     .choices = key_forms},
    {.name = "key-prefix", .want = CONF_WANT_TEXT, .at = SCHEME(key_prefix)},
    {.name = NULL},
};

#define EXAMPLE(member) offsetof(struct connector_example, member)

static const struct conf_key example_keys[] = {
    {.name = "about",
     .want = CONF_WANT_TEXT,
     .at = EXAMPLE(about),
     .required = true},
    {.name = "secret", .want = CONF_WANT_TEXT, .at = EXAMPLE(secret)},
    {.name = "now", .want = CONF_WANT_TEXT, .at = EXAMPLE(now)},
    {.name = "headers", .want = CONF_WANT_MAP, .at = EXAMPLE(headers)},
    {.name = "body",
     .want = CONF_WANT_TEXT,
     .at = EXAMPLE(body),
     .required = true},
    {.name = "accept",
     .want = CONF_WANT_BOOL,
     .at = EXAMPLE(accept),
     .required = true},
    {.name = "event", .want = CONF_WANT_MAP, .at = EXAMPLE(event)},
    {.name = NULL},
};

/* --- reading ------------------------------------------------------------ */

int connector_ref_parse(struct connector_ref *r, const char *text,
                        struct err *e)
{
    *r = (struct connector_ref){CONNECTOR_TEXT, text};
    if (strncmp(text, "header:", 7) == 0) {
        *r = (struct connector_ref){CONNECTOR_HEADER, text + 7};
        if (!http_token_valid(slice_of(r->text))) {
            return err_set(e, STATUS_CONFIG, "\"%.40s\" is no name of a header",
                           r->text);
        }
    } else if (strncmp(text, "body:", 5) == 0) {
        *r = (struct connector_ref){CONNECTOR_BODY, text + 5};
        if (r->text[0] != '/' || !json_pointer_valid(r->text)) {
            return err_set(e, STATUS_CONFIG,
                           "\"%.40s\" is no JSON pointer; write body:/a/b",
                           r->text);
        }
    }
    return 0;
}

/* A reference of the map, if it is there. */
static int read_ref(const struct conf *map, const char *key,
                    struct connector_ref *to, struct err *e)
{
    const struct conf *c = conf_get(map, key);
    struct err why;

    if (c != NULL && connector_ref_parse(to, c->text, &why) < 0) {
        return conf_error(c, e, "\"%s\": %.200s", key, why.text);
    }
    return 0;
}

static int check_header(const struct conf *map, const char *key,
                        const char *name, struct err *e)
{
    if (name != NULL && !http_token_valid(slice_of(name))) {
        return conf_error(conf_get(map, key), e,
                          "\"%s\": \"%.40s\" is no name of a header", key,
                          name);
    }
    return 0;
}

static int read_sign(struct connector *c, const struct conf *map, struct err *e)
{
    struct sign_scheme *s = &c->sign;
    struct err why;

    if (conf_read(map, sign_keys_known, s, e) < 0 ||
        check_header(map, "header", s->header, e) < 0 ||
        check_header(map, "id", s->id, e) < 0 ||
        check_header(map, "timestamp", s->time, e) < 0) {
        return -1;
    }
    struct sign *trial = sign_new(s, &why);
    if (trial == NULL) {
        return conf_error(map, e, "%s", why.text);
    }
    sign_free(trial);
    c->is_signed = true;
    return 0;
}

static int read_webhook(struct connector *c, const struct conf *map,
                        struct err *e)
{
    struct webhook w = {0};

    if (conf_read(map, webhook_keys, &w, e) < 0 ||
        read_ref(map, "id", &c->id, e) < 0 ||
        read_ref(map, "type", &c->type, e) < 0 ||
        read_ref(map, "key", &c->key, e) < 0 ||
        read_ref(map, "subject", &c->subject, e) < 0) {
        return -1;
    }
    c->source = w.source;
    return w.sign != NULL ? read_sign(c, w.sign, e) : 0;
}

static int read_examples(struct connector *c, const struct conf *list,
                         struct err *e)
{
    size_t n = 0;

    for (const struct conf *i = list->first; i != NULL; i = i->next) {
        n++;
    }
    c->example = mem_new((n + 1) * sizeof *c->example);
    for (const struct conf *i = list->first; i != NULL; i = i->next) {
        struct connector_example *x = &c->example[c->examples];
        if (conf_read(i, example_keys, x, e) < 0) {
            return -1;
        }
        c->examples++;
    }
    return 0;
}

static int read_top(struct connector *c, struct err *e)
{
    struct top t = {0};

    if (conf_read(conf_root(c->file), top_keys, &t, e) < 0 ||
        read_webhook(c, t.webhook, e) < 0 ||
        (t.examples != NULL && read_examples(c, t.examples, e) < 0)) {
        return -1;
    }
    c->about = t.about;
    c->docs = t.docs;
    c->checked = t.checked;
    return 0;
}

struct connector *connector_load(const char *name, struct err *e)
{
    char *path = connector_find(name, e);
    struct connector *c = NULL;

    if (path == NULL) {
        return NULL;
    }
    struct conf_file *f = conf_load(path, e);
    if (f != NULL) {
        c = mem_new(sizeof *c);
        c->name = mem_strdup(name);
        c->file = f;
        c->sign.prefix = "";
        c->sign.key_prefix = "";
        if (read_top(c, e) < 0) {
            connector_free(c);
            c = NULL;
        }
    }
    free(path);
    return c;
}

void connector_free(struct connector *c)
{
    if (c != NULL) {
        conf_free(c->file);
        free(c->example);
        free(c->name);
        free(c);
    }
}
