#include "vault/format.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/little.h"
#include "base/mem.h"

static const char magic[] = "dpp-vault 1\n";

enum { MAGIC = sizeof magic - 1, ENTRY_HEAD = 1 + 4 * 8 };

static bool is_name(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '_' || c == '-')) {
            return false;
        }
    }
    return n > 0 && n <= FORMAT_NAME_MAX;
}

int format_name_check(struct slice name, struct err *e)
{
    return is_name(name.p, name.n)
               ? 0
               : err_set(e, STATUS_USAGE,
                         "\"%.*s\" is no name: letters, digits, - and _, at "
                         "most %d",
                         (int)(name.n < 80 ? name.n : 80), name.p,
                         FORMAT_NAME_MAX);
}

/* --- reading ---------------------------------------------------------------
 */

/* What is left of the file. */
struct cut {
    const char *p;
    size_t n;
};

static const char *take(struct cut *c, size_t n)
{
    const char *p = c->p;

    if (c->n < n) {
        return NULL;
    }
    c->p += n;
    c->n -= n;
    return p;
}

static bool parse_entry(struct format_entry *en, struct cut *c)
{
    const char *length = take(c, 1);
    const size_t n = length != NULL ? (unsigned char)*length : 0;
    const char *name = take(c, n);

    if (name == NULL || !is_name(name, n)) {
        return false;
    }
    memcpy(en->name, name, n);
    const char *head = take(c, ENTRY_HEAD + KEYS_NONCE + 4);
    if (head == NULL) {
        return false;
    }
    en->kind = (uint8_t)head[0];
    en->created = get64(head + 1);
    en->rotated = get64(head + 9);
    en->expires = get64(head + 17);
    en->counter = get64(head + 25);
    memcpy(en->nonce, head + ENTRY_HEAD, KEYS_NONCE);
    en->sealed.n = get32(head + ENTRY_HEAD + KEYS_NONCE);
    if (en->sealed.n < KEYS_TAG || en->sealed.n > FORMAT_SEALED_MAX) {
        return false;
    }
    en->sealed.p = take(c, en->sealed.n);
    return en->sealed.p != NULL;
}

static int broken(struct err *e, const char *what)
{
    return err_set(e, STATUS_CONFIG, "damaged, or cut off: %s", what);
}

static int parse_head(struct format *f, struct cut *c, uint32_t *n,
                      struct err *e)
{
    const char *p = take(c, FORMAT_HEAD);

    if (p == NULL || memcmp(p, magic, MAGIC) != 0) {
        return err_set(e, STATUS_CONFIG, "not a vault that dpp knows");
    }
    p += MAGIC;
    memcpy(f->id, p, KEYS_ID);
    p += KEYS_ID;
    f->form.way = (uint8_t)*p++;
    memcpy(f->form.salt, p, KEYS_SALT);
    p += KEYS_SALT;
    f->form.ops = get64(p);
    f->form.memory = get64(p + 8);
    f->generation = get64(p + 16);
    *n = get32(p + 24);
    if (!keys_form_is_good(&f->form)) {
        return broken(e, "how its key comes about");
    }
    /* The least that an entry takes, so that a number alone costs nothing. */
    if (*n > FORMAT_ENTRIES_MAX ||
        c->n / (1 + 1 + ENTRY_HEAD + KEYS_NONCE + 4 + KEYS_TAG) < *n) {
        return broken(e, "the number of entries");
    }
    return 0;
}

int format_parse(struct format *f, struct slice bytes, struct err *e)
{
    struct cut c = {bytes.p, bytes.n};
    uint32_t n = 0;

    *f = (struct format){0};
    if (parse_head(f, &c, &n, e) < 0) {
        return -1;
    }
    f->entry = mem_new((n + 1) * sizeof *f->entry);
    for (; f->n < n; f->n++) {
        struct format_entry *en = &f->entry[f->n];
        if (!parse_entry(en, &c) ||
            (f->n > 0 && strcmp(en[-1].name, en->name) >= 0) ||
            en->counter > f->generation) {
            (void)broken(e, "an entry");
            goto fail;
        }
    }
    if (c.n != KEYS_MAC) {
        (void)broken(e, "its end");
        goto fail;
    }
    return 0;
fail:
    format_release(f);
    return -1;
}

void format_release(struct format *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->entry[i].own);
    }
    free(f->entry);
    *f = (struct format){0};
}

bool format_proven(struct slice bytes, const struct safe *list_key)
{
    unsigned char mac[KEYS_MAC];

    if (bytes.n < KEYS_MAC) {
        return false;
    }
    bytes.n -= KEYS_MAC;
    keys_mac(list_key, bytes, mac);
    return safe_equal(mac, bytes.p + bytes.n, KEYS_MAC);
}

/* --- writing ---------------------------------------------------------------
 */

static void put_number(struct buf *b, uint64_t v)
{
    put64(buf_reserve(b, 8), v);
    b->n += 8;
}

static void put_length(struct buf *b, size_t v)
{
    put32(buf_reserve(b, 4), (uint32_t)v);
    b->n += 4;
}

/* An entry up to its nonce: what is bound to the value. */
static void put_entry_head(struct buf *b, const struct format_entry *en)
{
    buf_putc(b, (char)strlen(en->name));
    buf_puts(b, en->name);
    buf_putc(b, (char)en->kind);
    put_number(b, en->created);
    put_number(b, en->rotated);
    put_number(b, en->expires);
    put_number(b, en->counter);
}

void format_write(const struct format *f, const struct safe *list_key,
                  struct buf *out)
{
    unsigned char mac[KEYS_MAC];

    buf_clear(out);
    buf_append(out, magic, MAGIC);
    buf_append(out, f->id, KEYS_ID);
    buf_putc(out, (char)f->form.way);
    buf_append(out, f->form.salt, KEYS_SALT);
    put_number(out, f->form.ops);
    put_number(out, f->form.memory);
    put_number(out, f->generation);
    put_length(out, f->n);
    for (size_t i = 0; i < f->n; i++) {
        const struct format_entry *en = &f->entry[i];
        put_entry_head(out, en);
        buf_append(out, en->nonce, KEYS_NONCE);
        put_length(out, en->sealed.n);
        buf_append_slice(out, en->sealed);
    }
    keys_mac(list_key, buf_slice(out), mac);
    buf_append(out, mac, KEYS_MAC);
}

/* --- entries ---------------------------------------------------------------
 */

/* Where the name is, or would be. */
static size_t place(const struct format *f, const char *name)
{
    size_t low = 0;
    size_t high = f->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (strcmp(f->entry[mid].name, name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct format_entry *format_find(const struct format *f, const char *name)
{
    const size_t i = place(f, name);

    return i < f->n && strcmp(f->entry[i].name, name) == 0 ? &f->entry[i]
                                                           : NULL;
}

struct format_entry *format_put(struct format *f, const char *name)
{
    const size_t i = place(f, name);

    if (i < f->n && strcmp(f->entry[i].name, name) == 0) {
        return &f->entry[i];
    }
    f->entry = mem_resize(f->entry, (f->n + 1) * sizeof *f->entry);
    memmove(&f->entry[i + 1], &f->entry[i], (f->n - i) * sizeof *f->entry);
    f->entry[i] = (struct format_entry){0};
    memcpy(f->entry[i].name, name, strlen(name));
    f->n++;
    return &f->entry[i];
}

void format_remove(struct format *f, struct format_entry *en)
{
    const size_t i = (size_t)(en - f->entry);

    free(en->own);
    memmove(en, en + 1, (f->n - i - 1) * sizeof *en);
    f->n--;
}

static void bound(const struct format *f, const struct format_entry *en,
                  struct buf *ad)
{
    buf_init(ad);
    buf_append(ad, f->id, KEYS_ID);
    put_entry_head(ad, en);
}

void format_seal(const struct format *f, struct format_entry *en,
                 const struct safe *key, const struct safe *plain)
{
    struct buf ad;
    char *sealed = mem_alloc(plain->n + KEYS_TAG);

    bound(f, en, &ad);
    keys_seal(key, buf_slice(&ad), safe_slice(plain), en->nonce,
              (unsigned char *)sealed);
    buf_release(&ad);
    free(en->own);
    en->own = sealed;
    en->sealed = (struct slice){sealed, plain->n + KEYS_TAG};
}

bool format_open(const struct format *f, const struct format_entry *en,
                 const struct safe *key, struct safe *plain)
{
    struct buf ad;

    bound(f, en, &ad);
    const bool good =
        keys_open(key, buf_slice(&ad), en->nonce, en->sealed, plain);
    buf_release(&ad);
    return good;
}
