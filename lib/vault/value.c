#include "vault/value.h"

#include "base/err.h"
#include "base/little.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static void release_version(struct value_version *v)
{
    for (int i = 0; i < KIND_FIELDS; i++) {
        safe_release(&v->field[i]);
    }
    v->until_ms = 0;
}

void value_release(struct value *v)
{
    for (size_t i = 0; i < v->versions; i++) {
        release_version(&v->version[i]);
    }
    *v = (struct value){0};
}

/* --- bytes -----------------------------------------------------------------
 */

static size_t fields_of(const struct value *v, const struct value_version *at,
                        size_t *bytes)
{
    size_t n = 0;

    for (int i = 0; v->kind->field[i].name != NULL; i++) {
        if (at->field[i].p != NULL) {
            *bytes += 1 + strlen(v->kind->field[i].name) + 4 + at->field[i].n;
            n++;
        }
    }
    return n;
}

static unsigned char *put(unsigned char *p, const void *from, size_t n)
{
    memcpy(p, from, n);
    return p + n;
}

static unsigned char *pack_version(const struct value *v,
                                   const struct value_version *at,
                                   unsigned char *p)
{
    size_t ignored = 0;

    put64((char *)p, at->until_ms);
    p += 8;
    *p++ = (unsigned char)fields_of(v, at, &ignored);
    for (int i = 0; v->kind->field[i].name != NULL; i++) {
        const char *name = v->kind->field[i].name;
        const struct safe *s = &at->field[i];
        if (s->p == NULL) {
            continue;
        }
        *p++ = (unsigned char)strlen(name);
        p = put(p, name, strlen(name));
        put32((char *)p, (uint32_t)s->n);
        p = put(p + 4, s->p, s->n);
    }
    return p;
}

void value_pack(const struct value *v, struct safe *out)
{
    size_t n = 1;

    for (size_t i = 0; i < v->versions; i++) {
        n += 9;
        (void)fields_of(v, &v->version[i], &n);
    }
    safe_new(out, n);
    unsigned char *p = out->p;
    *p++ = (unsigned char)v->versions;
    for (size_t i = 0; i < v->versions; i++) {
        p = pack_version(v, &v->version[i], p);
    }
}

static const char *take(struct slice *rest, size_t n)
{
    const char *p = rest->p;

    if (rest->n < n) {
        return NULL;
    }
    rest->p += n;
    rest->n -= n;
    return p;
}

static int unpack_field(const struct kind *k, struct value_version *at,
                        struct slice *rest)
{
    const char *length = take(rest, 1);
    const size_t n = length != NULL ? (unsigned char)*length : 0;
    const char *name = take(rest, n);
    const char *size = take(rest, 4);
    const size_t bytes = size != NULL ? get32(size) : 0;
    const char *p = take(rest, bytes);

    if (name == NULL || size == NULL || p == NULL || bytes > KIND_FIELD_MAX) {
        return -1;
    }
    const int i = kind_field(k, (struct slice){name, n});
    if (i < 0 || at->field[i].p != NULL) {
        return -1;
    }
    safe_copy(&at->field[i], p, bytes);
    return 0;
}

static int unpack_version(const struct kind *k, struct value_version *at,
                          struct slice *rest)
{
    const char *head = take(rest, 9);

    if (head == NULL) {
        return -1;
    }
    at->until_ms = get64(head);
    for (int n = (unsigned char)head[8]; n > 0; n--) {
        if (unpack_field(k, at, rest) < 0) {
            return -1;
        }
    }
    for (int i = 0; k->field[i].name != NULL; i++) {
        if (at->field[i].p == NULL && !k->field[i].optional) {
            return -1;
        }
    }
    return 0;
}

int value_unpack(struct value *v, const struct kind *k, const struct safe *in)
{
    struct slice rest = safe_slice(in);
    const char *n = take(&rest, 1);
    bool good = n != NULL && *n >= 1 &&
                *n <= (kind_keeps(k) ? VALUE_KEPT : VALUE_VERSIONS);

    *v = (struct value){.kind = k};
    for (int i = 0; good && i < *n; i++) {
        good = unpack_version(k, &v->version[v->versions++], &rest) == 0;
    }
    if (!good || rest.n > 0) {
        value_release(v);
        return -1;
    }
    return 0;
}

/* --- use -------------------------------------------------------------------
 */

void value_rotate(struct value *v, const struct safe field[KIND_FIELDS],
                  uint64_t until_ms)
{
    const size_t most = kind_keeps(v->kind) ? VALUE_KEPT : VALUE_VERSIONS;
    const size_t keep = until_ms > 0 ? most - 1 : 0;

    while (v->versions > keep) {
        release_version(&v->version[--v->versions]);
    }
    memmove(&v->version[1], &v->version[0], v->versions * sizeof v->version[0]);
    if (v->versions++ > 0) {
        v->version[1].until_ms = until_ms;
    }
    v->version[0].until_ms = 0;
    memcpy(v->version[0].field, field, sizeof v->version[0].field);
}

static void drop_ended(struct value *v, uint64_t now_ms)
{
    size_t n = 1;

    for (size_t i = 1; i < v->versions; i++) {
        if (v->version[i].until_ms > now_ms) {
            v->version[n++] = v->version[i];
        } else {
            release_version(&v->version[i]);
        }
    }
    v->versions = n;
}

int value_renew(struct value *v, const struct safe field[KIND_FIELDS],
                uint64_t overlap_ms, uint64_t now_ms, struct err *e)
{
    uint64_t until_ms = overlap_ms > 0 ? now_ms + overlap_ms : 0;

    if (overlap_ms == VALUE_USUAL) {
        until_ms = kind_keeps(v->kind) ? VALUE_FOR_EVER : now_ms + DAY_MS;
    }
    drop_ended(v, now_ms);
    if (kind_keeps(v->kind) && until_ms > 0 && v->versions == VALUE_KEPT) {
        return err_set(e, STATUS_CONFIG,
                       "there are %d versions already; --overlap ends old ones",
                       VALUE_KEPT);
    }
    /* An overlap that is given ends the versions that had no end, too. */
    for (size_t i = 1; i < v->versions; i++) {
        if (v->version[i].until_ms > until_ms) {
            v->version[i].until_ms = until_ms;
        }
    }
    value_rotate(v, field, until_ms);
    return 0;
}

/* "user:password": fields with colons between. */
static int join(const struct kind *k, const struct value_version *at,
                struct safe *out, struct err *e)
{
    const struct safe *part[KIND_FIELDS];
    size_t parts = 0;
    size_t n = 0;

    for (const char *rest = k->main; parts == 0 || *rest++ != '\0';) {
        const size_t length = strcspn(rest, ":");
        const int i = kind_field(k, (struct slice){rest, length});
        part[parts] = &at->field[i];
        if (part[parts]->p == NULL) {
            return err_set(e, STATUS_REFUSED, "%s has no %s yet", k->name,
                           k->field[i].name);
        }
        n += part[parts++]->n;
        rest += length;
    }
    safe_new(out, n + parts - 1);
    unsigned char *p = out->p;
    for (size_t i = 0; i < parts; i++) {
        if (i > 0) {
            *p++ = ':';
        }
        p = put(p, part[i]->p, part[i]->n);
    }
    return 0;
}

int value_pick(const struct value *v, size_t version, struct slice field,
               struct safe *out, struct err *e)
{
    const struct value_version *at = &v->version[version];

    *out = (struct safe){0};
    if (field.n == 0) {
        return join(v->kind, at, out, e);
    }
    const int i = kind_field(v->kind, field);
    if (i < 0 || at->field[i].p == NULL) {
        return err_set(e, STATUS_REFUSED, "%s has no field \"%.*s\"%s",
                       v->kind->name, (int)field.n, field.p,
                       i < 0 ? "" : " here");
    }
    safe_copy(out, at->field[i].p, at->field[i].n);
    return 0;
}
