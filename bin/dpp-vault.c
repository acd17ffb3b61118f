/* dpp-vault: the sealed store of credentials; dpp-vault(1). */
#include <string.h>

#include "base/err.h"
#include "keep/keep.h"
#include "stage/tool.h"

enum { DAY_MS = 24 * 3600 * 1000, NAMES_MAX = 64 };

static const struct verb {
    const char *name;
    enum { NO_NAME, ENTRY, FIELD, ENTRIES, FIELDS, SUBJECTS } name_is;
    int (*run)(struct keep_call *);
} verbs[] = {
    {"init", NO_NAME, keep_init},
    {"put", ENTRY, keep_put},
    {"get", FIELD, keep_get},
    {"list", NO_NAME, keep_list},
    {"rm", ENTRY, keep_rm},
    {"rotate", ENTRY, keep_rotate},
    {"rekey", NO_NAME, keep_rekey},
    {"export", NO_NAME, keep_export},
    {"import", NO_NAME, keep_import},
    {"grant", ENTRY, keep_grant},
    {"credentials", FIELDS, keep_credentials},
    {"forget", SUBJECTS, keep_forget},
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

static int check_names(const struct verb *verb, char *const *name, size_t n,
                       struct err *e)
{
    const bool subjects = verb->name_is == SUBJECTS;
    const bool many = verb->name_is == FIELDS || subjects;

    if (verb->name_is == NO_NAME ? n > 0 : n == 0 || (n > 1 && !many)) {
        /* What stands there may be the secret itself: it is not repeated. */
        return err_set(e, STATUS_USAGE, "%s takes %s (try -h)", verb->name,
                       verb->name_is == NO_NAME ? "no name"
                       : subjects               ? "subjects"
                       : many                   ? "the names of entries"
                              : "one name; a value comes through standard "
                                "input");
    }
    for (size_t i = 0; i < n && !subjects; i++) {
        const size_t length =
            verb->name_is == ENTRY ? strlen(name[i]) : strcspn(name[i], ".");
        if (format_name_check((struct slice){name[i], length}, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int run(const struct keep_options *o, char *const *word, size_t n,
               struct err *e)
{
    const struct verb *verb = find_verb(word[0]);
    struct keep_call c = {.o = o, .name = word + 1, .names = n - 1, .e = e};

    if (verb == NULL) {
        return err_set(e, STATUS_USAGE, "unknown verb \"%.60s\" (try -h)",
                       word[0]);
    }
    if (check_names(verb, c.name, c.names, e) < 0) {
        return -1;
    }
    const int rc = safe_init(o->must_lock, e) < 0 ? -1 : verb->run(&c);
    vault_close(c.vault);
    return rc;
}

int main(int argc, char **argv)
{
    static struct keep_options o = {.overlap_ms = VALUE_USUAL};
    static const struct opt options[] = {
        {'s', "store", "PATH", "the vault", OPT_STRING, &o.path, 0, 0},
        {'k', "key", "REF", "its key: file:PATH (mode 600), cred:NAME, fd:N",
         OPT_STRING, &o.key, 0, 0},
        {0, "kind", "KIND",
         "put: token, hmac, basic, smtp, sasl, tls-key, oauth2, key, "
         "subjects",
         OPT_STRING, &o.kind, 0, 0},
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
                    "[-s PATH] [-k REF] grant NAME\n"
                    "[-s PATH] [-k REF] credentials NAME[.FIELD]...\n"
                    "[-s PATH] [-k REF] forget SUBJECT...",
        .about = "Keep credentials in a sealed file.",
        .options = options,
    };
    struct err e = {0};
    int rc = tool_begin(&tool, argc, argv, &e);

    if (rc <= 0) {
        return tool_end(rc, &e);
    }
    /* The verb and its name; options may stand anywhere. */
    char *word[1 + NAMES_MAX] = {"list"};
    size_t n = 0;
    while (rc < argc && n < 1 + NAMES_MAX) {
        word[n++] = argv[rc];
        argc -= rc;
        argv += rc;
        rc = tool_begin(&tool, argc, argv, &e);
        if (rc <= 0) {
            return tool_end(rc, &e);
        }
    }
    if (rc < argc) {
        rc = err_set(&e, STATUS_USAGE, "more than %d names", NAMES_MAX);
        return tool_end(rc, &e);
    }
    return tool_end(run(&o, word, n > 0 ? n : 1, &e), &e);
}
