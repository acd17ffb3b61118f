#include "vault/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/little.h"
#include "base/mem.h"
#include "vault/ref.h"

static const char magic[] = "dpp-grant 1\n";

enum {
    MAGIC = sizeof magic - 1,
    HEAD = MAGIC + KEYS_ID + 1,
    BYTES_MAX =
        HEAD + GRANT_ENTRIES_MAX * (1 + FORMAT_NAME_MAX + 8 + KEYS_BYTES),
};

void grant_release(struct grant *g)
{
    safe_release(&g->key);
    *g = (struct grant){0};
}

int grant_make(struct grant *g, const struct vault *v, const char *name,
               struct err *e)
{
    const struct format_entry *en = vault_find(v, name, e);

    *g = (struct grant){0};
    if (en == NULL) {
        return -1;
    }
    memcpy(g->id, vault_list(v)->id, KEYS_ID);
    memcpy(g->name, en->name, sizeof g->name);
    g->counter = en->counter;
    vault_entry_key(v, name, &g->key);
    return 0;
}

/* --- bytes -----------------------------------------------------------------
 */

void grant_pack(const struct grant *g, size_t n, struct safe *out)
{
    size_t size = HEAD;

    for (size_t i = 0; i < n; i++) {
        size += 1 + strlen(g[i].name) + 8 + KEYS_BYTES;
    }
    safe_new(out, size);
    unsigned char *p = out->p;
    memcpy(p, magic, MAGIC);
    memcpy(p + MAGIC, g[0].id, KEYS_ID);
    p[HEAD - 1] = (unsigned char)n;
    p += HEAD;
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(g[i].name);
        *p++ = (unsigned char)length;
        memcpy(p, g[i].name, length);
        p += length;
        put64((char *)p, g[i].counter);
        memcpy(p + 8, g[i].key.p, KEYS_BYTES);
        p += 8 + KEYS_BYTES;
    }
}

int grant_unpack(struct grant *g, const struct safe *bytes, const char *name,
                 struct err *e)
{
    const unsigned char *p = bytes->p;
    const unsigned char *end = p + bytes->n;

    *g = (struct grant){0};
    if (bytes->n < HEAD || memcmp(p, magic, MAGIC) != 0) {
        return err_set(e, STATUS_REFUSED, "no grant of dpp-vault");
    }
    memcpy(g->id, p + MAGIC, KEYS_ID);
    int n = p[HEAD - 1];
    for (p += HEAD; n > 0; n--) {
        const size_t length = p < end ? *p : 0;
        if (length == 0 || length > FORMAT_NAME_MAX ||
            (size_t)(end - p) < 1 + length + 8 + KEYS_BYTES) {
            return err_set(e, STATUS_REFUSED, "a damaged grant");
        }
        p++;
        if (slice_is((struct slice){(const char *)p, length}, name)) {
            memcpy(g->name, p, length);
            g->counter = get64((const char *)p + length);
            safe_copy(&g->key, p + length + 8, KEYS_BYTES);
            return 0;
        }
        p += length + 8 + KEYS_BYTES;
    }
    return 1;
}

int grant_memfd(const struct safe *bytes, struct err *e)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    const int fd = memfd_create("dpp-vault", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return err_errno(e, STATUS_SYSTEM, "a memory file");
    }
    if (fd_write(fd, bytes->p, bytes->n) < 0 ||
        fcntl(fd, F_ADD_SEALS, seals) < 0) {
        (void)err_errno(e, STATUS_SYSTEM, "a memory file");
        (void)close(fd);
        return -1;
    }
    void *map = mmap(NULL, bytes->n, PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) { /* and stays: the lock goes with it */
        (void)mlock(map, bytes->n);
    }
    return fd;
}

/* --- handed to us ----------------------------------------------------------
 */

/* What came through a pipe can be read once; it is kept under its number. */
static int keep(int fd, const struct safe *bytes, struct err *e)
{
    const int copy = grant_memfd(bytes, e);

    if (copy < 0) {
        return -1;
    }
    const int rc = dup3(copy, fd, O_CLOEXEC) < 0
                       ? err_errno(e, STATUS_SYSTEM, "$DPP_VAULT_FD")
                       : 0;
    (void)close(copy);
    return rc;
}

/* Without moving it: whoever has the descriptor too reads the same. */
static int read_descriptor(const char *text, struct safe *out, struct err *e)
{
    char *end;
    const long fd = strtol(text, &end, 10);

    if (*end != '\0' || fd < 3 || fd > 65535 ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
        return err_set(e, STATUS_REFUSED,
                       "$DPP_VAULT_FD is no open descriptor from 3 on");
    }
    safe_new(out, BYTES_MAX);
    const ssize_t n = pread((int)fd, out->p, out->n, 0);
    if (n >= 0) {
        safe_cut(out, 0, (size_t)n);
        return 0;
    }
    safe_release(out);
    if (errno != ESPIPE) {
        return err_errno(e, STATUS_REFUSED, "$DPP_VAULT_FD");
    }
    if (ref_read_fd((int)fd, "$DPP_VAULT_FD", BYTES_MAX, out, e) < 0) {
        return -1;
    }
    return keep((int)fd, out, e);
}

static int read_credential(const char *name, struct safe *out, struct err *e)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char *path = mem_printf("%s/vault.%s", dir != NULL ? dir : "", name);
    int rc = 1;
    const int fd = dir != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        rc = ref_read_fd(fd, path, BYTES_MAX, out, e);
        (void)close(fd);
    } else if (dir != NULL && errno != ENOENT) {
        rc = err_errno(e, STATUS_REFUSED, "%s", path);
    }
    free(path);
    return rc;
}

int grant_handed(struct grant *g, const char *name, struct err *e)
{
    const char *number = getenv("DPP_VAULT_FD");
    struct safe bytes = {0};

    if (safe_init(false, e) < 0) {
        return -1;
    }
    int rc = number != NULL ? read_descriptor(number, &bytes, e)
                            : read_credential(name, &bytes, e);

    if (rc == 0) {
        rc = grant_unpack(g, &bytes, name, e);
        if (rc == 1) {
            rc = err_set(e, STATUS_REFUSED,
                         "this entry was not handed to this program (dpp-run "
                         "hands those that a stage's own arguments name)");
        }
    }
    safe_release(&bytes);
    return rc;
}

/* --- opening ---------------------------------------------------------------
 */

static int open_entry(struct grant *g, const struct format *f,
                      struct value *out, uint64_t *expires_ms, struct err *e)
{
    const struct format_entry *en = format_find(f, g->name);
    struct safe plain;

    if (memcmp(f->id, g->id, KEYS_ID) != 0) {
        return err_set(e, STATUS_REFUSED, "another vault than the key is for");
    }
    if (en == NULL) {
        return err_set(e, STATUS_REFUSED, "there is no such entry any more");
    }
    if (en->counter < g->counter) {
        return err_set(e, STATUS_CONFIG,
                       "the entry is older than it was: somebody has put an "
                       "old file in the vault's place");
    }
    if (!format_open(f, en, &g->key, &plain)) {
        return err_set(e, STATUS_REFUSED,
                       "the key does not fit, or the entry was changed by "
                       "other hands (after dpp-vault rekey, start again)");
    }
    const struct kind *k = kind_of(en->kind);
    const int rc = k != NULL ? value_unpack(out, k, &plain) : -1;
    safe_release(&plain);
    if (rc < 0) {
        return err_set(e, STATUS_CONFIG, "a newer dpp wrote this entry");
    }
    g->counter = en->counter;
    *expires_ms = en->expires;
    return 0;
}

int grant_open(struct grant *g, const char *path, struct value *out,
               uint64_t *expires_ms, struct err *e)
{
    struct format f;
    struct buf bytes;
    const int fd = ref_open("vault", path, true, e);
    int rc = -1;

    if (fd < 0) {
        return -1;
    }
    buf_init(&bytes);
    if (fd_read(fd, path, FORMAT_FILE_MAX, &bytes, e) == 0) {
        rc = format_parse(&f, buf_slice(&bytes), e);
        if (rc == 0) {
            rc = open_entry(g, &f, out, expires_ms, e);
            format_release(&f);
        }
        rc = rc < 0 ? err_wrap(e, "vault %s", path) : 0;
    }
    (void)close(fd);
    buf_release(&bytes);
    return rc;
}
