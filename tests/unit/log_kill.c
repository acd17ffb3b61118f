/* Writers of one topic are killed with -9 while they append, sync and make new
 * segments. Each goes on from the position that the log stored with its
 * records: so each one's numbers must be in the log once, in order, without a
 * gap, and nothing that was synced may be missing. A reader follows live. */
#include "log_test.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/rand.h"
#include "record/pos.h"

enum { WRITERS = 4, BATCH = 5 };

struct board {
    _Atomic uint64_t synced[WRITERS]; /* the highest number that is durable */
    _Atomic uint64_t fault;
};

static struct board *board;

static uint64_t number_of(struct buf *pos, unsigned who)
{
    char key[16];
    (void)snprintf(key, sizeof key, "k%u", who);
    const struct slice v = pos_find(buf_slice(pos), slice_of(key));

    return v.p != NULL ? strtoull(v.p, NULL, 10) : 0;
}

static void position(struct buf *pos, unsigned who, uint64_t n)
{
    char key[16];
    char value[24];

    (void)snprintf(key, sizeof key, "k%u", who);
    (void)snprintf(value, sizeof value, "%" PRIu64, n);
    buf_clear(pos);
    pos_put(pos, slice_of(key), slice_of(value));
    pos_seal(pos);
}

static void append_batch(struct log_writer *w, unsigned who, uint64_t first,
                         uint64_t count, struct slice name, struct buf *pos)
{
    static char text[BATCH][RECORD_MAX];
    struct log_entry v[BATCH];

    for (uint64_t i = 0; i < count; i++) {
        v[i] = (struct log_entry){
            0, {record_of(who, first + i, text[i]), SLICE("")}};
    }
    position(pos, who, first + count - 1);
    if (log_writer_append(w, v, count, name, buf_slice(pos), &must_err) != 0) {
        printf("not ok - append: %s\n", must_err.text);
        board->fault = 1;
        _exit(1);
    }
}

/* Until it is killed, or until number `last`. */
static void writer(unsigned who, uint64_t last)
{
    struct log *log = store_open("kill");
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    const struct slice name = SLICE("all");
    char run[RAND_HEX];
    char key[16];
    struct buf pos = {0};

    rand_hex(run);
    (void)snprintf(key, sizeof key, "k%u", who);
    if (w == NULL ||
        log_writer_own(w, run, name, slice_of(key), &pos, &must_err) < 0) {
        printf("not ok - writer: %s\n", must_err.text);
        board->fault = 1;
        _exit(1);
    }
    uint64_t n = number_of(&pos, who);
    if (who % 2 != 0) {
        (void)log_writer_fd(w); /* half of them with a thread that syncs */
    }
    if (n < board->synced[who]) {
        printf("not ok - position %" PRIu64 ", but %" PRIu64 " was synced\n", n,
               board->synced[who]);
        board->fault = 1;
        _exit(1);
    }
    while (n < last) {
        uint64_t count = 1 + rand_below(BATCH);
        count = count > last - n ? last - n : count;
        append_batch(w, who, n + 1, count, name, &pos);
        n += count;
        if (rand_below(3) == 0) {
            if (log_writer_sync(w, &must_err) < 0) {
                printf("not ok - sync: %s\n", must_err.text);
                board->fault = 1;
                _exit(1);
            }
            board->synced[who] = n;
        }
    }
    if (log_writer_sync(w, &must_err) == 0) {
        board->synced[who] = n;
    }
    log_writer_close(w);
    log_close(log);
    _exit(0);
}

static pid_t start(unsigned who, uint64_t last)
{
    (void)fflush(stdout);
    const pid_t pid = fork();

    if (pid == 0) {
        writer(who, last);
    }
    return pid;
}

static uint64_t synced_total(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < WRITERS; i++) {
        sum += board->synced[i];
    }
    return sum;
}

struct seen {
    uint64_t last[WRITERS];
    uint64_t offset;
    bool good;
};

static void follow(struct log_reader *r, struct seen *s)
{
    struct log_record rec;
    int rc;

    while ((rc = log_reader_next(r, &rec, &must_err)) == 1) {
        unsigned w;
        uint64_t n;
        const bool good = record_parse(rec.data, &w, &n) && w < WRITERS &&
                          n == s->last[w] + 1 && rec.offset == s->offset;
        if (!good && s->good) {
            printf("# at offset %" PRIu64 ": %.*s, last %" PRIu64 "\n",
                   rec.offset, (int)rec.data.n, rec.data.p, s->last[w]);
        }
        s->good = s->good && good;
        s->last[w] = n;
        s->offset = rec.offset + 1;
    }
    if (rc < 0) {
        printf("# %s\n", must_err.text);
        s->good = false;
    }
}

static void kill_and_restart(pid_t *pid, unsigned who)
{
    int status;

    (void)kill(*pid, SIGKILL);
    (void)waitpid(*pid, &status, 0);
    *pid = start(who, UINT64_MAX);
}

static void finish(pid_t pid[WRITERS], uint64_t last)
{
    int status;

    for (unsigned i = 0; i < WRITERS; i++) {
        (void)kill(pid[i], SIGKILL);
        (void)waitpid(pid[i], &status, 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pid[i] = start(i, last);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)waitpid(pid[i], &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            board->fault = 1;
        }
    }
}

static uint64_t highest(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < WRITERS; i++) {
        n = board->synced[i] > n ? board->synced[i] : n;
    }
    return n;
}

/* Everything once more, from the start, after the state was lost. */
static bool read_again(uint64_t last)
{
    struct log *log = store_open("kill");
    struct log_reader *r;
    struct seen s = {.good = true};

    state_forget("kill");
    MUST(log != NULL && (r = log_reader_open(log, "t", &must_err)) != NULL);
    follow(r, &s);
    for (unsigned i = 0; i < WRITERS; i++) {
        s.good = s.good && s.last[i] == last;
    }
    log_reader_close(r);
    log_close(log);
    return s.good;
}

static void storm(unsigned kills)
{
    struct log *log = store_new("kill", 1);
    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct seen s = {.good = true};
    pid_t pid[WRITERS];

    MUST(r != NULL);
    memset(board, 0, sizeof *board);
    for (unsigned i = 0; i < WRITERS; i++) {
        pid[i] = start(i, UINT64_MAX);
    }
    for (unsigned k = 0; k < kills && board->fault == 0 && s.good; k++) {
        const uint64_t until = synced_total() + rand_below(400);
        while (synced_total() < until && board->fault == 0) {
            follow(r, &s);
        }
        const unsigned who = (unsigned)rand_below(WRITERS);
        kill_and_restart(&pid[who], who);
    }
    const uint64_t last = highest() + 10000;
    finish(pid, last);
    follow(r, &s);
    bool all = true;
    for (unsigned i = 0; i < WRITERS; i++) {
        all = all && s.last[i] == last;
    }
    unit_check(board->fault == 0 && s.good,
               "%u kills: every writer's records come in order, once, with "
               "their bytes",
               kills);
    unit_check(all, "and none is missing (%" PRIu64 " records)", s.offset);
    log_reader_close(r);
    log_close(log);
    unit_check(read_again(last), "a reader after the loss of the state agrees");
}

int main(void)
{
    const char *kills = getenv("DPP_KILLS");

    msg_init("log_kill");
    (void)setenv("DPP_LOG_SEGMENT", "128k", 1);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(board != MAP_FAILED);
    for (int key = 0; key < 2; key++) {
        with_key = key != 0;
        storm(kills != NULL ? (unsigned)atoi(kills) : 100);
    }
    return unit_end();
}
