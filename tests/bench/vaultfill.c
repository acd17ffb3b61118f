/* vaultfill PATH KEYFILE N: N entries into a vault, in one write. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "vault/vault.h"

static void fill(struct vault *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err e;
        struct value value = {.kind = kind_find("token", &e)};
        struct safe field[KIND_FIELDS] = {0};
        char name[FORMAT_NAME_MAX];
        (void)snprintf(name, sizeof name, "entry-%06zu", i);
        safe_copy(&field[0], "0123456789abcdef0123456789abcdef", 32);
        value_rotate(&value, field, 0);
        vault_set(v, name, &value, 0);
        value_release(&value);
    }
}

int main(int argc, char **argv)
{
    struct err e;
    struct vault *v = NULL;

    msg_init("vaultfill");
    if (argc != 4) {
        return STATUS_USAGE;
    }
    char *key = mem_printf("file:%s", argv[2]);
    const struct vault_conf conf = {
        .path = argv[1], .key = key, .change = true};
    v = vault_open(&conf, &e);
    if (v != NULL) {
        fill(v, strtoul(argv[3], NULL, 10));
    }
    const int rc = v != NULL ? vault_commit(v, &e) : -1;
    if (rc < 0) {
        msg_err(&e);
    }
    vault_close(v);
    free(key);
    return rc < 0 ? e.status : 0;
}
