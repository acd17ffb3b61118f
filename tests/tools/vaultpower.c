/* vaultpower: a writer and a checker for power cuts, on lib/vault.
 *
 *     vaultpower write DIR N   N changes of a vault below DIR, acknowledged
 *     vaultpower check DIR N   status 1 unless it is there as after N of them,
 *                              or after the next one, whole and with its key
 *
 * The first change is init, then come in turn: a put, a rekey, a rotation. So
 * the vault's generation says all that must be in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../power/mark.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "vault/vault.h"

enum { PUT = 2, REKEY = 0, ROTATE = 1 }; /* number modulo 3 */

static void live_in(const char *dir)
{
    static const char *const name[] = {"XDG_DATA_HOME", "XDG_CONFIG_HOME",
                                       "XDG_STATE_HOME"};

    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        char *path = mem_printf("%s/%s", dir, name[i]);
        (void)setenv(name[i], path, 1);
        free(path);
    }
    (void)unsetenv("STATE_DIRECTORY");
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

static void set_number(struct vault *v, const char *name, unsigned long long n)
{
    struct err e;
    struct value value = {.kind = kind_find("token", &e)};
    struct safe field[KIND_FIELDS] = {0};
    char text[32];

    (void)snprintf(text, sizeof text, "%llu", n);
    safe_copy(&field[0], text, strlen(text));
    value_rotate(&value, field, 0);
    vault_set(v, name, &value, 0);
    value_release(&value);
}

static int rekey(struct vault *v, struct err *e)
{
    struct vault_key key = {0};
    int rc = vault_key_make(&key, NULL, false, e);

    if (rc == 0) {
        rc = vault_rekey(v, &key, e);
    }
    vault_key_release(&key);
    return rc;
}

static int change(unsigned long long n, struct err *e)
{
    static const struct vault_conf conf = {.change = true, .silent = true};
    char name[32] = "count";
    struct vault *v = vault_open(&conf, e);
    int rc = -1;

    if (v == NULL) {
        return -1;
    }
    if (n % 3 == PUT) {
        (void)snprintf(name, sizeof name, "put%llu", n);
    }
    if (n % 3 == REKEY) {
        rc = rekey(v, e);
    } else {
        set_number(v, name, n);
        rc = vault_commit(v, e);
    }
    vault_close(v);
    return rc;
}

static int write_all(unsigned long long count, struct err *e)
{
    struct vault_key key = {0};
    int rc = vault_key_make(&key, NULL, false, e);

    if (rc == 0) {
        rc = vault_create(NULL, &key, e);
    }
    vault_key_release(&key);
    for (unsigned long long n = 1; rc == 0 && n <= count; n++) {
        rc = n > 1 ? change(n, e) : 0;
        if (rc == 0) {
            power_mark(n);
        }
    }
    return rc;
}

/* Is this number in the entry, and can it be opened? */
static int check_entry(const struct vault *v, const char *name,
                       unsigned long long want, struct err *e)
{
    const struct format_entry *en = vault_find(v, name, e);
    struct value value;
    char text[32];

    if (en == NULL || vault_get(v, en, &value, e) < 0) {
        return -1;
    }
    (void)snprintf(text, sizeof text, "%llu", want);
    const bool same = slice_is(safe_slice(&value.version[0].field[0]), text);
    value_release(&value);
    return same ? 0 : err_set(e, STATUS_CONFIG, "%s is not %s", name, text);
}

static int check(unsigned long long acked, struct err *e)
{
    static const struct vault_conf conf = {.silent = true};
    struct vault *v = acked > 0 ? vault_open(&conf, e) : NULL;
    unsigned long long entries = 0;
    int rc = 0;

    if (v == NULL) {
        return acked > 0 ? -1 : 0;
    }
    const unsigned long long last = vault_list(v)->generation;
    if (last < acked || last > acked + 1) {
        rc = err_set(e, STATUS_CONFIG, "acknowledged %llu, there are %llu",
                     acked, last);
    }
    for (unsigned long long n = 2; rc == 0 && n <= last; n++) {
        char name[32];
        (void)snprintf(name, sizeof name, "put%llu", n);
        if (n % 3 == PUT) {
            rc = check_entry(v, name, n, e);
            entries++;
        } else if (n % 3 == ROTATE && n + 3 > last) {
            rc = check_entry(v, "count", n, e);
            entries++;
        }
    }
    if (rc == 0 && vault_list(v)->n != entries) {
        rc = err_set(e, STATUS_CONFIG, "%zu entries instead of %llu",
                     vault_list(v)->n, entries);
    }
    vault_close(v);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e;

    msg_init("vaultpower");
    if (argc != 4) {
        return STATUS_USAGE;
    }
    const unsigned long long n = strtoull(argv[3], NULL, 10);
    live_in(argv[2]);
    if (strcmp(argv[1], "check") == 0) {
        if (check(n, &e) < 0) {
            (void)printf("acknowledged %llu: %s\n", n, e.text);
            return 1;
        }
        return 0;
    }
    if (write_all(n, &e) < 0) {
        msg_err(&e);
        return e.status;
    }
    return 0;
}
