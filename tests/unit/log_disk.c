/* The disk: a sync that fails is never taken for one that did not, a full disk
 * is no error and leaves nothing half, and what cannot hold a log is refused.
 */
#include "log_shim.h"

#include <sys/mount.h>

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
    MUST(log_writer_sync(a, &e) < 0 && board->hit);
    faults_off(); /* not before: the thread looks at the plan twice */
    plan.only_sync = false;
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

static void unmount_full(void)
{
    (void)umount2("full", MNT_DETACH);
}

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
    (void)atexit(unmount_full); /* where a step fails */
    (void)unsetenv("DPP_LOG_SEGMENT");
    log = store_open("full");
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
    msg_init("log_disk");
    shim_init();
    (void)setenv("DPP_LOG_SEGMENT", "4k", 1);
    fast_enter();
    test_remote();
    test_version();
    for (int key = 0; key < 2; key++) {
        with_key = key != 0;
        test_failed_sync();
        test_failed_together();
        test_swallowed();
        test_full();
    }
    return unit_end();
}
