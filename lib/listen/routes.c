#include "listen/routes.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "connector/connector.h"
#include "vault/secret.h"

/* --- configuration ------------------------------------------------------ */

static const struct conf_key top_keys[] = {
    {.name = "routes", .want = CONF_WANT_LIST, .at = 0, .required = true},
    {.name = NULL},
};

struct entry {
    const char *path;
    const char *connector;
    const char *key;
    const struct conf *keys;
    const char *topic;
    const char *source;
    bool is_open;
};

static const struct conf_key entry_keys[] = {
    {.name = "path",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct entry, path),
     .required = true},
    {.name = "connector",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct entry, connector)},
    {.name = "key", .want = CONF_WANT_TEXT, .at = offsetof(struct entry, key)},
    {.name = "keys",
     .want = CONF_WANT_LIST,
     .at = offsetof(struct entry, keys)},
    {.name = "topic",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct entry, topic)},
    {.name = "source",
     .want = CONF_WANT_TEXT,
     .at = offsetof(struct entry, source)},
    {.name = "unsigned",
     .want = CONF_WANT_BOOL,
     .at = offsetof(struct entry, is_open)},
    {.name = NULL},
};

static size_t length(const struct conf *list)
{
    size_t n = 0;

    for (const struct conf *c = list != NULL ? list->first : NULL; c != NULL;
         c = c->next) {
        n++;
    }
    return n;
}

static int add_key(struct route *r, const struct conf *at, struct err *e)
{
    struct err why;

    if (at->kind != CONF_TEXT) {
        return conf_error(at, e, "a key must be a reference like file:PATH");
    }
    if (secret_check(at->text, &why) < 0) {
        return conf_error(at, e, "%.200s", why.text);
    }
    r->key[r->keys++] = secret_new(at->text);
    return 0;
}

static int read_keys(struct route *r, const struct conf *map,
                     const struct entry *in, struct err *e)
{
    r->key = mem_new((length(in->keys) + 1) * sizeof(struct secret *));
    if (in->key != NULL && in->keys != NULL) {
        return conf_error(map, e, "both \"key\" and \"keys\"");
    }
    if (in->key != NULL) {
        return add_key(r, conf_get(map, "key"), e);
    }
    for (const struct conf *c = in->keys != NULL ? in->keys->first : NULL;
         c != NULL; c = c->next) {
        if (add_key(r, c, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_route(struct routes *rs, const struct conf *map,
                      const char *topic, struct err *e)
{
    struct entry in = {.topic = topic};

    if (conf_read(map, entry_keys, &in, e) < 0) {
        return -1;
    }
    if (in.path[0] != '/' || strpbrk(in.path, "?#") != NULL) {
        return conf_error(conf_get(map, "path"), e,
                          "\"path\" must begin with \"/\" and have no query");
    }
    if (routes_find(rs, slice_of(in.path)) != NULL) {
        return conf_error(conf_get(map, "path"), e,
                          "path \"%.100s\" a second time", in.path);
    }
    struct route *r = &rs->route[rs->n++];
    *r = (struct route){.path = in.path,
                        .connector_name = in.connector,
                        .source = in.source,
                        .topic = in.topic,
                        .is_open = in.is_open};
    return read_keys(r, map, &in, e);
}

int routes_init_file(struct routes *rs, const char *path, const char *topic,
                     struct err *e)
{
    const struct conf *list = NULL;

    *rs = (struct routes){.file = conf_load(path, e)};
    if (rs->file == NULL ||
        conf_read(conf_root(rs->file), top_keys, &list, e) < 0) {
        return -1;
    }
    if (list->first == NULL) {
        return conf_error(list, e, "\"routes\" is empty");
    }
    rs->route = mem_new(length(list) * sizeof *rs->route);
    for (const struct conf *c = list->first; c != NULL; c = c->next) {
        if (read_route(rs, c, topic, e) < 0) {
            return -1;
        }
    }
    return 0;
}

void routes_init_one(struct routes *rs, const char *connector,
                     const char *const *key, size_t keys, const char *topic,
                     bool is_open)
{
    struct route *r = mem_new(sizeof *r);

    *r = (struct route){.connector_name = connector,
                        .topic = topic,
                        .key = mem_new((keys + 1) * sizeof(struct secret *)),
                        .keys = keys,
                        .is_open = is_open};
    for (size_t i = 0; i < keys; i++) {
        r->key[i] = secret_new(key[i]);
    }
    *rs = (struct routes){.route = r, .n = 1};
}

void routes_release(struct routes *rs)
{
    for (size_t i = 0; i < rs->n; i++) {
        sign_free(rs->route[i].sign);
        connector_free(rs->route[i].connector);
        for (size_t k = 0; k < rs->route[i].keys; k++) {
            secret_free(rs->route[i].key[k]);
        }
        free((void *)rs->route[i].key);
    }
    free(rs->route);
    conf_free(rs->file);
    *rs = (struct routes){0};
}

/* --- connectors and keys ------------------------------------------------ */

/* All versions that hold: during a rotation there are two. */
static int add_secret(struct sign *s, const struct secret *k, struct err *e)
{
    for (size_t i = 0; i < secret_versions(k); i++) {
        uint64_t until_ms;
        const struct slice text = secret_version(k, i, &until_ms);
        if (sign_add_key(s, text, until_ms, e) < 0) {
            return err_wrap(e, "%s", secret_ref(k));
        }
    }
    return 0;
}

static struct sign *make_sign(const struct route *r, struct err *e)
{
    struct sign *s = sign_new(&r->connector->sign, e);

    for (size_t i = 0; s != NULL && i < r->keys; i++) {
        if (secret_load(r->key[i], e) < 0 || add_secret(s, r->key[i], e) < 0) {
            sign_free(s);
            return NULL;
        }
    }
    return s;
}

static int open_route(struct route *r, struct err *e)
{
    if (r->connector_name == NULL) {
        return r->keys == 0
                   ? 0
                   : err_set(e, STATUS_CONFIG,
                             "a key, and no connector that says how requests "
                             "are signed with it (-C hmac?)");
    }
    r->connector = connector_load(r->connector_name, e);
    if (r->connector == NULL) {
        return -1;
    }
    if (!r->connector->is_signed) {
        return r->keys == 0
                   ? 0
                   : err_set(e, STATUS_CONFIG,
                             "connector %s signs nothing: the key is of no use",
                             r->connector_name);
    }
    if (r->keys == 0) {
        return r->is_open
                   ? 0
                   : err_set(e, STATUS_CONFIG,
                             "connector %s signs its requests: give the "
                             "secret with -k, or take them from anybody with "
                             "--unsigned",
                             r->connector_name);
    }
    if (r->is_open) {
        return err_set(e, STATUS_CONFIG, "both a key and \"unsigned\"");
    }
    r->sign = make_sign(r, e);
    return r->sign != NULL ? 0 : -1;
}

int routes_open(struct routes *rs, struct err *e)
{
    for (size_t i = 0; i < rs->n; i++) {
        struct route *r = &rs->route[i];
        if (open_route(r, e) < 0) {
            return r->path != NULL ? err_wrap(e, "route %s", r->path) : -1;
        }
    }
    return 0;
}

static int renew(struct route *r, struct err *e)
{
    struct sign *s = make_sign(r, e);

    if (s == NULL) {
        return -1;
    }
    sign_free(r->sign);
    r->sign = s;
    return 0;
}

int routes_renew(struct routes *rs, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < rs->n; i++) {
        if (rs->route[i].sign != NULL && renew(&rs->route[i], e) < 0) {
            rc = -1;
        }
    }
    return rc;
}

static bool is_stale(const struct route *r)
{
    bool any = false;

    for (size_t i = 0; i < r->keys; i++) {
        any |= secret_is_stale(r->key[i]);
    }
    return any;
}

int routes_refresh(struct routes *rs, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < rs->n; i++) {
        struct route *r = &rs->route[i];
        if (r->sign != NULL && is_stale(r) && renew(r, e) < 0) {
            rc = -1;
        }
    }
    return rc;
}

const struct route *routes_find(const struct routes *rs, struct slice path)
{
    for (size_t i = 0; i < rs->n; i++) {
        if (rs->route[i].path == NULL || slice_is(path, rs->route[i].path)) {
            return &rs->route[i];
        }
    }
    return NULL;
}
