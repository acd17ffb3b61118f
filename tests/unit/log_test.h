/* What the tests of the embedded log share: a store in a fresh folder, and
 * records whose every byte follows from their number. */
#ifndef LOG_TEST_H
#define LOG_TEST_H

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "log/log.h"
#include "unit.h"

#define MAYBE __attribute__((unused)) static

enum { RECORD_MAX = 4096 };

/* A setup step that must work. */
#define MUST(what)                                                             \
    do {                                                                       \
        if (!(what)) {                                                         \
            printf("not ok - %s:%d: %s: %s\n", __FILE__, __LINE__, #what,      \
                   must_err.text);                                             \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

MAYBE struct err must_err;

MAYBE void tree_remove(const char *path)
{
    char *cmd = mem_printf("rm -rf '%s'", path);
    if (system(cmd) != 0) {
        printf("not ok - %s\n", cmd);
        exit(1);
    }
    free(cmd);
}

MAYBE void tree_copy(const char *from, const char *to)
{
    char *cmd = mem_printf("rm -rf '%s' && cp -r --sparse=always '%s' '%s'", to,
                           from, to);
    if (system(cmd) != 0) {
        printf("not ok - %s\n", cmd);
        exit(1);
    }
    free(cmd);
}

/* Each test works in a folder of its own, which is gone at the end of the
 * process that made it, also where that is a failure. */
MAYBE char own_folder[4096];
MAYBE char fast_folder[96];
MAYBE pid_t own_pid;

MAYBE void leave_folders(void)
{
    if (getpid() != own_pid || chdir("/") < 0) {
        return;
    }
    if (own_folder[0] != '\0') {
        tree_remove(own_folder);
    }
    if (fast_folder[0] != '\0') {
        tree_remove(fast_folder);
    }
}

__attribute__((constructor)) MAYBE void enter_own_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    char path[sizeof own_folder];

    /* A process that dies has told what it knew, its children tell it once. */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    own_pid = getpid();
    (void)atexit(leave_folders);
    (void)snprintf(path, sizeof path, "%s/dpp-log.XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(path) != NULL && chdir(path) == 0) {
        memcpy(own_folder, path, sizeof path);
    }
}

/* For tests that open a store 100,000 times: a folder in memory, if there is
 * one, where a sync costs nothing. tests/run knows it by its name, and removes
 * what a killed test has left. */
MAYBE void fast_enter(void)
{
    const char *run = getenv("DPP_TEST_RUN");
    char path[sizeof fast_folder];

    (void)snprintf(path, sizeof path, "/dev/shm/dpp.%.40s.XXXXXX",
                   run != NULL ? run : "test");
    if (mkdtemp(path) != NULL && chdir(path) == 0) {
        memcpy(fast_folder, path, sizeof path);
    }
}

/* Stores are encrypted from here on. */
MAYBE bool with_key;
static const char store_key[LOG_KEY] = "a key that all tests may know of";

MAYBE struct log *store_open(const char *dir)
{
    struct log *log = log_open(dir, &must_err);

    MUST(log != NULL);
    if (with_key) {
        log_key(log, (struct slice){store_key, sizeof store_key});
    }
    return log;
}

/* A new folder with a store and topic "t". */
MAYBE struct log *store_new(const char *dir, uint32_t partitions)
{
    struct log_topic t = {.partitions = partitions};
    struct log *log;

    tree_remove(dir);
    log = store_open(dir);
    MUST(log_topic_create(log, "t", &t, &must_err) == 0);
    return log;
}

/* Record number n of writer w: text of a length that follows from both. */
MAYBE struct slice record_of(unsigned w, uint64_t n, char out[RECORD_MAX])
{
    const size_t len = 40 + (size_t)((n * 2654435761U + w * 97) % 400);
    const int head =
        snprintf(out, RECORD_MAX, "{\"w\":%u,\"n\":%" PRIu64 ",\"x\":\"", w, n);

    for (size_t i = (size_t)head; i < len - 2; i++) {
        out[i] = (char)('a' + (n + i + w) % 26);
    }
    memcpy(out + len - 2, "\"}", 2);
    return (struct slice){out, len};
}

/* Whose it is; false if any byte of it is wrong. */
MAYBE bool record_parse(struct slice data, unsigned *w, uint64_t *n)
{
    char text[RECORD_MAX];
    char want[RECORD_MAX];

    if (data.n >= sizeof text) {
        return false;
    }
    memcpy(text, data.p, data.n);
    text[data.n] = '\0';
    return sscanf(text, "{\"w\":%u,\"n\":%" SCNu64, w, n) == 2 &&
           slice_eq(data, record_of(*w, *n, want));
}

MAYBE int append_one(struct log_writer *w, unsigned who, uint64_t n,
                     uint32_t partition)
{
    char text[RECORD_MAX];
    struct log_entry entry = {partition, {record_of(who, n, text), SLICE("")}};

    return log_writer_append(w, &entry, 1, SLICE(""), SLICE(""), &must_err);
}

/* The path of the last segment; caller frees. */
MAYBE char *last_segment(const char *dir)
{
    char *topic = mem_printf("%s/topics/t", dir);
    DIR *d = opendir(topic);
    const struct dirent *entry;
    char best[64] = "";

    while (d != NULL && (entry = readdir(d)) != NULL) {
        const size_t n = strlen(entry->d_name);
        if (n == 24 && strcmp(entry->d_name + 20, ".log") == 0 &&
            strcmp(entry->d_name, best) > 0) {
            memcpy(best, entry->d_name, n + 1);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    char *path = mem_printf("%s/%s", topic, best);
    free(topic);
    return path;
}

/* Forget the shared state, as after a power cut that lost it. */
MAYBE void state_forget(const char *dir)
{
    char *run = mem_printf("%s/run", dir);
    tree_remove(run);
    free(run);
}

#endif
