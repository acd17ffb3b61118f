/* dpp-renew: new access tokens for entries of the vault; dpp-renew(1). A
 * program of its own, as dpp-vault starts in a tenth of the time that the HTTP
 * client's libraries take. */
#include "base/err.h"
#include "keep/keep.h"
#include "stage/tool.h"
#include "vault/safe.h"

static int check_names(char *const *name, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (format_name_check(slice_of(name[i]), e) < 0) {
            return -1;
        }
    }
    return n > 0 ? 0 : err_set(e, STATUS_USAGE, "which entries? (try -h)");
}

int main(int argc, char **argv)
{
    static struct keep_options o;
    static const struct opt options[] = {
        {'s', "store", "PATH", "the vault", OPT_STRING, &o.path, 0, 0},
        {'k', "key", "REF", "its key: file:PATH (mode 600), cred:NAME, fd:N",
         OPT_STRING, &o.key, 0, 0},
        {0, "within", "DUR", "only what ends within that time", OPT_DURATION,
         &o.within_ms, 0, 366ULL * 24 * 3600 * 1000},
        {0, "require-mlock", NULL, "refuse to run where memory may be swapped",
         OPT_FLAG, &o.must_lock, 0, 0},
        {0},
    };
    static const struct tool tool = {
        .name = "dpp-renew",
        .synopsis = "[-s PATH] [-k REF] [--within DUR] NAME...",
        .about = "Get new access tokens for entries of the vault.",
        .options = options,
    };
    struct err e = {0};
    int rc = tool_begin(&tool, argc, argv, &e);

    if (rc > 0) {
        struct keep_call c = {
            .o = &o, .name = argv + rc, .names = (size_t)(argc - rc), .e = &e};
        rc = check_names(c.name, c.names, &e) < 0 ||
                     safe_init(o.must_lock, &e) < 0
                 ? -1
                 : keep_renew(&c);
        vault_close(c.vault);
    }
    return tool_end(rc, &e);
}
