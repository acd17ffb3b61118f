/* The store's folder: DIR/VERSION, topics, groups, run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/shared.h"

enum { JSON_MAX = 65536 };

static const char VERSION_TEXT[] = "dpp-log 1\n";

/* File systems whose locks, maps or syncs another machine may not honour. */
static const struct {
    uint64_t magic;
    const char *name;
} REMOTE[] = {
    {0x6969, "NFS"},        {0x517b, "SMB"},        {0xff534d42, "CIFS"},
    {0xfe534d42, "SMB2"},   {0x01021997, "9p"},     {0x65735546, "FUSE"},
    {0x00c36400, "Ceph"},   {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
    {0x73757245, "Coda"},   {0x01161970, "GFS2"},   {0x7461636f, "OCFS2"},
    {0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"},   {0x786f4256, "vboxsf"},
    {0x19830326, "FhGFS"},  {0x013661de, "prl_fs"}, {0xbacbacbc, "vmhgfs"},
};

static int check_file_system(const char *dir, struct err *e)
{
    struct statfs fs;

    if (statfs(dir, &fs) < 0) {
        return err_errno(e, STATUS_IO, "%s", dir);
    }
    for (size_t i = 0; i < sizeof REMOTE / sizeof *REMOTE; i++) {
        if (((uint64_t)fs.f_type & 0xffffffff) == REMOTE[i].magic) {
            return err_set(e, STATUS_CONFIG,
                           "%s: the log needs a local file system, this is %s "
                           "(several machines need a broker, not a shared log)",
                           dir, REMOTE[i].name);
        }
    }
    return 0;
}

static int check_version(const char *dir, struct err *e)
{
    char *path = mem_printf("%s/VERSION", dir);
    struct buf text;
    int rc = 0;

    buf_init(&text);
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        rc = file_replace(path, VERSION_TEXT, sizeof VERSION_TEXT - 1, 0600, e);
    } else if (file_read(path, 64, &text, e) < 0) {
        rc = -1;
    } else if (!slice_is(buf_slice(&text), VERSION_TEXT)) {
        rc = err_set(e, STATUS_CONFIG,
                     "%s: made by another version of dpp, this one knows "
                     "\"dpp-log 1\"",
                     path);
    }
    buf_release(&text);
    free(path);
    return rc;
}

struct log *log_open(const char *dir, struct err *e)
{
    struct log *log = mem_new(sizeof *log);
    static const char *const SUB[] = {"topics", "groups", "run"};

    log->dir = mem_strdup(dir);
    if (dir[0] == '\0') {
        err_set(e, STATUS_CONFIG, "log: needs a folder (log:DIR)");
        goto fail;
    }
    if (dir_make(dir, e) < 0 || check_file_system(dir, e) < 0 ||
        check_version(dir, e) < 0) {
        goto fail;
    }
    for (size_t i = 0; i < sizeof SUB / sizeof *SUB; i++) {
        char *path = mem_printf("%s/%s", dir, SUB[i]);
        const int rc = dir_make(path, e);
        free(path);
        if (rc < 0) {
            goto fail;
        }
    }
    return log;
fail:
    log_close(log);
    return NULL;
}

void log_close(struct log *log)
{
    if (log != NULL) {
        log_keys_release(log);
        free(log->dir);
        free(log);
    }
}

void log_key(struct log *log, struct slice key)
{
    cipher_add(&log->keys, key);
}

char *store_path(struct log *log, const char *kind, const char *name)
{
    return mem_printf("%s/%s/%s", log->dir, kind, name);
}

int store_name_check(const char *what, const char *name, struct err *e)
{
    const size_t n = strlen(name);
    const size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789._-");

    if (n == 0 || n > LOG_NAME_MAX || good != n || name[0] == '.') {
        return err_set(e, STATUS_CONFIG,
                       "%s name \"%.60s\": letters, digits, '.', '_' and '-', "
                       "at most %d, no '.' in front",
                       what, name, LOG_NAME_MAX);
    }
    return 0;
}
