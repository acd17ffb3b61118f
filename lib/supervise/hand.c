#include "supervise/hand.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "supervise/segment.h"
#include "vault/grant.h"
#include "vault/secret.h"

/* The keys of one stage; the vault, once it was needed. */
struct hand {
    struct grant grant[GRANT_ENTRIES_MAX];
    size_t n;
    struct vault *vault;
};

static bool has(const struct hand *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++) {
        if (strcmp(h->grant[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What we were handed ourselves comes first: we may have no more than that. */
static int add(struct hand *h, const char *name, struct err *e)
{
    static const struct vault_conf conf = {0};
    struct grant *g = &h->grant[h->n];

    if (has(h, name)) {
        return 0;
    }
    if (h->n == GRANT_ENTRIES_MAX) {
        return err_set(e, STATUS_USAGE, "more than %d entries of the vault",
                       GRANT_ENTRIES_MAX);
    }
    int rc = grant_handed(g, name, e);
    if (rc == 1 && h->vault == NULL) {
        h->vault = vault_open(&conf, e);
    }
    if (rc == 1) {
        rc = h->vault != NULL ? grant_make(g, h->vault, name, e) : -1;
    }
    h->n += rc == 0;
    return rc;
}

static bool named(const char *word, char *name)
{
    const char *equals = strchr(word, '=');
    char *front = mem_strndup(word, strcspn(word, "="));
    const bool before = secret_entry(front, name); /* vault:NAME=.data.x */

    free(front);
    return before ||
           (strncmp(word, "-k", 2) == 0 && secret_entry(word + 2, name)) ||
           (equals != NULL && secret_entry(equals + 1, name));
}

static int prepare_stage(struct hand *h, struct segment_stage *st,
                         struct err *e)
{
    char name[FORMAT_NAME_MAX + 1];
    struct safe bytes;
    int rc = 0;

    for (char *const *word = st->argv + 1; rc == 0 && *word != NULL; word++) {
        rc = named(*word, name) ? add(h, name, e) : 0;
    }
    if (rc == 0 && h->n > 0) {
        grant_pack(h->grant, h->n, &bytes);
        const int fd = grant_memfd(&bytes, e);
        safe_release(&bytes);
        st->vault_fd = fd > 0 ? fd : 0;
        rc = fd < 0 ? -1 : 0;
    }
    for (; h->n > 0; h->n--) {
        grant_release(&h->grant[h->n - 1]);
    }
    return rc;
}

int hand_prepare(struct segment *s, struct err *e)
{
    struct hand h = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        rc = prepare_stage(&h, &s->stage[i], e);
        if (rc < 0) {
            (void)err_wrap(e, "%s (stage %zu)", s->stage[i].name, i + 1);
        }
        s->hands |= s->stage[i].vault_fd > 0;
    }
    vault_close(h.vault);
    return rc;
}

void hand_over(int fd)
{
    char text[16];

    if (fd == 0) {
        (void)unsetenv("DPP_VAULT_FD");
        return;
    }
    (void)snprintf(text, sizeof text, "%d", fd);
    (void)fcntl(fd, F_SETFD, 0);
    (void)setenv("DPP_VAULT_FD", text, 1);
}
