/* Renewing access tokens, where the refresh token may change with each of them
 * and the old one be worth nothing then: RFC 6749 section 6, RFC 9700.
 *
 * The steps, and what a crash behind each leaves
 *
 *     lock PATH.renew/NAME           whoever renews the same entry waits, and
 *                                    finds it done
 *     read the entry                 nothing has happened
 *     note the time in "renewing",   the vault can be written: a token is not
 *       write the vault              used up for nothing
 *     ask the endpoint               no answer, or none that was kept: the old
 *                                    token may be used up. Nobody can tell; the
 *                                    note says so if it is refused next time
 *     write access token, refresh    done. Until this is on the disk the new
 *       token, without the note      ones are in our memory only: signals wait,
 *                                    and a full disk is waited for
 *
 * The vault is not locked while the endpoint is asked. An entry that got
 * another refresh token meanwhile, by hand, keeps that one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "keep/keep.h"
#include "keep/token.h"

enum { WRITE_TRIES = 120, WRITE_AGAIN_MS = 500 };

/* One renewal. Fields are by name, as kind.c has them. */
struct renewal {
    struct keep_call *call;
    const char *name;
    struct value value; /* as it was sent */
    uint64_t expires_ms;
    uint64_t cut_ms; /* an earlier one that was cut off; 0: none */
};

static struct safe *field(struct value *v, const char *name)
{
    return &v->version[0].field[kind_field(v->kind, slice_of(name))];
}

/* --- one at a time ---------------------------------------------------------
 */

/* waited: somebody else had it. */
static int lock_entry(const char *path, const char *name, bool *waited,
                      struct err *e)
{
    char *dir = mem_printf("%s.renew", path);
    char *file = mem_printf("%s/%s", dir, name);
    int fd = -1;

    *waited = false;
    if (mkdir(dir, 0700) == 0 || errno == EEXIST) {
        fd = open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        *waited = errno == EWOULDBLOCK;
        while (flock(fd, LOCK_EX) < 0 && errno == EINTR) {
        }
    }
    if (fd < 0) {
        (void)err_errno(e, STATUS_REFUSED, "%s", file);
    }
    free(file);
    free(dir);
    return fd;
}

/* --- the vault -------------------------------------------------------------
 */

static int read_entry(struct renewal *r, struct value *value, struct err *e)
{
    struct vault *v = r->call->vault;
    const struct format_entry *en = vault_find(v, r->name, e);

    if (en == NULL || vault_get(v, en, value, e) < 0) {
        return -1;
    }
    r->expires_ms = en->expires;
    if (kind_is_renewed(value->kind)) {
        return 0;
    }
    (void)err_set(e, STATUS_USAGE,
                  "%s is of kind %s; oauth2 is what is renewed", r->name,
                  value->kind->name);
    value_release(value);
    return -1;
}

/* Ours alone, as it is now; with another key, if it got one meanwhile. */
static int reopen(struct keep_call *c)
{
    if (c->vault != NULL) {
        vault_pause(c->vault);
        if (vault_resume(c->vault, c->e) == 0) {
            return 0;
        }
        vault_close(c->vault);
        c->vault = NULL;
    }
    return keep_open(c, true);
}

static int same_refresh(struct renewal *r, struct value *now)
{
    const struct safe *a = field(&r->value, "refresh_token");
    const struct safe *b = field(now, "refresh_token");

    return a->n == b->n && safe_equal(a->p, b->p, a->n);
}

/* The entry of now with these fields, if it is still the one that was sent.
 * note: NULL takes it away; tokens: NULL leaves them. Moves the tokens. */
static int write_entry(struct renewal *r, const char *note,
                       struct token *tokens)
{
    struct keep_call *c = r->call;
    struct value now;

    if (reopen(c) < 0 || read_entry(r, &now, c->e) < 0) {
        return -1;
    }
    if (!same_refresh(r, &now)) {
        msg_info("%s was changed by hand meanwhile; that stays", r->name);
        value_release(&now);
        return 0;
    }
    safe_release(field(&now, "renewing"));
    if (note != NULL) {
        safe_copy(field(&now, "renewing"), note, strlen(note));
    }
    if (tokens != NULL) {
        struct safe *access = field(&now, "access_token");
        safe_release(access);
        safe_copy(access, tokens->access.p, tokens->access.n);
        r->expires_ms =
            tokens->lifetime_ms > 0 ? clock_wall_ms() + tokens->lifetime_ms : 0;
    }
    if (tokens != NULL && tokens->refresh.p != NULL) {
        struct safe *refresh = field(&now, "refresh_token");
        safe_release(refresh);
        safe_copy(refresh, tokens->refresh.p, tokens->refresh.n);
    }
    vault_set(c->vault, r->name, &now, r->expires_ms);
    value_release(&now);
    return vault_commit(c->vault, c->e);
}

/* What was lost here could not be had again. */
static int keep_tokens(struct renewal *r, struct token *tokens)
{
    for (int i = 0; write_entry(r, NULL, tokens) < 0; i++) {
        if (i == WRITE_TRIES) {
            return err_wrap(r->call->e,
                            "%s was renewed, but cannot be written, so that "
                            "its refresh token is lost: authorise dpp anew, "
                            "then dpp-vault rotate %s",
                            r->name, r->name);
        }
        if (i == 0) {
            msg_warn("%s; the new token waits for it", r->call->e->text);
        }
        (void)poll(NULL, 0, WRITE_AGAIN_MS);
    }
    return 0;
}

/* --- the renewal -----------------------------------------------------------
 */

static int explain(const struct renewal *r, struct err *e)
{
    char when[CLOCK_TEXT];
    char *cut = NULL;

    if (strstr(e->text, " invalid_grant") == NULL) {
        return err_wrap(e, "%s", r->name);
    }
    if (r->cut_ms > 0) {
        time_format(r->cut_ms, when);
        cut = mem_printf(" (a renewal at %s was cut off, and the new token "
                         "with it)",
                         when);
    }
    const int rc = err_wrap(e,
                            "%s: its refresh token holds no more%s; authorise "
                            "dpp anew, then dpp-vault rotate %s",
                            r->name, cut != NULL ? cut : "", r->name);
    free(cut);
    return rc;
}

static int exchange(struct renewal *r)
{
    const struct token_client client = {
        .url = field(&r->value, "token_url"),
        .id = field(&r->value, "client_id"),
        .secret = field(&r->value, "client_secret"),
        .refresh = field(&r->value, "refresh_token")};
    struct keep_call *c = r->call;
    struct token tokens = {0};
    bool lost = false;
    char when[32];

    (void)snprintf(when, sizeof when, "%llu",
                   (unsigned long long)clock_wall_ms());
    if (write_entry(r, when, NULL) < 0) {
        return -1;
    }
    vault_pause(c->vault);
    int rc = token_renew(&client, &tokens, &lost, c->e);
    if (rc == 0) {
        rc = keep_tokens(r, &tokens);
    } else {
        struct err why = *c->e;
        if (!lost) {
            (void)write_entry(r, NULL, NULL);
        }
        *c->e = why;
        rc = explain(r, c->e);
    }
    token_release(&tokens);
    return rc;
}

/* Somebody else has just done it, or it holds for long enough. */
static bool is_fresh(struct renewal *r, bool waited)
{
    const uint64_t within = r->call->o->within_ms;
    const bool good = field(&r->value, "access_token")->p != NULL &&
                      field(&r->value, "renewing")->p == NULL;

    return good && r->expires_ms > 0 &&
           r->expires_ms > clock_wall_ms() + within && (waited || within > 0);
}

static uint64_t cut_off(struct renewal *r)
{
    const struct safe *note = field(&r->value, "renewing");
    uint64_t ms = 0;

    for (size_t i = 0; i < note->n; i++) {
        ms = ms * 10 + (uint64_t)(note->p[i] - '0');
    }
    return ms;
}

static int renew(struct keep_call *c, const char *name)
{
    struct renewal r = {.call = c, .name = name};
    bool waited;
    const int lock = lock_entry(vault_name(c->vault), name, &waited, c->e);

    if (lock < 0) {
        return -1;
    }
    int rc = reopen(c) < 0 ? -1 : read_entry(&r, &r.value, c->e);
    if (rc == 0) {
        vault_pause(c->vault);
    }
    if (rc == 0 && !is_fresh(&r, waited)) {
        r.cut_ms = cut_off(&r);
        rc = exchange(&r);
    }
    value_release(&r.value);
    (void)close(lock);
    return rc;
}

int keep_renew(struct keep_call *c)
{
    static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        (void)sigaddset(&set, held[i]);
    }
    c->silent = !isatty(STDIN_FILENO);
    int rc = keep_open(c, false);
    for (size_t i = 0; rc == 0 && i < c->names; i++) {
        const struct format_entry *en = vault_find(c->vault, c->name[i], c->e);
        rc = en != NULL ? 0 : -1;
        if (rc == 0) {
            vault_pause(c->vault);
            (void)sigprocmask(SIG_BLOCK, &set, NULL);
            rc = renew(c, c->name[i]);
            (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        }
    }
    return rc;
}
