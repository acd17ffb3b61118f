/* The n-th system call of a writer fails, or the writer dies in it, for every
 * n. The log must come through: what was acknowledged is there, in order and
 * with its bytes, the next writer goes on, and nothing is left behind the end.
 */
#include "log_shim.h"

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
    struct log *log = store_open("faults");
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
        log = store_open("faults");
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

int main(void)
{
    msg_init("log_faults");
    shim_init();
    (void)setenv("DPP_LOG_SEGMENT", "4k", 1);
    fast_enter();
    MUST(freopen("talk", "w", stderr) != NULL);
    for (int lose = 0; lose < 2; lose++) {
        every_call(FAULT_BEFORE, 0, lose != 0);
        every_call(FAULT_HALF, 0, lose != 0);
        every_call(FAULT_AFTER, 0, lose != 0);
    }
    every_call(FAULT_ERROR, EIO, false);
    every_call(FAULT_ERROR, EIO, true);
    every_call(FAULT_ERROR, ENOSPC, false);
    with_key = true;
    every_call(FAULT_HALF, 0, true);
    every_call(FAULT_ERROR, ENOSPC, false);
    return unit_end();
}
