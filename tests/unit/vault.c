/* The vault's bytes: what is not exactly as it was written is refused, and one
 * key opens one entry. */
#include "vault/vault.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/err.h"
#include "unit.h"
#include "vault/grant.h"
#include "vault/secret.h"

/* A vault of three entries, in memory. */
struct sample {
    struct safe key;
    struct safe list_key;
    struct format format;
    struct buf bytes;
};

static void text_value(struct value *v, const char *kind, const char *a,
                       const char *b)
{
    struct safe field[KIND_FIELDS] = {0};
    struct err e;

    *v = (struct value){.kind = kind_find(kind, &e)};
    safe_copy(&field[0], a, strlen(a));
    if (b != NULL) {
        safe_copy(&field[1], b, strlen(b));
    }
    value_rotate(v, field, 0);
}

static void add(struct sample *s, const char *name, struct value *v)
{
    struct format_entry *en = format_put(&s->format, name);
    struct safe key;
    struct safe plain;

    en->kind = v->kind->code;
    en->created = 1000;
    en->rotated = 2000;
    en->expires = 3000;
    en->counter = s->format.generation;
    keys_entry(&s->key, s->format.id, name, &key);
    value_pack(v, &plain);
    format_seal(&s->format, en, &key, &plain);
    safe_release(&key);
    safe_release(&plain);
    value_release(v);
}

static void sample_init(struct sample *s)
{
    struct value v;

    *s = (struct sample){0};
    safe_new(&s->key, KEYS_BYTES);
    memset(s->key.p, 7, KEYS_BYTES);
    s->format.generation = 5;
    memset(s->format.id, 3, KEYS_ID);
    keys_list(&s->key, s->format.id, &s->list_key);
    text_value(&v, "token", "value-of-b", NULL);
    add(s, "b", &v);
    text_value(&v, "token", "value-of-a", NULL);
    add(s, "a", &v);
    text_value(&v, "basic", "user", "password");
    add(s, "c", &v);
    buf_init(&s->bytes);
    format_write(&s->format, &s->list_key, &s->bytes);
}

static void sample_release(struct sample *s)
{
    safe_release(&s->key);
    safe_release(&s->list_key);
    format_release(&s->format);
    buf_release(&s->bytes);
}

/* Would the holder of the vault key take these bytes? */
static bool taken(const struct sample *s, struct slice bytes)
{
    struct format f;
    struct err e;

    if (format_parse(&f, bytes, &e) < 0) {
        return false;
    }
    format_release(&f);
    return format_proven(bytes, &s->list_key);
}

/* What the holder of a's key makes of them: 0 refused, 1 the value, -1 a value
 * that is none. */
static int opened(const struct sample *s, struct slice bytes)
{
    struct format f;
    struct safe key;
    struct safe plain;
    struct value v;
    struct err e;
    int rc = 0;

    if (format_parse(&f, bytes, &e) < 0) {
        return 0;
    }
    keys_entry(&s->key, s->format.id, "a", &key);
    const struct format_entry *en = format_find(&f, "a");
    if (en != NULL && format_open(&f, en, &key, &plain)) {
        rc = -1;
        const struct kind *k = kind_of(en->kind);
        if (k != NULL && value_unpack(&v, k, &plain) == 0) {
            const struct slice is = safe_slice(&v.version[0].field[0]);
            rc = slice_is(is, "value-of-a") && en->counter == 5 ? 1 : -1;
            value_release(&v);
        }
        safe_release(&plain);
    }
    safe_release(&key);
    format_release(&f);
    return rc;
}

static void changed_bytes(const struct sample *s)
{
    const struct format_entry *a = &s->format.entry[0];
    const size_t from = FORMAT_HEAD;
    const size_t to = from + 1 + 1 + 33 + KEYS_NONCE + 4 + a->sealed.n;
    size_t wrong = 0;
    size_t missed = 0;
    size_t half = 0;

    for (size_t i = 0; i < s->bytes.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            s->bytes.p[i] = (char)(s->bytes.p[i] ^ 1 << bit);
            const int rc = opened(s, buf_slice(&s->bytes));
            wrong += taken(s, buf_slice(&s->bytes));
            half += rc < 0;
            missed += rc > 0 &&
                      ((i >= from && i < to) || (i >= 12 && i < 12 + KEYS_ID));
            s->bytes.p[i] = (char)(s->bytes.p[i] ^ 1 << bit);
        }
    }
    unit_check(wrong == 0, "each flipped bit of %zu bytes is noticed",
               s->bytes.n);
    unit_check(missed == 0, "the holder of one key notices those of its entry");
    unit_check(half == 0, "and never takes another value for its own");
    unit_check(taken(s, buf_slice(&s->bytes)) &&
                   opened(s, buf_slice(&s->bytes)) == 1,
               "the bytes as they were are taken");
}

static void cut_off(const struct sample *s)
{
    size_t wrong = 0;
    struct buf longer;

    for (size_t n = 0; n < s->bytes.n; n++) {
        char *exact = malloc(n + 1); /* a read behind it is found */
        memcpy(exact, s->bytes.p, n);
        wrong += taken(s, (struct slice){exact, n});
        wrong += opened(s, (struct slice){exact, n}) != 0;
        free(exact);
    }
    unit_check(wrong == 0, "cut off at each byte it is refused");
    buf_init(&longer);
    buf_append_slice(&longer, buf_slice(&s->bytes));
    buf_putc(&longer, 0);
    unit_check(!taken(s, buf_slice(&longer)), "so it is with a byte too many");
    buf_release(&longer);
}

static void swapped(struct sample *s)
{
    struct format *f = &s->format;
    struct safe key_a;
    struct safe plain;

    keys_entry(&s->key, f->id, "a", &key_a);
    unit_check(!format_open(f, format_find(f, "b"), &key_a, &plain),
               "the key of a does not open b");
    /* b's sealed value in a's place */
    struct format_entry a = f->entry[0];
    memcpy(a.nonce, f->entry[1].nonce, KEYS_NONCE);
    a.sealed = f->entry[1].sealed;
    unit_check(!format_open(f, &a, &key_a, &plain),
               "nor b's value where a's was");
    a = f->entry[0];
    a.counter--;
    unit_check(!format_open(f, &a, &key_a, &plain),
               "a's value under another counter is refused");
    a = f->entry[0];
    a.expires = 0;
    unit_check(!format_open(f, &a, &key_a, &plain), "and with another expiry");
    f->id[0] ^= 1;
    unit_check(!format_open(f, &f->entry[0], &key_a, &plain),
               "and in another vault");
    f->id[0] ^= 1;
    struct safe list_again;
    keys_list(&s->key, f->id, &list_again);
    unit_check(memcmp(list_again.p, key_a.p, KEYS_BYTES) != 0 &&
                   memcmp(list_again.p, s->key.p, KEYS_BYTES) != 0,
               "the keys differ from one another");
    safe_release(&list_again);
    safe_release(&key_a);
}

static void nonces(struct sample *s)
{
    struct format_entry *a = &s->format.entry[0];
    unsigned char first[KEYS_NONCE];
    struct safe key;
    struct safe plain;

    memcpy(first, a->nonce, KEYS_NONCE);
    keys_entry(&s->key, s->format.id, "a", &key);
    if (unit_check(format_open(&s->format, a, &key, &plain), "a opens")) {
        format_seal(&s->format, a, &key, &plain);
        unit_check(memcmp(first, a->nonce, KEYS_NONCE) != 0,
                   "sealed again it has another nonce");
        safe_release(&plain);
    }
    safe_release(&key);
}

static void versions(void)
{
    struct safe field[KIND_FIELDS] = {0};
    struct safe packed;
    struct safe picked;
    struct value v;
    struct value back;
    struct err e;
    size_t wrong = 0;

    text_value(&v, "basic", "ann", "old");
    safe_copy(&field[0], "ann", 3);
    safe_copy(&field[1], "new", 3);
    value_rotate(&v, field, 4711);
    value_pack(&v, &packed);
    if (unit_check(value_unpack(&back, v.kind, &packed) == 0,
                   "a value of two versions comes back")) {
        unit_check(back.versions == 2 && back.version[0].until_ms == 0 &&
                       back.version[1].until_ms == 4711,
                   "the current one first, the old one with its end");
        (void)value_pick(&back, 1, SLICE(""), &picked, &e);
        unit_check(slice_is(safe_slice(&picked), "ann:old"),
                   "a kind of two fields is both with a colon");
        safe_release(&picked);
        value_release(&back);
    }
    for (size_t n = 0; n < packed.n; n++) {
        struct safe shorter;
        safe_copy(&shorter, packed.p, n);
        wrong += value_unpack(&back, v.kind, &shorter) == 0;
        safe_release(&shorter);
    }
    unit_check(wrong == 0, "cut off at each byte it is refused");
    unit_check(value_unpack(&back, kind_find("token", &e), &packed) < 0,
               "as is a value of another kind");
    memset(field, 0, sizeof field);
    safe_copy(&field[0], "ann", 3);
    safe_copy(&field[1], "newer", 5);
    value_rotate(&v, field, 0);
    unit_check(v.versions == 1, "without an overlap the old version goes");
    safe_release(&packed);
    value_release(&v);
}

static void grants(const struct sample *s)
{
    struct grant g[2] = {{.name = "a", .counter = 5},
                         {.name = "bb", .counter = 6}};
    struct grant back;
    struct safe bytes;
    struct err e;
    size_t wrong = 0;

    for (int i = 0; i < 2; i++) {
        keys_entry(&s->key, s->format.id, g[i].name, &g[i].key);
    }
    grant_pack(g, 2, &bytes);
    unit_check(grant_unpack(&back, &bytes, "bb", &e) == 0 &&
                   back.counter == 6 &&
                   safe_equal(back.key.p, g[1].key.p, KEYS_BYTES),
               "a grant gives the key of its entry");
    grant_release(&back);
    unit_check(grant_unpack(&back, &bytes, "b", &e) == 1,
               "and none for a name that is not in it");
    for (size_t n = 0; n < bytes.n; n++) {
        struct safe shorter;
        safe_copy(&shorter, bytes.p, n);
        const int rc = grant_unpack(&back, &shorter, "bb", &e);
        wrong += rc != -1;
        safe_release(&shorter);
    }
    unit_check(wrong == 0, "cut off at each byte it is refused");
    safe_release(&bytes);
    grant_release(&g[0]);
    grant_release(&g[1]);
}

static void references(void)
{
    static const struct {
        const char *ref;
        const char *entry; /* NULL: no reference to the vault */
    } cases[] = {
        {"vault:a", "a"},     {"vault:A-b_9.user", "A-b_9"},
        {"vault:", NULL},     {"vault:.user", NULL},
        {"vault:a.", NULL},   {"vault:a.b.c", NULL},
        {"vault:a/b", NULL},  {"vault:a b", NULL},
        {"vault:a.B", NULL},  {"Vault:a", NULL},
        {"file:vault", NULL}, {"vault:../a", NULL},
    };
    char name[FORMAT_NAME_MAX + 1];
    struct err e;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bool is = secret_entry(cases[i].ref, name);
        unit_check(is == (cases[i].entry != NULL) &&
                       (!is || strcmp(name, cases[i].entry) == 0) &&
                       (is || cases[i].ref[0] == 'f' ||
                        secret_check(cases[i].ref, &e) < 0),
                   "\"%s\" is %s", cases[i].ref,
                   cases[i].entry != NULL ? cases[i].entry : "none");
    }
}

static void process(void)
{
    struct rlimit core;

    unit_check(prctl(PR_GET_DUMPABLE) == 0 &&
                   getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0,
               "who holds secrets leaves no core and cannot be looked into");
}

int main(void)
{
    struct sample s;
    struct err e;

    if (safe_init(false, &e) < 0) {
        return 1;
    }
    process();
    sample_init(&s);
    changed_bytes(&s);
    cut_off(&s);
    swapped(&s);
    nonces(&s);
    versions();
    grants(&s);
    references();
    sample_release(&s);
    return unit_end();
}
