#include "supervise/hand.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "supervise/program.h"
#include "supervise/segment.h"
#include "vault/grant.h"
#include "vault/secret.h"

enum { NAMED_MAX = 1024 * 1024 }; /* bytes of a file that names entries */

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

/* --- files that an argument names ------------------------------------------
 */

/* What may stand behind "vault:". */
static size_t ref_length(const char *p)
{
    return strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789_-.");
}

static int add_line(struct hand *h, char *line, struct err *e)
{
    static const char scheme[] = "vault:";
    char name[FORMAT_NAME_MAX + 1];

    for (char *p = line; (p = strstr(p, scheme)) != NULL;) {
        const size_t n = sizeof scheme - 1 + ref_length(p + sizeof scheme - 1);
        char *ref = mem_strndup(p, n);
        const bool is_one =
            (p == line || ref_length(p - 1) == 0) && secret_entry(ref, name);
        free(ref);
        if (is_one && add(h, name, e) < 0) {
            return -1;
        }
        p += n;
    }
    return 0;
}

/* A comment names nothing. One that we cannot read is the stage's to complain
 * about. */
static int add_file(struct hand *h, const char *path, struct err *e)
{
    struct buf text;
    struct err ignored;
    int rc = 0;

    buf_init(&text);
    if (file_read(path, NAMED_MAX, &text, &ignored) == 0) {
        char *rest = (char *)(uintptr_t)buf_cstr(&text);
        while (rc == 0 && rest != NULL) {
            char *line = strsep(&rest, "\n");
            char *hash = strchr(line, '#');
            if (hash != NULL && (hash == line || strchr(" \t", hash[-1]))) {
                *hash = '\0';
            }
            rc = add_line(h, line, e);
        }
    }
    buf_release(&text);
    return rc < 0 ? err_wrap(e, "%s", path) : 0;
}

/* "@FILE" of -X, and dpp-listen's -c FILE, in all ways to write them. */
static const char *named_file(const char *program, char *const *word)
{
    static const char *const before[] = {"", "-X", "--property="};
    static const char *const config[] = {"-c", "--config", "--config="};
    const char *slash = strrchr(program, '/');

    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        const size_t n = strlen(before[i]);
        if (strncmp(*word, before[i], n) == 0 && (*word)[n] == '@') {
            return *word + n + 1;
        }
    }
    if (strcmp(slash != NULL ? slash + 1 : program, "dpp-listen") != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof config / sizeof config[0]; i++) {
        const size_t n = strlen(config[i]);
        if (strcmp(*word, config[i]) == 0) {
            return word[1];
        }
        if (i != 1 && strncmp(*word, config[i], n) == 0) {
            return *word + n;
        }
    }
    return NULL;
}

static int add_word(struct hand *h, const struct segment_stage *st,
                    char *const *word, struct err *e)
{
    char name[FORMAT_NAME_MAX + 1];
    const char *file =
        program_is_ours(st->argv[0]) ? named_file(st->argv[0], word) : NULL;

    if (file != NULL && add_file(h, file, e) < 0) {
        return -1;
    }
    return named(*word, name) ? add(h, name, e) : 0;
}

static int prepare_stage(struct hand *h, struct segment_stage *st,
                         struct err *e)
{
    struct safe bytes;
    int rc = 0;

    for (char *const *word = st->argv + 1; rc == 0 && *word != NULL; word++) {
        rc = add_word(h, st, word, e);
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
