/* Vaults, values and grants from anywhere: refused, or what comes out of them
 * is what went in. */
#include "vault/vault.h"

#include "base/err.h"
#include "driver/must.h"
#include "vault/grant.h"

/* Its form has one way to write it: only the proof may differ. */
static void file(struct slice data)
{
    struct err e = {0};
    struct format f;
    struct safe key;
    struct buf again;

    if (format_parse(&f, data, &e) < 0) {
        FUZZ_MUST(e.status == STATUS_CONFIG && e.text[0] != '\0');
        return;
    }
    safe_new(&key, KEYS_BYTES);
    buf_init(&again);
    format_write(&f, &key, &again);
    FUZZ_MUST(again.n == data.n);
    FUZZ_MUST(memcmp(again.p, data.p, data.n - KEYS_MAC) == 0);
    for (size_t i = 0; i < f.n; i++) {
        FUZZ_MUST(format_find(&f, f.entry[i].name) == &f.entry[i]);
    }
    buf_release(&again);
    safe_release(&key);
    format_release(&f);
}

static void value(const struct safe *data)
{
    struct safe packed;
    struct safe picked;
    struct value v;
    struct value again;
    struct err e;

    for (uint8_t code = 1; kind_of(code) != NULL; code++) {
        if (value_unpack(&v, kind_of(code), data) < 0) {
            continue;
        }
        value_pack(&v, &packed);
        FUZZ_MUST(packed.n == data->n);
        FUZZ_MUST(value_unpack(&again, v.kind, &packed) == 0);
        for (size_t i = 0; i < v.versions; i++) {
            FUZZ_MUST(value_pick(&v, i, SLICE(""), &picked, &e) == 0);
            safe_release(&picked);
        }
        value_release(&again);
        safe_release(&packed);
        value_release(&v);
    }
}

static void entered(const struct safe *data)
{
    struct safe field[KIND_FIELDS];
    struct err e = {0};

    for (uint8_t code = 1; kind_of(code) != NULL; code++) {
        if (kind_read(kind_of(code), data, field, &e) < 0) {
            FUZZ_MUST(e.status == STATUS_STREAM);
            continue;
        }
        for (int i = 0; i < KIND_FIELDS; i++) {
            safe_release(&field[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool begun;
    struct safe s;
    struct grant g;
    struct err e;

    if (!begun) {
        FUZZ_MUST(safe_init(false, &e) == 0);
        begun = true;
    }
    file((struct slice){(const char *)data, n});
    safe_copy(&s, data, n);
    value(&s);
    entered(&s);
    if (grant_unpack(&g, &s, "a", &e) == 0) {
        FUZZ_MUST(g.key.n == KEYS_BYTES);
        grant_release(&g);
    }
    safe_release(&s);
    return 0;
}
