/* filepower: a writer and a checker for power cuts, on lib/base/file.c.
 *
 *     filepower replace DIR N    file_replace() N times, each acknowledged
 *     filepower append DIR N     append N records, each synced, acknowledged
 *     filepower early DIR N      wrong: acknowledges before it syncs
 *     filepower nodir DIR N      wrong: a rename without a sync of the folder
 *     filepower check MODE DIR N status 1 if one of the first N is gone
 *
 * The wrong ones prove that the test can see. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../power/mark.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

enum { RECORD = 512 };

static void record(char out[RECORD], unsigned long long n)
{
    memset(out, 'a' + (int)(n % 26), RECORD);
    const int head = snprintf(out, RECORD, "record %llu ", n);
    out[head] = '.';
    out[RECORD - 1] = '\n';
}

static int append(const char *dir, unsigned long long count, bool early,
                  struct err *e)
{
    char *path = mem_printf("%s/log", dir);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char text[RECORD];
    int rc = -1;

    if (fd < 0 || fsync(fd) < 0) {
        (void)err_errno(e, STATUS_IO, "%s", path);
        goto out;
    }
    if (dir_sync(dir, e) < 0) {
        goto out;
    }
    for (unsigned long long n = 1; n <= count; n++) {
        record(text, n);
        if (fd_pwrite(fd, text, RECORD, (off_t)(n - 1) * RECORD) < 0 ||
            (!early && fdatasync(fd) < 0)) {
            (void)err_errno(e, STATUS_IO, "%s", path);
            goto out;
        }
        power_mark(n);
        if (early && fdatasync(fd) < 0) {
            (void)err_errno(e, STATUS_IO, "%s", path);
            goto out;
        }
    }
    rc = 0;
out:
    if (fd >= 0) {
        (void)close(fd);
    }
    free(path);
    return rc;
}

/* What file_replace() would be without its last line. */
static int replace_nodir(const char *path, const char *text, struct err *e)
{
    char *tmp = mem_printf("%s.tmp", path);
    const int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd < 0 || fd_write(fd, text, RECORD) < 0 || fsync(fd) < 0 ||
        rename(tmp, path) < 0) {
        rc = err_errno(e, STATUS_IO, "%s", tmp);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(tmp);
    return rc;
}

static int replace(const char *dir, unsigned long long count, bool nodir,
                   struct err *e)
{
    char *path = mem_printf("%s/current", dir);
    char text[RECORD];
    int rc = 0;

    for (unsigned long long n = 1; n <= count && rc == 0; n++) {
        record(text, n);
        rc = nodir ? replace_nodir(path, text, e)
                   : file_replace(path, text, RECORD, 0600, e);
        if (rc == 0) {
            power_mark(n);
        }
    }
    free(path);
    return rc;
}

/* The first `acked` records must be there and whole. */
static int check_append(struct slice have, unsigned long long acked)
{
    char want[RECORD];

    for (unsigned long long n = 1; n <= acked; n++) {
        record(want, n);
        if (have.n < n * RECORD ||
            memcmp(have.p + (n - 1) * RECORD, want, RECORD) != 0) {
            (void)printf("acknowledged %llu, record %llu is gone\n", acked, n);
            return 1;
        }
    }
    return 0;
}

/* The acknowledged content or a newer one, and whole. */
static int check_replace(struct slice have, unsigned long long acked)
{
    char want[RECORD];
    unsigned long long n = 0;

    if (have.n == RECORD && sscanf(have.p, "record %llu ", &n) == 1) {
        record(want, n);
        if (n >= acked && memcmp(have.p, want, RECORD) == 0) {
            return 0;
        }
    }
    if (have.n == 0 && acked == 0) {
        return 0;
    }
    (void)printf("acknowledged %llu, the file has %zu bytes of %llu\n", acked,
                 have.n, n);
    return 1;
}

static int check(const char *mode, const char *dir, unsigned long long acked)
{
    const bool replaced =
        strcmp(mode, "replace") == 0 || strcmp(mode, "nodir") == 0;
    char *path = mem_printf("%s/%s", dir, replaced ? "current" : "log");
    struct buf have;
    struct err e;
    int rc;

    buf_init(&have);
    if (access(path, F_OK) == 0 && file_read(path, 1 << 26, &have, &e) < 0) {
        msg_err(&e);
        rc = 1;
    } else {
        (void)buf_cstr(&have);
        rc = replaced ? check_replace(buf_slice(&have), acked)
                      : check_append(buf_slice(&have), acked);
    }
    buf_release(&have);
    free(path);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e;
    int rc = -1;

    msg_init("filepower");
    if (argc == 5 && strcmp(argv[1], "check") == 0) {
        return check(argv[2], argv[3], strtoull(argv[4], NULL, 10));
    }
    if (argc != 4) {
        msg_error("usage: filepower MODE DIR N | check MODE DIR N");
        return STATUS_USAGE;
    }
    const unsigned long long n = strtoull(argv[3], NULL, 10);
    if (strcmp(argv[1], "append") == 0 || strcmp(argv[1], "early") == 0) {
        rc = append(argv[2], n, argv[1][0] == 'e', &e);
    } else if (strcmp(argv[1], "replace") == 0 ||
               strcmp(argv[1], "nodir") == 0) {
        rc = replace(argv[2], n, argv[1][0] == 'n', &e);
    } else {
        (void)err_set(&e, STATUS_USAGE, "no mode %s", argv[1]);
    }
    if (rc < 0) {
        msg_err(&e);
        return e.status;
    }
    return 0;
}
