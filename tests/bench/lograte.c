/* lograte [DIR]: the embedded log beside the bare system calls, in a folder of
 * its own under DIR.
 *
 * Append: 1, 4 and 8 processes write records of 350 bytes, each in a batch of
 * its own (the worst case), and wait until 64 of them are durable; against
 * processes that do the same with pwrite() into one preallocated file and share
 * each fdatasync in the same way, without order, checksums or recovery. The two
 * take turns, so that both meet the same neighbours on the disk.
 *
 * Read: log_reader_next() over all records in the page cache, against read()
 * of the same files in blocks of 128 KiB, as cat does. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "log/log.h"

enum {
    RECORD = 350,
    WINDOW = 64,
    ROUNDS = 2,
    ROUND_MS = 500,
    READ_BYTES = 256 << 20,
};

static struct err e;
static char text[RECORD];

static struct board {
    _Atomic uint64_t reserved; /* bare: bytes of the file given out */
    _Atomic uint64_t written;  /* bare: bytes written */
    _Atomic uint64_t synced;
    _Atomic uint64_t records;
    _Atomic uint64_t stop_at; /* microseconds */
} * board;

static void die(const char *what)
{
    (void)fprintf(stderr, "lograte: %s: %s\n", what, e.text);
    exit(1);
}

static void print(const char *name, double value, const char *unit,
                  double ratio, double target)
{
    printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"%s\",\"ratio\":%.3f,"
           "\"target\":%.2f}\n",
           name, value, unit, ratio, target);
    (void)fflush(stdout);
}

/* --- append -------------------------------------------------------------- */

static void bare_writer(const char *dir)
{
    char *path = mem_printf("%s/bare", dir);
    const int fd = open(path, O_RDWR);
    const int lock = open(path, O_RDWR);

    while (clock_mono_us() < board->stop_at) {
        uint64_t mine = 0;
        for (int i = 0; i < WINDOW; i++) {
            mine = atomic_fetch_add(&board->reserved, RECORD);
            if (pwrite(fd, text, RECORD, (off_t)mine) != RECORD) {
                die("pwrite");
            }
            atomic_fetch_add(&board->written, RECORD);
        }
        while (board->synced < mine + RECORD) {
            (void)flock(lock, LOCK_EX);
            const uint64_t to = board->written;
            if (board->synced < mine + RECORD) {
                if (fdatasync(fd) < 0) {
                    die("fdatasync");
                }
                board->synced = to;
            }
            (void)flock(lock, LOCK_UN);
        }
        board->records += WINDOW;
    }
    free(path);
}

static void log_process(const char *dir)
{
    char *path = mem_printf("%s/log", dir);
    struct log *log = log_open(path, &e);
    struct log_writer *w = log_writer_open(log, "t", &e);
    const struct log_entry entry = {0, {{text, RECORD}, SLICE("")}};

    while (w != NULL && clock_mono_us() < board->stop_at) {
        for (int i = 0; i < WINDOW; i++) {
            if (log_writer_append(w, &entry, 1, SLICE(""), SLICE(""), &e) !=
                0) {
                die("append");
            }
        }
        if (log_writer_sync(w, &e) < 0) {
            die("sync");
        }
        board->records += WINDOW;
    }
    log_writer_close(w);
    log_close(log);
    free(path);
}

static void prepare_bare(const char *dir)
{
    char *path = mem_printf("%s/bare", dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || posix_fallocate(fd, 0, 512 << 20) != 0 || fsync(fd) < 0) {
        die(path);
    }
    (void)close(fd);
    free(path);
    board->reserved = 0;
    board->written = 0;
    board->synced = 0;
}

/* Records a second. */
static double round_of(void (*work)(const char *), const char *dir, int writers)
{
    pid_t pid[16];
    int status;

    board->records = 0;
    const uint64_t start = clock_mono_us();
    board->stop_at = start + ROUND_MS * 1000;
    for (int i = 0; i < writers; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            work(dir);
            _exit(0);
        }
    }
    for (int i = 0; i < writers; i++) {
        (void)waitpid(pid[i], &status, 0);
        if (status != 0) {
            die("a writer failed");
        }
    }
    return (double)board->records * 1e6 / (double)(clock_mono_us() - start);
}

static void bench_append(const char *dir, int writers)
{
    double bare = 0;
    double ours = 0;
    char name[32];

    for (int i = 0; i < ROUNDS; i++) {
        prepare_bare(dir);
        bare += round_of(bare_writer, dir, writers) / ROUNDS;
        ours += round_of(log_process, dir, writers) / ROUNDS;
    }
    (void)snprintf(name, sizeof name, "log_append_%d", writers);
    print(name, ours, "records/s", ours / bare, 0.7);
}

/* --- read ---------------------------------------------------------------- */

static void fill(struct log *log)
{
    struct log_writer *w = log_writer_open(log, "t", &e);
    struct log_entry v[WINDOW];

    for (int i = 0; i < WINDOW; i++) {
        v[i] = (struct log_entry){0, {{text, RECORD}, SLICE("")}};
    }
    for (int i = 0; w != NULL && i < READ_BYTES / RECORD / WINDOW; i++) {
        if (log_writer_append(w, v, WINDOW, SLICE(""), SLICE(""), &e) != 0) {
            die("append");
        }
    }
    if (w == NULL || log_writer_sync(w, &e) < 0) {
        die("fill");
    }
    log_writer_close(w);
}

/* Bytes a second. */
static double read_log(struct log *log)
{
    struct log_reader *r = log_reader_open(log, "t", &e);
    struct log_record rec;
    uint64_t bytes = 0;
    int rc = -1;

    const uint64_t start = clock_mono_us();
    while (r != NULL && (rc = log_reader_next(r, &rec, &e)) == 1) {
        bytes += rec.data.n + 1;
    }
    const uint64_t took = clock_mono_us() - start;
    log_reader_close(r);
    if (rc < 0) {
        die("read");
    }
    return (double)bytes * 1e6 / (double)took;
}

static double read_bare(const char *topic)
{
    static char block[128 << 10];
    DIR *d = opendir(topic);
    const struct dirent *entry;
    uint64_t bytes = 0;

    const uint64_t start = clock_mono_us();
    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (strstr(entry->d_name, ".log") == NULL) {
            continue;
        }
        const int fd = openat(dirfd(d), entry->d_name, O_RDONLY);
        ssize_t n;
        while ((n = read(fd, block, sizeof block)) > 0) {
            bytes += (uint64_t)n;
        }
        (void)close(fd);
    }
    const uint64_t took = clock_mono_us() - start;
    if (d != NULL) {
        (void)closedir(d);
    }
    return (double)bytes * 1e6 / (double)took;
}

static void bench_read(const char *dir)
{
    char *path = mem_printf("%s/read", dir);
    char *topic = mem_printf("%s/topics/t", path);
    struct log *log = log_open(path, &e);
    struct log_topic t = {.partitions = 1};
    double ours = 0;
    double bare = 0;

    if (log == NULL || log_topic_create(log, "t", &t, &e) < 0) {
        die(path);
    }
    fill(log);
    for (int i = 0; i < ROUNDS + 1; i++) {
        const double a = read_bare(topic);
        const double b = read_log(log);
        bare += i > 0 ? a / ROUNDS : 0; /* the first warms the cache */
        ours += i > 0 ? b / ROUNDS : 0;
    }
    print("log_read", ours, "bytes/s", ours / bare, 0.2);
    log_close(log);
    free(topic);
    free(path);
}

int main(int argc, char **argv)
{
    char *dir = mem_printf("%s/lograte.XXXXXX", argc > 1 ? argv[1] : ".");
    struct log_topic t = {.partitions = 1};
    struct log *log;

    msg_init("lograte");
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED || (argc > 1 && dir_make(argv[1], &e) < 0) ||
        mkdtemp(dir) == NULL) {
        die(dir);
    }
    memset(text, 'x', sizeof text);
    char *path = mem_printf("%s/log", dir);
    log = log_open(path, &e);
    if (log == NULL || log_topic_create(log, "t", &t, &e) < 0) {
        die(path);
    }
    log_close(log);
    free(path);
    bench_append(dir, 1);
    bench_append(dir, 4);
    bench_append(dir, 8);
    bench_read(dir);
    char *cmd = mem_printf("rm -rf '%s'", dir);
    const int rc = system(cmd);
    free(cmd);
    free(dir);
    return rc != 0;
}
