#include "log/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "record/pos.h"

enum { FILE_MAX = 1 << 28, RUN_MAX = 64 };

void owners_init(struct owners *o)
{
    *o = (struct owners){0};
    map_init(&o->run_of);
}

void owners_release(struct owners *o)
{
    const struct map_slot *slot;
    size_t at = 0;

    while ((slot = map_next(&o->run_of, &at)) != NULL) {
        free(slot->value);
    }
    map_release(&o->run_of);
    owners_init(o);
}

static void set(struct owners *o, struct slice who, const char *run)
{
    free(map_put(&o->run_of, who, mem_strdup(run)));
}

/* Lines: run TAB name TAB key. */
static void load_line(struct owners *o, const char *line, size_t n)
{
    const char *tab = memchr(line, '\t', n);

    if (tab != NULL) {
        char *run = mem_strndup(line, (size_t)(tab - line));
        set(o, (struct slice){tab + 1, n - (size_t)(tab - line) - 1}, run);
        free(run);
    }
}

static int load(struct owners *o, const char *path, struct err *e)
{
    struct buf text;
    const char *p;
    const char *end;
    const char *lf;

    if (access(path, F_OK) < 0 && errno == ENOENT) {
        return 0;
    }
    buf_init(&text);
    if (file_read(path, FILE_MAX, &text, e) < 0) {
        buf_release(&text);
        return -1;
    }
    p = text.p;
    end = text.p + text.n;
    while (p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        load_line(o, p, (size_t)(lf - p));
        p = lf + 1;
    }
    buf_release(&text);
    return 0;
}

static int refresh(struct owners *o, const struct shared *s, struct err *e)
{
    const uint64_t now = atomic_load(&s->state->owners);

    if (o->version == now) {
        return 0;
    }
    char *path = mem_printf("%s/owners", s->run);
    owners_release(o);
    const int rc = load(o, path, e);
    free(path);
    if (rc == 0) {
        o->version = now;
    }
    return rc;
}

/* Renamed but not synced: what matters is that other processes see the old or
 * the new one. */
static int save(const struct owners *o, const struct shared *s, struct err *e)
{
    char *path = mem_printf("%s/owners", s->run);
    char *tmp = mem_printf("%s.tmp", path);
    const struct map_slot *slot;
    struct buf text;
    size_t at = 0;
    int rc = 0;

    buf_init(&text);
    while ((slot = map_next(&o->run_of, &at)) != NULL) {
        buf_puts(&text, slot->value);
        buf_putc(&text, '\t');
        buf_append(&text, slot->key, slot->n);
        buf_putc(&text, '\n');
    }
    const int fd =
        open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fd_write(fd, text.p, text.n) < 0 || rename(tmp, path) < 0) {
        rc = err_errno(e, STATUS_IO, "%s", path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    buf_release(&text);
    free(tmp);
    free(path);
    return rc;
}

static void who_is(struct buf *who, struct slice name, struct slice key)
{
    buf_clear(who);
    buf_append_slice(who, name);
    buf_putc(who, '\t');
    buf_append_slice(who, key);
}

static int check_text(struct slice s, const char *what, struct err *e)
{
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f) {
            return err_set(e, STATUS_STREAM, "a control character in a %s",
                           what);
        }
    }
    return 0;
}

int owners_claim(struct owners *o, const struct shared *s, const char *run,
                 struct slice name, struct slice keys, struct err *e)
{
    struct slice key;
    struct slice value;
    struct buf who;

    if (strlen(run) > RUN_MAX) {
        return err_set(e, STATUS_STREAM, "a run of %zu bytes", strlen(run));
    }
    if (check_text(slice_of(run), "run", e) < 0 ||
        check_text(name, "name", e) < 0 || check_text(keys, "key", e) < 0 ||
        refresh(o, s, e) < 0) {
        return -1;
    }
    buf_init(&who);
    while (pos_next(&keys, &key, &value)) {
        who_is(&who, name, key);
        set(o, buf_slice(&who), run);
    }
    buf_release(&who);
    if (save(o, s, e) < 0) {
        o->version = UINT64_MAX; /* ours is not what the file says */
        return -1;
    }
    o->version = atomic_fetch_add(&s->state->owners, 1) + 1;
    return 0;
}

int owners_check(struct owners *o, const struct shared *s, const char *run,
                 struct slice name, struct slice pos, struct err *e)
{
    struct slice key;
    struct slice value;
    struct buf who;
    int rc = 0;

    if (refresh(o, s, e) < 0) {
        return -1;
    }
    if (o->run_of.n == 0) {
        return 0;
    }
    buf_init(&who);
    while (rc == 0 && pos_next(&pos, &key, &value)) {
        who_is(&who, name, key);
        const char *owner = map_get(&o->run_of, buf_slice(&who));
        if (owner != NULL && strcmp(owner, run) != 0) {
            rc = err_set(e, STATUS_CONFIG,
                         "topic \"%s\": another run has taken over \"%.*s\" "
                         "(%.*s)",
                         s->topic, (int)name.n, name.p,
                         key.n < 100 ? (int)key.n : 100, key.p);
        }
    }
    buf_release(&who);
    return rc;
}
