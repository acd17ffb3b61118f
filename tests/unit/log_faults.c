/* System calls that fail, and processes that die inside them.
 *
 * This program has its own pwrite, fdatasync, fsync, rename and fallocate: the
 * n-th call dies (half done, or done), or fails with an error. For every n the
 * log must come through: what was acknowledged is there, in order and with its
 * bytes, and the next writer goes on. */
#include "log_test.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

enum fault { FAULT_NONE, FAULT_BEFORE, FAULT_HALF, FAULT_AFTER, FAULT_ERROR };

static struct {
    enum fault kind;
    int error;
    _Atomic long countdown;
    bool only_sync;
} plan;

static struct board {
    _Atomic uint64_t acked;
    _Atomic uint64_t tried;
    _Atomic bool hit;
} * board;

/* True: this call is the one. */
static bool due(bool is_sync)
{
    if (plan.kind == FAULT_NONE || (plan.only_sync && !is_sync) ||
        atomic_fetch_sub(&plan.countdown, 1) != 1) {
        return false;
    }
    board->hit = true;
    if (plan.kind == FAULT_BEFORE) {
        _exit(9);
    }
    return true;
}

static long done(bool is_due, long rc)
{
    if (is_due && plan.kind == FAULT_AFTER) {
        _exit(9);
    }
    return rc;
}

#define FAIL(is_due)                                                           \
    if ((is_due) && plan.kind == FAULT_ERROR) {                                \
        errno = plan.error;                                                    \
        return -1;                                                             \
    }

static off_t lowest_write; /* of more than a wake-up */

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    const bool now = due(false);

    if (n > 1 && at < lowest_write) {
        lowest_write = at;
    }
    if (now && plan.kind == FAULT_HALF) {
        (void)syscall(SYS_pwrite64, fd, p, n / 2, at);
        _exit(9);
    }
    if (now && plan.kind == FAULT_ERROR) {
        (void)syscall(SYS_pwrite64, fd, p, n / 3, at);
    }
    FAIL(now);
    return done(now, syscall(SYS_pwrite64, fd, p, n, at));
}

int fdatasync(int fd)
{
    const bool now = due(true);

    FAIL(now);
    return (int)done(now, syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
    const bool now = due(true);

    FAIL(now);
    return (int)done(now, syscall(SYS_fsync, fd));
}

int rename(const char *from, const char *to)
{
    const bool now = due(false);

    FAIL(now);
    return (int)done(now, syscall(SYS_rename, from, to));
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    const bool now = due(false);

    FAIL(now);
    return (int)done(now, syscall(SYS_fallocate, fd, mode, at, n));
}

static unsigned long remote; /* what statfs() says a folder is on, or 0 */

int statfs(const char *path, struct statfs *fs)
{
    const long rc = syscall(SYS_statfs, path, fs);

    if (rc == 0 && remote != 0) {
        fs->f_type = (__fsword_t)remote;
    }
    return (int)rc;
}

static void faults_off(void)
{
    plan.kind = FAULT_NONE;
}

/* --- a writer that meets one fault --------------------------------------- */

/* Of all writers the one whose record n is the shortest: what a killed one left
 * behind shall not be covered by chance. */
static unsigned shortest(uint64_t n)
{
    char text[RECORD_MAX];
    unsigned best = 2;

    for (unsigned w = 3; w < 100; w++) {
        best = record_of(w, n, text).n < record_of(best, n, text).n ? w : best;
    }
    return best;
}

static void work(unsigned who, uint64_t from, uint64_t n)
{
    struct log *log = log_open("faults", &must_err);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    const char key[] = "k";
    struct buf pos = {0};

    if (w == NULL || log_writer_own(w, "r", SLICE("name"), slice_of(key), &pos,
                                    &must_err) < 0) {
        _exit(board->hit ? 9 : 1);
    }
    for (uint64_t i = from; i < from + n; i++) {
        board->tried = i + 1;
        if (append_one(w, who, i, 0) != 0 ||
            (i % 2 == 0 && log_writer_sync(w, &must_err) < 0)) {
            _exit(board->hit ? 9 : 2);
        }
        if (i % 2 == 0) {
            board->acked = i + 1;
        }
    }
    log_writer_close(w);
    log_close(log);
    _exit(0);
}

static int run_work(unsigned who, uint64_t from, uint64_t n)
{
    int status;
    const pid_t pid = fork();

    if (pid == 0) {
        work(who, from, n);
    }
    MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Records 0, 1, 2 …, at least `least`; how many, or UINT64_MAX. */
static uint64_t read_back(uint64_t least)
{
    struct log *log = log_open("faults", &must_err);
    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct log_record rec;
    uint64_t count = 0;
    int rc = -1;

    while (r != NULL && (rc = log_reader_next(r, &rec, &must_err)) == 1) {
        unsigned w;
        uint64_t n;
        if (!record_parse(rec.data, &w, &n) || n != count ||
            rec.offset != count) {
            printf("# record %" PRIu64 " is %.*s\n", count, (int)rec.data.n,
                   rec.data.p);
            rc = -1;
            break;
        }
        count++;
    }
    if (rc < 0 || count < least) {
        printf("# %" PRIu64 " of %" PRIu64 " records, %s\n", count, least,
               rc < 0 ? must_err.text : "");
        rc = -1;
    }
    log_reader_close(r);
    log_close(log);
    return rc < 0 ? UINT64_MAX : count;
}

static void ignore_line(void *arg, const char *line)
{
    (void)arg;
    printf("# %s\n", line);
}

static bool whole(void)
{
    struct log *log = log_open("faults", &must_err);
    uint64_t records;
    const int faults =
        log_topic_verify(log, "t", ignore_line, NULL, &records, &must_err);

    log_close(log);
    return faults == 0;
}

/* Nothing is left behind the end: a recovery finds nothing to cut. */
static bool clean_end(uint64_t least)
{
    struct stat before;
    struct stat after;

    state_forget("faults");
    return fstat(STDERR_FILENO, &before) == 0 &&
           read_back(least) != UINT64_MAX &&
           fstat(STDERR_FILENO, &after) == 0 && after.st_size == before.st_size;
}

static const char *const FAULT_NAMES[] = {"", "killed before", "killed within",
                                          "killed after", "an error from"};

/* A reader that has the topic open all the while, so that nobody who comes is
 * alone, and recovery does not do what the next append must. */
static struct log_reader *bystander;

static bool bystander_sees(uint64_t least)
{
    struct log_record rec;
    int rc;

    if (bystander == NULL) {
        return true;
    }
    while ((rc = log_reader_next(bystander, &rec, &must_err)) == 1) {
    }
    return rc == 0 && log_reader_tell(bystander) >= least;
}

static void bystander_leaves(void)
{
    log_reader_close(bystander);
    bystander = NULL;
}

/* The next writers: one short record, a recovery, then more of them. */
static bool goes_on(uint64_t end)
{
    bool good = run_work(shortest(end), end, 1 + end % 2) == 0 &&
                bystander_sees(board->acked);

    bystander_leaves();
    if (!good || !clean_end(board->acked)) {
        return false;
    }
    end = board->acked;
    return run_work(1, end, 16) == 0 && read_back(end + 15) != UINT64_MAX &&
           whole();
}

/* With the n-th call at fault; false when there is no n-th. */
static bool one(enum fault kind, int error, long n, bool lose_state, bool *good)
{
    struct log *log = store_new("faults", 1);
    uint64_t count;

    if (!lose_state) {
        MUST((bystander = log_reader_open(log, "t", &must_err)) != NULL);
    }
    log_close(log);
    board->acked = 0;
    board->tried = 0;
    board->hit = false;
    plan.kind = kind;
    plan.error = error;
    plan.countdown = n;
    const int status = run_work(1, 0, 40);
    faults_off();
    if (!board->hit) {
        bystander_leaves();
        return false;
    }
    /* An index, a wake-up or a tidying may fail without consequence, and only
     * a pwrite can be half done. */
    *good = status == 9 ||
            ((kind == FAULT_ERROR || kind == FAULT_HALF) && status == 0);
    if (lose_state) {
        state_forget("faults");
    }
    count = read_back(board->acked);
    *good = *good && count != UINT64_MAX && count <= board->tried && whole() &&
            bystander_sees(board->acked);
    if (*good) {
        /* What was appended but not synced becomes durable now, or is cut. */
        log = log_open("faults", &must_err);
        struct log_writer *w = log_writer_open(log, "t", &must_err);
        struct log_stat st;
        struct buf pos = {0};
        *good = w != NULL &&
                log_writer_own(w, "r2", SLICE("name"), SLICE("k"), &pos,
                               &must_err) == 0 &&
                log_topic_stat(log, "t", &st, &must_err) == 0 &&
                st.end >= count && st.end <= board->tried;
        log_writer_close(w);
        log_close(log);
        *good = *good && goes_on(st.end);
    }
    bystander_leaves();
    return true;
}

static void every_call(enum fault kind, int error, bool lose_state)
{
    unsigned bad = 0;
    long n = 1;
    bool good = true;

    while (one(kind, error, n, lose_state, &good)) {
        if (!good && bad++ < 3) {
            printf("# %s call %ld (acked %" PRIu64 ", tried %" PRIu64 "): %s\n",
                   FAULT_NAMES[kind], n, board->acked, board->tried,
                   must_err.text);
        }
        n++;
    }
    unit_check(bad == 0 && n > 50,
               "%s each of %ld calls%s%s: nothing is lost, and it goes on",
               FAULT_NAMES[kind], n - 1, error != 0 ? ", " : "",
               error != 0   ? strerror(error)
               : lose_state ? ", state lost"
                            : "");
}

/* --- a failed sync ------------------------------------------------------- */

static void test_failed_sync(void)
{
    struct log *log = store_new("faults", 1);
    struct log_writer *a = log_writer_open(log, "t", &must_err);
    struct log_writer *b = log_writer_open(log, "t", &must_err);
    struct err e = {0};
    uint64_t ticket;

    MUST(a != NULL && b != NULL);
    MUST(append_one(a, 1, 0, 0) == 0 && append_one(b, 1, 1, 0) == 0);
    MUST(log_writer_sync(a, &must_err) == 0 &&
         log_writer_sync(b, &must_err) == 0);
    plan.only_sync = true;
    plan.error = EIO;
    plan.countdown = 1;
    plan.kind = FAULT_ERROR;
    MUST(append_one(a, 1, 2, 0) == 0);
    unit_check(log_writer_sync(a, &e) < 0 && e.status == STATUS_IO,
               "a failed sync is 74: %s", e.text);
    faults_off();
    plan.only_sync = false;
    unit_check(log_writer_sync(a, &e) < 0 &&
                   log_writer_synced(a, &ticket, &e) < 0,
               "and stays so, though the next one would work");
    unit_check(append_one(a, 1, 2, 0) < 0, "this writer appends no more");
    unit_check(log_writer_sync(b, &must_err) == 0 &&
                   append_one(b, 1, 2, 0) == 0 &&
                   log_writer_sync(b, &must_err) == 0,
               "another one that lost nothing goes on");
    unit_check(read_back(3) == 3,
               "what was behind the synced end is not read, its offset is "
               "given again");
    log_writer_close(a);
    log_writer_close(b);
    log_close(log);
    state_forget("faults");
    unit_check(read_back(3) == 3 && whole(),
               "also after the loss of the state");
}

static void test_failed_together(void)
{
    struct log *log = store_new("faults", 1);
    struct log_writer *a = log_writer_open(log, "t", &must_err);
    struct log_writer *b = log_writer_open(log, "t", &must_err);
    struct err e = {0};

    MUST(a != NULL && b != NULL);
    board->hit = false;
    (void)log_writer_fd(a); /* from now on a thread syncs */
    plan.only_sync = true;
    plan.error = EIO;
    plan.countdown = 1;
    plan.kind = FAULT_ERROR;
    MUST(append_one(a, 1, 0, 0) == 0);
    while (!board->hit) {
    }
    faults_off();
    plan.only_sync = false;
    MUST(log_writer_sync(a, &e) < 0);
    const int rc = append_one(b, 1, 0, 0);
    unit_check(rc == 0 && log_writer_sync(b, &must_err) == 0 &&
                   read_back(1) == 1,
               "a segment without a durable record is replaced");
    log_writer_close(a);
    log_writer_close(b);
    log_close(log);
}

/* Killed inside fdatasync, a leader takes its error along. The pages may be
 * clean and not on disk: who syncs next must write them again. */
static void test_swallowed(void)
{
    struct log *log = store_new("faults", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    int status;

    MUST(w != NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        struct log_writer *child = log_writer_open(log, "t", &must_err);
        MUST(child != NULL && append_one(child, 1, 0, 0) == 0);
        plan.only_sync = true;
        plan.countdown = 1;
        plan.kind = FAULT_BEFORE;
        (void)log_writer_sync(child, &must_err);
        _exit(1);
    }
    MUST(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
    MUST(append_one(w, 1, 1, 0) == 0);
    lowest_write = INT64_MAX;
    MUST(log_writer_sync(w, &must_err) == 0);
    unit_check(lowest_write == 64,
               "what a leader who died in fdatasync left is written again");
    MUST(append_one(w, 1, 2, 0) == 0);
    lowest_write = INT64_MAX;
    MUST(log_writer_sync(w, &must_err) == 0);
    unit_check(lowest_write == INT64_MAX && read_back(3) == 3,
               "once, and nothing else is");
    log_writer_close(w);
    log_close(log);
}

/* --- a full disk --------------------------------------------------------- */

static void test_full(void)
{
    const char *dir = "full";
    struct log_topic t = {.partitions = 1};
    struct log *log = NULL;
    struct log_writer *w = NULL;
    uint64_t n = 0;
    int rc = 0;

    (void)mkdir(dir, 0700);
    if (geteuid() != 0 ||
        mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") < 0) {
        printf("ok - a full disk # SKIP needs root\n");
        return;
    }
    (void)unsetenv("DPP_LOG_SEGMENT");
    MUST((log = log_open("full", &must_err)) != NULL);
    MUST(system("head -c 300000 /dev/zero >full/ballast") == 0);
    MUST(log_topic_create(log, "t", &t, &must_err) == 0);
    MUST((w = log_writer_open(log, "t", &must_err)) != NULL);
    while (n < 100000 && (rc = append_one(w, 1, n, 0)) == 0) {
        n++;
    }
    unit_check(rc == 1,
               "a full disk is 1, not an error (after %" PRIu64 "): %s", n,
               rc < 0 ? must_err.text : "");
    bool stays = true;
    for (int i = 0; i < 100; i++) {
        stays = stays && append_one(w, 1, n, 0) == 1;
    }
    unit_check(stays, "it stays full");
    unit_check(log_writer_sync(w, &must_err) == 0,
               "what was appended before is durable");
    uint64_t records;
    unit_check(log_topic_verify(log, "t", ignore_line, NULL, &records,
                                &must_err) == 0 &&
                   records == n,
               "nothing half was written");
    MUST(unlink("full/ballast") == 0);
    unit_check(append_one(w, 1, n, 0) == 0 &&
                   log_writer_sync(w, &must_err) == 0,
               "with space it goes on");
    log_writer_close(w);
    log_close(log);
    MUST(umount(dir) == 0);
}

static void test_remote(void)
{
    static const unsigned long magic[] = {0x6969, 0xff534d42, 0xfe534d42,
                                          0x01021997, 0x65735546};
    struct err e = {0};
    bool refused = true;

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        remote = magic[i];
        struct log *log = log_open("faults", &e);
        refused = refused && log == NULL && e.status == STATUS_CONFIG;
        log_close(log);
    }
    remote = 0;
    unit_check(refused, "a network file system is 78: %s", e.text);
}

static void test_version(void)
{
    struct err e = {0};

    log_close(store_new("faults", 1));
    MUST(file_replace("faults/VERSION", "dpp-log 2\n", 10, 0600, &must_err) ==
         0);
    struct log *log = log_open("faults", &e);
    unit_check(log == NULL && e.status == STATUS_CONFIG,
               "a store of another version is 78: %s", e.text);
    log_close(log);
}

int main(void)
{
    msg_init("log_faults");
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(board != MAP_FAILED);
    (void)setenv("DPP_LOG_SEGMENT", "4k", 1);
    fast_enter();
    MUST(freopen("talk", "w", stderr) != NULL);
    test_remote();
    test_version();
    test_failed_sync();
    test_failed_together();
    test_swallowed();
    for (int lose = 0; lose < 2; lose++) {
        every_call(FAULT_BEFORE, 0, lose != 0);
        every_call(FAULT_HALF, 0, lose != 0);
        every_call(FAULT_AFTER, 0, lose != 0);
    }
    every_call(FAULT_ERROR, EIO, false);
    every_call(FAULT_ERROR, EIO, true);
    every_call(FAULT_ERROR, ENOSPC, false);
    test_full();
    fast_leave();
    return unit_end();
}
