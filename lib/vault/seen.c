#include "vault/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/little.h"
#include "base/mem.h"
#include "vault/keys.h"

static const char magic[] = "dpp-seen 1\n";

enum { MAGIC = sizeof magic - 1, HEAD = MAGIC + 8, PROOFS = 2 };

char *seen_path(const unsigned char *id)
{
    char hex[2 * KEYS_ID + 1];
    char *state = state_dir();

    for (size_t i = 0; i < KEYS_ID; i++) {
        hex[2 * i] = "0123456789abcdef"[id[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
    }
    hex[2 * KEYS_ID] = '\0';
    char *path = mem_printf("%s/vault-%s.seen", state, hex);
    free(state);
    return path;
}

static void prove(const unsigned char *id, uint64_t generation,
                  const struct safe *list_key, unsigned char *mac)
{
    static const char label[] = "dpp-vault 1 seen";
    char text[sizeof label + KEYS_ID + 8];

    memcpy(text, label, sizeof label);
    memcpy(text + sizeof label, id, KEYS_ID);
    put64(text + sizeof label + KEYS_ID, generation);
    keys_mac(list_key, (struct slice){text, sizeof text}, mac);
}

static int check(const char *path, const struct buf *b, const unsigned char *id,
                 const struct safe *list_key, uint64_t *generation,
                 struct err *e)
{
    unsigned char mac[KEYS_MAC];
    bool good = false;

    if (b->n >= HEAD && memcmp(b->p, magic, MAGIC) == 0) {
        const uint64_t n = get64(b->p + MAGIC);
        prove(id, n, list_key, mac);
        for (size_t at = HEAD; at + KEYS_MAC <= b->n; at += KEYS_MAC) {
            good |= safe_equal(mac, b->p + at, KEYS_MAC);
        }
        *generation = n;
    }
    return good ? 0
                : err_set(e, STATUS_CONFIG,
                          "%s was not written with this vault's key, or is "
                          "damaged; if the vault is the right one, remove that "
                          "file",
                          path);
}

int seen_read(const unsigned char *id, const struct safe *list_key,
              uint64_t *generation, struct err *e)
{
    char *path = seen_path(id);
    struct buf b;
    int rc = -1;

    *generation = 0;
    buf_init(&b);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        rc = 0;
    } else if (fd < 0) {
        (void)err_errno(e, STATUS_CONFIG, "%s", path);
    } else if (fd_read(fd, path, HEAD + PROOFS * KEYS_MAC, &b, e) == 0) {
        rc = check(path, &b, id, list_key, generation, e);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    buf_release(&b);
    free(path);
    return rc;
}

int seen_write(const unsigned char *id, uint64_t generation,
               const struct safe *list_key, const struct safe *other,
               struct err *e)
{
    char text[HEAD + PROOFS * KEYS_MAC];
    char *state = state_dir();
    char *path = seen_path(id);
    size_t n = HEAD;

    memcpy(text, magic, MAGIC);
    put64(text + MAGIC, generation);
    prove(id, generation, list_key, (unsigned char *)text + n);
    n += KEYS_MAC;
    if (other != NULL) {
        prove(id, generation, other, (unsigned char *)text + n);
        n += KEYS_MAC;
    }
    int rc = dir_make(state, e);
    if (rc == 0) {
        rc = file_replace(path, text, n, 0600, e);
    }
    free(state);
    free(path);
    return rc;
}
