/* What is sealed opens as it was, for its event and place, or not at all. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/msg.h"
#include "seal/sealer.h"
#include "unit.h"
#include "vault/vault.h"

static void die(const struct err *e)
{
    (void)printf("not ok - %s\n", e->text);
    exit(1);
}

/* A vault in this folder with the key "a". */
static void make_vault(void)
{
    struct vault_key key;
    struct value value = {0};
    struct safe field[KIND_FIELDS] = {0};
    struct err e;
    char here[512];

    (void)snprintf(here, sizeof here, "%s/dpp-seal-XXXXXX",
                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(here) == NULL) {
        exit(1);
    }
    (void)setenv("XDG_DATA_HOME", here, 1);
    (void)setenv("XDG_CONFIG_HOME", here, 1);
    (void)setenv("XDG_STATE_HOME", here, 1);
    (void)unsetenv("STATE_DIRECTORY");
    (void)unsetenv("DPP_VAULT_FD");
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    if (vault_key_make(&key, NULL, false, &e) < 0 ||
        vault_create(NULL, &key, &e) < 0) {
        die(&e);
    }
    const struct vault_conf conf = {.change = true};
    struct vault *v = vault_open(&conf, &e);
    if (v == NULL) {
        die(&e);
    }
    value.kind = kind_find("key", &e);
    safe_copy(&field[0], "0123456789abcdef0123456789abcdef", 32);
    value_rotate(&value, field, 0);
    vault_set(v, "a", &value, 0);
    if (vault_commit(v, &e) < 0) {
        die(&e);
    }
    value_release(&value);
    vault_key_release(&key);
    vault_close(v);
}

static struct sealer *start(const char *seal)
{
    const char *open = "vault:a";
    const struct sealer_options o = {.seal = {&seal, 1}, .open = {&open, 1}};
    struct err e;
    struct sealer *s = sealer_new(&o, &e);

    if (s == NULL || sealer_start(s, &e) < 0) {
        die(&e);
    }
    return s;
}

static enum sealer_outcome run(struct sealer *s, bool seal, struct slice line,
                               struct buf *out)
{
    struct event ev;
    struct event inside;
    bool reordered;
    struct err e;

    if (event_parse(&ev, line, &reordered, &e) < 0) {
        die(&e);
    }
    if (seal) {
        return sealer_seal(s, &ev, out, &e);
    }
    const enum sealer_outcome rc = sealer_open(s, &ev, &inside, out, &e);
    if (rc == SEALER_LINE) {
        buf_append_slice(out, inside.line);
    }
    return rc;
}

/* Opens the sealed line with these bytes as its piece, between head and tail:
 * true if a line comes out of it. */
static bool opens(struct sealer *s, struct slice head, struct slice piece,
                  struct slice tail, struct buf *line, struct buf *out)
{
    buf_clear(line);
    buf_append_slice(line, head);
    base64_encode(line, piece.p, piece.n);
    buf_append_slice(line, tail);
    return run(s, false, buf_slice(line), out) == SEALER_LINE;
}

static void changed_pieces(const char *what, const char *rule,
                           struct slice line, const char *mark)
{
    struct sealer *s = start(rule);
    struct buf sealed = {0};
    struct buf piece = {0};
    struct buf again = {0};
    struct buf out = {0};
    size_t wrong = 0;

    const enum sealer_outcome rc = run(s, true, line, &sealed);
    char *from = rc == SEALER_LINE ? strstr(buf_cstr(&sealed), mark) : NULL;
    if (!unit_check(from != NULL, "%s is sealed", what)) {
        return;
    }
    from += strlen(mark);
    const struct slice head = {sealed.p, (size_t)(from - sealed.p)};
    const size_t n = strcspn(from, "\"");
    const struct slice tail = {from + n, sealed.n - head.n - n};
    (void)base64_decode(&piece, from, n);
    unit_check(opens(s, head, buf_slice(&piece), tail, &again, &out) &&
                   slice_eq(buf_slice(&out), line),
               "%s comes back byte for byte", what);
    for (size_t i = 0; i < piece.n * 8; i++) {
        piece.p[i / 8] = (char)(piece.p[i / 8] ^ 1 << i % 8);
        wrong += opens(s, head, buf_slice(&piece), tail, &again, &out);
        piece.p[i / 8] = (char)(piece.p[i / 8] ^ 1 << i % 8);
    }
    unit_check(wrong == 0, "%s: no flipped bit of %zu bytes opens", what,
               piece.n);
    for (size_t i = 0; i < piece.n; i++) {
        const struct slice shorter = {piece.p, i};
        wrong += opens(s, head, shorter, tail, &again, &out);
    }
    buf_putc(&piece, 0);
    wrong += opens(s, head, buf_slice(&piece), tail, &again, &out);
    unit_check(wrong == 0, "%s: none that is cut off, or too long", what);
    buf_release(&sealed);
    buf_release(&piece);
    buf_release(&again);
    buf_release(&out);
    sealer_free(s);
}

#define EVENT "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\","

int main(void)
{
    msg_init("seal");
    make_vault();
    changed_pieces("the data", "vault:a",
                   SLICE(EVENT "\"type\":\"t\",\"data\":{\"a\": 1.50}}"),
                   "\"data_base64\":\"");
    changed_pieces("data_base64", "vault:a",
                   SLICE(EVENT "\"datacontenttype\":\"x/y\",\"type\":\"t\","
                               "\"data_base64\":\"AAEC\"}"),
                   "\"data_base64\":\"");
    changed_pieces("a field", "vault:a=.data.x[1][\"a/b~\"]",
                   SLICE(EVENT "\"type\":\"t\",\"data\":{\"x\" : [ 7, "
                               "{\"a\\/b~\" : 1.50 }]}}"),
                   "\"dpp-seal:");
    return unit_end();
}
