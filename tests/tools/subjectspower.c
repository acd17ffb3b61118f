/* subjectspower: a writer and a checker for power cuts, on lib/vault/subjects.
 *
 *     subjectspower write DIR N   N changes, acknowledged
 *     subjectspower check DIR N   status 1 unless the keys of subjects below
 * DIR are as after N changes, or after the next one
 *
 * Change n makes the key of the subject n, but each fourth forgets the subject
 * two before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../power/mark.h"
#include "base/err.h"
#include "base/little.h"
#include "base/mem.h"
#include "base/msg.h"
#include "vault/slots.h"
#include "vault/subjects.h"

enum { FORGET = 4, BEFORE = 2 };

static struct subjects_version version;

static void make_version(void)
{
    struct safe from;

    safe_new(&from, KEYS_BYTES);
    memset(from.p, 7, KEYS_BYTES);
    subjects_version_make(&version, &from);
    safe_release(&from);
}

static struct slice subject(unsigned long long n)
{
    static char name[32];

    (void)snprintf(name, sizeof name, "subject %llu", n);
    return slice_of(name);
}

static int key_of(struct subjects *s, unsigned long long n, struct err *e)
{
    struct subjects_found found = {0};

    safe_new(&found.secret, KEYS_BYTES);
    const int rc = subjects_key(s, &version, 1, subject(n), &found, e);
    if (rc >= 0) {
        subjects_use(s, found.number);
    }
    safe_release(&found.secret);
    return rc < 0 ? -1 : subjects_sync(s, e);
}

static int write_all(struct subjects *s, unsigned long long count,
                     struct err *e)
{
    size_t keys;
    size_t gone;
    int rc = 0;

    for (unsigned long long n = 1; rc == 0 && n <= count; n++) {
        rc = n % FORGET != 0
                 ? key_of(s, n, e)
                 : subjects_forget(s, &version, 1, subject(n - BEFORE), &keys,
                                   &gone, e);
        if (rc >= 0) {
            power_mark(n);
            rc = 0;
        }
    }
    return rc;
}

/* How many records were ever made. */
static uint64_t records(const char *path, struct err *e)
{
    struct slots s;
    uint64_t n = UINT64_MAX;

    slots_init(&s, path, "key");
    if (slots_open(&s, false, e) == 0) {
        n = get64(s.head + SLOTS_AT_RECORDS);
    }
    slots_release(&s);
    return n;
}

/* Acknowledged as forgotten, or perhaps by the change that was cut off. */
static int check_gone(struct subjects *s, unsigned long long n, bool sure,
                      struct err *e)
{
    size_t keys = 0;
    size_t gone = 0;

    if (subjects_forget(s, &version, 1, subject(n), &keys, &gone, e) < 0) {
        return -1;
    }
    return keys + gone == 1 && (!sure || gone == 1)
               ? 0
               : err_set(e, STATUS_CONFIG,
                         "subject %llu: %zu keys, %zu forgotten", n, keys,
                         gone);
}

static int check(const char *path, unsigned long long acked, struct err *e)
{
    struct subjects *s = subjects_new(path, "key");
    const uint64_t before = acked > 0 ? records(path, e) : 0;
    int rc = before == UINT64_MAX ? -1 : 0;

    for (unsigned long long n = 1; rc == 0 && n <= acked; n++) {
        if (n % FORGET == BEFORE && n + BEFORE <= acked + 1) {
            rc = check_gone(s, n, n + BEFORE <= acked, e);
        } else if (n % FORGET != 0) {
            rc = key_of(s, n, e);
        }
    }
    if (rc == 0 && acked > 0 && records(path, e) != before) {
        rc = err_set(e, STATUS_CONFIG, "a key that was on the disk is gone");
    }
    subjects_free(s);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e;
    int rc;

    msg_init("subjectspower");
    if (argc != 4) {
        return STATUS_USAGE;
    }
    const unsigned long long n = strtoull(argv[3], NULL, 10);
    char *path = mem_printf("%s/vault", argv[2]);
    make_version();
    if (strcmp(argv[1], "check") == 0) {
        rc = check(path, n, &e) < 0;
        if (rc != 0) {
            (void)printf("acknowledged %llu: %s\n", n, e.text);
        }
    } else {
        struct subjects *s = subjects_new(path, "key");
        rc = write_all(s, n, &e) < 0 ? e.status : 0;
        if (rc != 0) {
            msg_err(&e);
        }
        subjects_free(s);
    }
    subjects_version_release(&version);
    free(path);
    return rc;
}
