/* dpp-vault: the sealed store of credentials; dpp-vault(1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "stage/tool.h"
#include "vault/bundle.h"
#include "vault/grant.h"
#include "vault/ref.h"
#include "vault/unlock.h"
#include "vault/vault.h"

enum {
    INPUT_MAX = 4 * KIND_FIELD_MAX,
    DAY_MS = 24 * 3600 * 1000,
    WORDS_MAX = 3
};

struct options {
    const char *path;
    const char *key;
    const char *to;   /* the key of a bundle, or a new one */
    const char *from; /* the key of a bundle */
    const char *kind;
    const char *expires;
    uint64_t overlap_ms;
    bool passphrase;
    bool reveal;
    bool replace;
    bool must_lock;
};

/* One call of a verb. */
struct call {
    const struct options *o;
    const char *name; /* or FILE of export and import; NULL */
    struct vault *vault;
    struct err *e;
};

/* --- in and out ------------------------------------------------------------
 */

static int refuse_terminal(const char *what, const char *way, struct err *e)
{
    return isatty(STDOUT_FILENO)
               ? err_set(e, STATUS_USAGE,
                         "standard output is a terminal: %s goes into a pipe "
                         "or a file%s",
                         what, way)
               : 0;
}

static int write_out(struct slice s, struct err *e)
{
    return fd_write(STDOUT_FILENO, s.p, s.n) < 0
               ? err_errno(e, STATUS_IO, "standard output")
               : 0;
}

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

/* --- the vault -------------------------------------------------------------
 */

static int open_vault(struct call *c, bool change)
{
    const struct vault_conf conf = {
        .path = c->o->path, .key = c->o->key, .change = change};

    c->vault = vault_open(&conf, c->e);
    return c->vault != NULL ? 0 : -1;
}

static int verb_init(struct call *c)
{
    const struct options *o = c->o;
    struct vault_key key = {0};
    int rc =
        vault_check_absent(o->path, o->key == NULL && !o->passphrase, c->e);

    if (rc == 0) {
        rc = vault_key_make(&key, o->key, o->passphrase, c->e);
    }
    if (rc == 0) {
        rc = vault_create(o->path, &key, c->e);
    }
    if (rc == 0 && key.is_default) {
        char *path = unlock_path();
        msg_info("the key is in %s: keep a copy elsewhere", path);
        free(path);
    }
    vault_key_release(&key);
    return rc;
}

static int verb_rekey(struct call *c)
{
    struct vault_key key = {0};
    int rc = -1;

    if (vault_key_make(&key, c->o->to, c->o->passphrase, c->e) == 0 &&
        open_vault(c, true) == 0) {
        rc = vault_rekey(c->vault, &key, c->e);
    }
    vault_key_release(&key);
    return rc;
}

/* --- entries ---------------------------------------------------------------
 */

/* The value may be typed, which takes its time: the vault is looked at before,
 * and again behind it, when it is ours alone. */
static int enter_value(struct call *c, const struct kind *k,
                       struct safe field[KIND_FIELDS])
{
    vault_pause(c->vault);
    if (read_value(k, c->name, field, c->e) < 0) {
        return -1;
    }
    if (vault_resume(c->vault, c->e) < 0) {
        kind_forget(field);
        return -1;
    }
    return 0;
}

static int refuse_existing(struct call *c)
{
    return format_find(vault_list(c->vault), c->name) == NULL
               ? 0
               : err_set(c->e, STATUS_CONFIG,
                         "vault %s has an entry %s already: rotate gives it a "
                         "new value, rm removes it",
                         vault_name(c->vault), c->name);
}

static int verb_put(struct call *c)
{
    const struct kind *k =
        kind_find(c->o->kind != NULL ? c->o->kind : "token", c->e);
    struct value value = {.kind = k};
    struct safe field[KIND_FIELDS];
    uint64_t expires = 0;

    if (k == NULL || read_expiry(c->o->expires, &expires, c->e) < 0 ||
        open_vault(c, false) < 0 || refuse_existing(c) < 0 ||
        enter_value(c, k, field) < 0) {
        return -1;
    }
    value_rotate(&value, field, 0);
    int rc = refuse_existing(c);
    if (rc == 0) {
        vault_set(c->vault, c->name, &value, expires);
        rc = vault_commit(c->vault, c->e);
    }
    value_release(&value);
    return rc;
}

static int get_value(struct call *c, struct value *value)
{
    const struct format_entry *en = vault_find(c->vault, c->name, c->e);

    return en != NULL ? vault_get(c->vault, en, value, c->e) : -1;
}

static int verb_rotate(struct call *c)
{
    struct safe field[KIND_FIELDS];
    struct value value;
    uint64_t expires = 0; /* the old value's is not the new one's */

    if (read_expiry(c->o->expires, &expires, c->e) < 0 ||
        open_vault(c, false) < 0 || get_value(c, &value) < 0) {
        return -1;
    }
    const struct kind *k = value.kind;
    value_release(&value);
    if (enter_value(c, k, field) < 0) {
        return -1;
    }
    int rc = get_value(c, &value);
    if (rc == 0 && value.kind != k) {
        rc = err_set(c->e, STATUS_RETRY, "%s became another kind just now",
                     c->name);
        value_release(&value);
    }
    if (rc < 0) {
        kind_forget(field);
        return -1;
    }
    value_rotate(&value, field,
                 c->o->overlap_ms > 0 ? clock_wall_ms() + c->o->overlap_ms : 0);
    vault_set(c->vault, c->name, &value, expires);
    value_release(&value);
    return vault_commit(c->vault, c->e);
}

static int verb_get(struct call *c)
{
    const char *dot = strchr(c->name, '.');
    const struct slice field = slice_of(dot != NULL ? dot + 1 : "");
    char *name = mem_strndup(c->name, strcspn(c->name, "."));
    struct value value = {0};
    struct safe out = {0};
    int rc = -1;

    if ((c->o->reveal ||
         refuse_terminal("a secret", "; --reveal shows it", c->e) == 0) &&
        open_vault(c, false) == 0) {
        const struct format_entry *en = vault_find(c->vault, name, c->e);
        if (en != NULL && vault_get(c->vault, en, &value, c->e) == 0) {
            rc = value_pick(&value, 0, field, &out, c->e) < 0
                     ? err_wrap(c->e, "%s", name)
                     : write_out(safe_slice(&out), c->e);
        }
    }
    if (rc == 0) {
        vault_use(vault_name(c->vault), name);
        if (isatty(STDOUT_FILENO)) {
            (void)!write(STDOUT_FILENO, "\n", 1);
        }
    }
    safe_release(&out);
    value_release(&value);
    free(name);
    return rc;
}

static int verb_rm(struct call *c)
{
    if (open_vault(c, true) < 0 || vault_remove(c->vault, c->name, c->e) < 0 ||
        vault_commit(c->vault, c->e) < 0) {
        return -1;
    }
    vault_use_never(vault_name(c->vault), c->name);
    return 0;
}

static const char *day(uint64_t ms, const char *none, char out[CLOCK_TEXT])
{
    if (ms == 0) {
        return none;
    }
    time_format(ms, out);
    (void)strcpy(out + strcspn(out, ".Z"), "Z");
    return out;
}

static int verb_list(struct call *c)
{
    char text[4][CLOCK_TEXT];

    if (open_vault(c, false) < 0) {
        return -1;
    }
    const struct format *f = vault_list(c->vault);
    if (f->n == 0) {
        msg_info("no entries yet in %s", vault_name(c->vault));
        return 0;
    }
    (void)printf("%-24s %-8s %-20s %-20s %-20s %s\n", "NAME", "KIND", "CREATED",
                 "ROTATED", "EXPIRES", "USED");
    for (size_t i = 0; i < f->n; i++) {
        const struct format_entry *en = &f->entry[i];
        const struct kind *k = kind_of(en->kind);
        (void)printf(
            "%-24s %-8s %-20s %-20s %-20s %s\n", en->name,
            k != NULL ? k->name : "?", day(en->created, "-", text[0]),
            day(en->rotated, "never", text[1]),
            day(en->expires, "never", text[2]),
            day(vault_used(vault_name(c->vault), en->name), "never", text[3]));
    }
    return 0;
}

static int verb_grant(struct call *c)
{
    struct grant grant = {0};
    struct safe bytes = {0};
    int rc = -1;

    if (refuse_terminal("a key", "", c->e) == 0 && open_vault(c, false) == 0 &&
        grant_make(&grant, c->vault, c->name, c->e) == 0) {
        grant_pack(&grant, 1, &bytes);
        rc = write_out(safe_slice(&bytes), c->e);
    }
    safe_release(&bytes);
    grant_release(&grant);
    return rc;
}

/* --- bundles ---------------------------------------------------------------
 */

static int verb_export(struct call *c)
{
    struct vault_key key = {0};
    struct buf out;
    int rc = -1;

    if (c->o->to == NULL && !c->o->passphrase) {
        return err_set(c->e, STATUS_USAGE,
                       "export: what shall it be sealed with? --to REF or "
                       "--passphrase");
    }
    buf_init(&out);
    if (refuse_terminal("a bundle", "", c->e) == 0 &&
        vault_key_make(&key, c->o->to, c->o->passphrase, c->e) == 0 &&
        open_vault(c, false) == 0 &&
        bundle_write(c->vault, &key, &out, c->e) == 0) {
        rc = write_out(buf_slice(&out), c->e);
    }
    buf_release(&out);
    vault_key_release(&key);
    return rc;
}

static int verb_import(struct call *c)
{
    struct buf in;
    struct safe key = {0};
    int rc = -1;

    buf_init(&in);
    if (isatty(STDIN_FILENO)) {
        (void)err_set(c->e, STATUS_USAGE,
                      "import reads a bundle: dpp-vault import < FILE");
    } else if (safe_init(false, c->e) == 0 &&
               fd_read(STDIN_FILENO, "standard input", FORMAT_FILE_MAX, &in,
                       c->e) == 0 &&
               bundle_key(buf_slice(&in), c->o->from, &key, c->e) == 0 &&
               open_vault(c, true) == 0 &&
               bundle_merge(c->vault, buf_slice(&in), &key, c->o->replace,
                            c->e) == 0) {
        rc = vault_commit(c->vault, c->e);
    }
    safe_release(&key);
    buf_release(&in);
    return rc;
}

/* --- verbs -----------------------------------------------------------------
 */

static const struct verb {
    const char *name;
    enum { NO_NAME, ENTRY, FIELD } name_is;
    int (*run)(struct call *);
} verbs[] = {
    {"init", NO_NAME, verb_init},     {"put", ENTRY, verb_put},
    {"get", FIELD, verb_get},         {"list", NO_NAME, verb_list},
    {"rm", ENTRY, verb_rm},           {"rotate", ENTRY, verb_rotate},
    {"rekey", NO_NAME, verb_rekey},   {"export", NO_NAME, verb_export},
    {"import", NO_NAME, verb_import}, {"grant", ENTRY, verb_grant},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int run(const struct options *o, char *const *word, int n, struct err *e)
{
    const struct verb *verb = find_verb(word[0]);
    struct call c = {.o = o, .name = n > 1 ? word[1] : NULL, .e = e};

    if (verb == NULL) {
        return err_set(e, STATUS_USAGE, "unknown verb \"%.60s\" (try -h)",
                       word[0]);
    }
    if (n != (verb->name_is == NO_NAME ? 1 : 2)) {
        /* What stands there may be the secret itself: it is not repeated. */
        return err_set(e, STATUS_USAGE, "%s takes %s (try -h)", verb->name,
                       verb->name_is == NO_NAME
                           ? "no name"
                           : "one name; a value comes through standard input");
    }
    if (c.name != NULL) {
        const size_t length =
            verb->name_is == FIELD ? strcspn(c.name, ".") : strlen(c.name);
        if (format_name_check((struct slice){c.name, length}, e) < 0) {
            return -1;
        }
    }
    const int rc = safe_init(o->must_lock, e) < 0 ? -1 : verb->run(&c);
    vault_close(c.vault);
    return rc;
}

int main(int argc, char **argv)
{
    static struct options o = {.overlap_ms = DAY_MS};
    static const struct opt options[] = {
        {'s', "store", "PATH", "the vault", OPT_STRING, &o.path, 0, 0},
        {'k', "key", "REF", "its key: file:PATH (mode 600), cred:NAME, fd:N",
         OPT_STRING, &o.key, 0, 0},
        {0, "kind", "KIND",
         "put: token, hmac, basic, smtp, sasl, tls-key (token)", OPT_STRING,
         &o.kind, 0, 0},
        {0, "expires", "WHEN", "put, rotate: a time, or how long from now",
         OPT_STRING, &o.expires, 0, 0},
        {0, "overlap", "DUR", "rotate: how long the old value holds (24h)",
         OPT_DURATION, &o.overlap_ms, 0, 10ULL * 365 * DAY_MS},
        {0, "reveal", NULL, "get: show it on the terminal", OPT_FLAG, &o.reveal,
         0, 0},
        {0, "passphrase", NULL,
         "init, rekey, export: the key is a passphrase, asked for", OPT_FLAG,
         &o.passphrase, 0, 0},
        {0, "to", "REF", "rekey, export: the new key, as -k", OPT_STRING, &o.to,
         0, 0},
        {0, "from", "REF", "import: the bundle's key, as -k", OPT_STRING,
         &o.from, 0, 0},
        {0, "replace", NULL, "import: entries that are there already", OPT_FLAG,
         &o.replace, 0, 0},
        {0, "require-mlock", NULL, "refuse to run where memory may be swapped",
         OPT_FLAG, &o.must_lock, 0, 0},
        {0},
    };
    const struct tool tool = {
        .name = "dpp-vault",
        .synopsis = "[-s PATH] [-k REF] [--passphrase] init\n"
                    "[-s PATH] [-k REF] [--kind KIND] [--expires WHEN] put "
                    "NAME\n"
                    "[-s PATH] [-k REF] [--overlap DUR] [--expires WHEN] "
                    "rotate NAME\n"
                    "[-s PATH] [-k REF] [--reveal] get NAME[.FIELD]\n"
                    "[-s PATH] [-k REF] [list]\n"
                    "[-s PATH] [-k REF] rm NAME\n"
                    "[-s PATH] [-k REF] [--to REF | --passphrase] rekey\n"
                    "[-s PATH] [-k REF] --to REF | --passphrase export\n"
                    "[-s PATH] [-k REF] [--from REF] [--replace] import\n"
                    "[-s PATH] [-k REF] grant NAME",
        .about = "Keep credentials in a sealed file.",
        .options = options,
    };
    struct err e = {0};
    int rc = tool_begin(&tool, argc, argv, &e);

    if (rc <= 0) {
        return tool_end(rc, &e);
    }
    /* The verb and its name; options may stand anywhere. */
    char *word[WORDS_MAX] = {"list"};
    int n = 0;
    while (rc < argc && n < WORDS_MAX) {
        word[n++] = argv[rc];
        argc -= rc;
        argv += rc;
        rc = tool_begin(&tool, argc, argv, &e);
        if (rc <= 0) {
            return tool_end(rc, &e);
        }
    }
    return tool_end(run(&o, word, n > 0 ? n : 1, &e), &e);
}
