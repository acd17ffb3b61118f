/* The three skeletons against one another, each in a process of its own, with
 * clean ends, SIGTERM and SIGKILL: numbers go down the pipe, the source keeps
 * its position in a file, the sink writes what it got into another. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"
#include "record/pos.h"
#include "stage/filter.h"
#include "stage/sink.h"
#include "stage/source.h"
#include "unit.h"

enum { TOTAL = 200000, SOURCE = 0, FILTER = 1, SINK = 2 };

static char place_file[64];
static char got_file[64];

/* --- a source of numbers ---------------------------------------------------
 */

static uint64_t next_number;
static uint64_t told;
static uint64_t limit;

static int setup(void *ctx, int argc, char **argv, struct err *e)
{
    (void)ctx;
    (void)argc;
    (void)argv;
    (void)e;
    return 0;
}

static int source_open(void *ctx, struct source *s, struct err *e)
{
    (void)ctx;
    (void)e;
    source_identify(s, "unit", SLICE("n"));
    return 0;
}

static int source_start(void *ctx, struct slice pos, struct err *e)
{
    FILE *f = fopen(place_file, "r");
    unsigned long long n = 0;

    (void)ctx;
    (void)pos;
    (void)e;
    if (f != NULL) {
        if (fscanf(f, "%llu", &n) != 1) {
            n = 0;
        }
        (void)fclose(f);
    }
    next_number = told = n;
    return 0;
}

static int source_take(void *ctx, struct source *s, struct err *e)
{
    (void)ctx;
    (void)e;
    while (next_number < limit && !source_full(s)) {
        buf_printf(source_line(s),
                   "{\"specversion\":\"1.0\",\"id\":\"%llu\",\"source\":"
                   "\"/n\",\"type\":\"n\"}",
                   (unsigned long long)next_number);
        source_line_done(s);
        next_number++;
    }
    return next_number < limit ? SOURCE_MORE : SOURCE_END;
}

static void source_position(void *ctx, struct buf *pos)
{
    char n[24];

    (void)ctx;
    (void)snprintf(n, sizeof n, "%llu", (unsigned long long)next_number);
    pos_put(pos, SLICE("n"), slice_of(n));
}

static int source_receipt(void *ctx, uint64_t seq, struct slice pos,
                          struct err *e)
{
    char n[24] = "";
    const struct slice v = pos_find(pos, SLICE("n"));

    (void)ctx;
    (void)seq;
    if (v.p == NULL) {
        return 0;
    }
    memcpy(n, v.p, v.n);
    n[v.n] = '\n';
    const int fd = open(place_file, O_WRONLY | O_CREAT, 0600);
    const bool good = fd >= 0 && pwrite(fd, n, v.n + 1, 0) > 0;
    (void)close(fd);
    return good ? 0 : err_set(e, STATUS_IO, "%s", place_file);
}

static void no_close(void *ctx)
{
    (void)ctx;
}

/* --- a filter that drops every tenth ----------------------------------------
 */

static int filter_open(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return 0;
}

static int filter_event(void *ctx, const struct event *ev, struct filter *f,
                        struct err *e)
{
    (void)ctx;
    (void)e;
    if (ev->id.p[ev->id.n - 2] != '9') {
        filter_pass(f, ev);
    }
    return 0;
}

/* --- a sink that notes ids --------------------------------------------------
 */

static struct sink *the_sink;
static FILE *got;
static bool stubborn; /* takes nothing more until it is told to stop */
static bool told_to_stop;
static uint64_t taken;

static int sink_open(void *ctx, struct sink *s, const struct sink_run *run,
                     struct buf *pos, struct err *e)
{
    (void)ctx;
    (void)run;
    (void)pos;
    (void)e;
    the_sink = s;
    got = fopen(got_file, "a");
    return 0;
}

static int sink_event(void *ctx, const struct event *ev, struct err *e)
{
    (void)ctx;
    (void)e;
    (void)fprintf(got, "%.*s\n", (int)ev->id.n - 2, ev->id.p + 1);
    taken++;
    sink_count(the_sink, SINK_OK, 1);
    return 0;
}

static int sink_dead(void *ctx, const struct event *ev, struct slice why,
                     struct err *e)
{
    (void)ctx;
    (void)ev;
    return err_set(e, STATUS_STREAM, "dead: %.*s", (int)why.n, why.p);
}

static int sink_mark(void *ctx, uint64_t seq, struct slice pos, struct err *e)
{
    (void)ctx;
    (void)pos;
    (void)e;
    (void)fflush(got);
    sink_terminal(the_sink, seq);
    return 0;
}

static bool sink_full(void *ctx)
{
    (void)ctx;
    return stubborn && taken > 0 && !told_to_stop;
}

static void sink_stopping(void *ctx)
{
    (void)ctx;
    told_to_stop = true;
}

static int sink_work(void *ctx, const struct pollfd *fds, size_t n,
                     struct err *e)
{
    (void)ctx;
    (void)fds;
    (void)n;
    (void)e;
    return 0;
}

/* --- the row ----------------------------------------------------------------
 */

static int stage(int which)
{
    static char name[] = "unit";
    char *argv[] = {name, NULL};
    const struct stage_program program = {
        .name = name,
        .synopsis = "",
        .about = "",
        .setup = setup,
        .stopping = which == SINK ? sink_stopping : NULL};
    static const struct source_ops source = {.open = source_open,
                                             .start = source_start,
                                             .take = source_take,
                                             .position = source_position,
                                             .receipt = source_receipt,
                                             .close = no_close};
    static const struct filter_ops filter = {
        .open = filter_open, .event = filter_event, .close = no_close};
    static const struct sink_ops sink = {.open = sink_open,
                                         .event = sink_event,
                                         .dead = sink_dead,
                                         .mark = sink_mark,
                                         .work = sink_work,
                                         .full = sink_full,
                                         .close = no_close};

    return which == SOURCE   ? source_main(&program, &source, NULL, 1, argv)
           : which == FILTER ? filter_main(&program, &filter, NULL, 1, argv)
                             : sink_main(&program, &sink, NULL, 1, argv);
}

static void start_row(pid_t pid[3])
{
    int in = open("/dev/null", O_RDONLY);

    (void)fflush(stdout);
    for (int i = 0; i < 3; i++) {
        int fds[2] = {-1, -1};
        if (i < 2 && pipe2(fds, O_CLOEXEC) < 0) {
            abort();
        }
        pid[i] = fork();
        if (pid[i] == 0) {
            const int out = i < 2 ? fds[1] : open("/dev/null", O_WRONLY);
            const int err = open("/dev/null", O_WRONLY);
            (void)dup2(in, 0);
            (void)dup2(out, 1);
            if (getenv("UNIT_SHOW") == NULL) {
                (void)dup2(err, 2);
            }
            for (int fd = 3; fd < 64; fd++) {
                (void)close(fd);
            }
            exit(stage(i));
        }
        (void)close(in);
        if (i < 2) {
            (void)close(fds[1]);
        }
        in = fds[0];
    }
}

static void wait_row(const pid_t pid[3], int status[3])
{
    for (int i = 0; i < 3; i++) {
        int s = 0;
        (void)waitpid(pid[i], &s, 0);
        status[i] = WIFEXITED(s) ? WEXITSTATUS(s) : 1000 + WTERMSIG(s);
    }
}

/* How often each number arrived; the worst. */
static void count(uint64_t *missing, uint64_t *twice)
{
    static unsigned char seen[TOTAL];
    char line[32];
    FILE *f = fopen(got_file, "r");

    memset(seen, 0, sizeof seen);
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const unsigned long n = strtoul(line, NULL, 10);
        if (strchr(line, '\n') != NULL && n < TOTAL && seen[n] < 255) {
            seen[n]++;
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    *missing = *twice = 0;
    for (uint64_t i = 0; i < limit; i++) {
        *missing += i % 10 != 9 && seen[i] == 0;
        *twice += seen[i] > 1 ? seen[i] - 1U : 0;
    }
}

static void begin(uint64_t n)
{
    (void)unlink(place_file);
    (void)unlink(got_file);
    limit = n;
}

static void nap(long us)
{
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&t, NULL);
}

static void test_clean(void)
{
    pid_t pid[3];
    int status[3];
    uint64_t missing;
    uint64_t twice;

    begin(TOTAL);
    start_row(pid);
    wait_row(pid, status);
    count(&missing, &twice);
    unit_check(status[0] == 0 && status[1] == 0 && status[2] == 0,
               "a row that ends by itself ends with 0 (%d %d %d)", status[0],
               status[1], status[2]);
    unit_check(missing == 0 && twice == 0, "all arrived, once");
}

static void test_sigterm(void)
{
    pid_t pid[3];
    int status[3];
    uint64_t missing;
    uint64_t twice;
    bool good = true;
    int rounds = 0;

    begin(TOTAL);
    do {
        start_row(pid);
        nap((long)rand_below(15000) + rounds * 500L);
        for (int i = 0; i < 3; i++) {
            (void)kill(pid[i], SIGTERM);
        }
        wait_row(pid, status);
        /* one that was stopped before it had set up its signals dies of it,
         * and the others of that */
        bool died = false;
        for (int i = 0; i < 3; i++) {
            died = died || status[i] == 1000 + SIGTERM;
        }
        for (int i = 0; i < 3; i++) {
            if (status[i] != 0 && !died) {
                good = unit_check(false, "stage %d: %d", i, status[i]);
            }
        }
        count(&missing, &twice);
    } while (missing > 0 && ++rounds < 300);
    unit_check(good && missing == 0 && twice == 0,
               "SIGTERM to all, %d times: nothing lost, nothing twice", rounds);
}

/* The sink reads nothing, so that "end" cannot reach it through the pipe. */
static void test_told(void)
{
    const uint64_t start = clock_mono_us();
    pid_t pid[3];
    int status[3];
    uint64_t missing;
    uint64_t twice;

    begin(TOTAL);
    stubborn = true;
    start_row(pid);
    while (access(got_file, F_OK) < 0) {
        nap(1000);
    }
    nap(100000); /* the pipes are full */
    (void)kill(pid[SOURCE], SIGTERM);
    wait_row(pid, status);
    stubborn = false;
    unit_check(status[0] == 0 && status[1] == 0 && status[2] == 0,
               "a sink that does not read is told that its source was stopped "
               "(%d %d %d)",
               status[0], status[1], status[2]);
    unit_check(clock_mono_us() - start < 15 * 1000 * 1000, "and in time");
    count(&missing, &twice);
    unit_check(missing > 0 && twice == 0, "before all was there");
    start_row(pid);
    wait_row(pid, status);
    count(&missing, &twice);
    unit_check(missing == 0 && twice == 0, "and what is left comes next time");
}

static void test_sigkill(int victim)
{
    static const char *const names[] = {"source", "filter", "sink"};
    pid_t pid[3];
    int status[3];
    uint64_t missing;
    uint64_t twice;
    bool good = true;
    int rounds = 0;

    begin(TOTAL);
    do {
        start_row(pid);
        /* longer and longer, so that a slow machine gets on */
        nap(2000 + (long)rand_below(10000) + rounds * 500L);
        (void)kill(pid[victim], SIGKILL);
        wait_row(pid, status);
        for (int i = 0; i < 3; i++) {
            if (i != victim && status[i] != STATUS_NEIGHBOUR &&
                status[i] != 0) {
                good = unit_check(false, "%s: %d", names[i], status[i]);
            }
        }
        count(&missing, &twice);
    } while (missing > 0 && ++rounds < 300);
    unit_check(good, "SIGKILL of the %s: the others leave with 76",
               names[victim]);
    unit_check(missing == 0, "SIGKILL of the %s, %d times: nothing lost",
               names[victim], rounds);
}

int main(void)
{
    char dir[] = "/tmp/unit-stage-XXXXXX";

    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    (void)snprintf(place_file, sizeof place_file, "%s/place", dir);
    (void)snprintf(got_file, sizeof got_file, "%s/got", dir);
    test_clean();
    test_sigterm();
    test_told();
    test_sigkill(SOURCE);
    test_sigkill(FILTER);
    test_sigkill(SINK);
    (void)unlink(place_file);
    (void)unlink(got_file);
    (void)rmdir(dir);
    return unit_end();
}
