/* A timer of processor time ticks a few times within the limit while the
 * program works, and not at all while it waits. Its handler counts how many
 * ticks the same event has lasted. All that the handler touches is written
 * before the event begins; it calls nothing that is not safe in a signal. */
#include "jq/limit.h"

#include <jv.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/msg.h"

enum { TICKS = 8, TEXT_MAX = 600 };

static struct {
    atomic_ulong event; /* counts events; 0: none is under way */
    unsigned long number;
    unsigned long seen; /* by the handler */
    unsigned ticks;
    struct slice id;
    char time_over[160]; /* the message behind the event's id */
    char memory_over[160];
} limit;

static size_t put(char *to, size_t n, const char *from, size_t len)
{
    const size_t room = TEXT_MAX - n;

    memcpy(to + n, from, len < room ? len : room);
    return n + (len < room ? len : room);
}

/* Safe in a signal handler. */
static void die(const char *why)
{
    char line[TEXT_MAX + 1];
    const char *name = msg_program();
    size_t n = put(line, 0, name, strlen(name));
    const bool known = atomic_load(&limit.event) != 0 && limit.id.p != NULL;

    n = put(line, n, ": error: ", 9);
    if (known) {
        n = put(line, n, "event ", 6);
        n = put(line, n, limit.id.p, limit.id.n < 256 ? limit.id.n : 256);
    } else {
        n = put(line, n, "the program", 11);
    }
    n = put(line, n, why, strlen(why));
    line[n++] = '\n';
    (void)!write(STDERR_FILENO, line, n);
    _exit(STATUS_BUG);
}

static void on_tick(int sig)
{
    const unsigned long event = atomic_load(&limit.event);

    (void)sig;
    if (event == 0 || event != limit.seen) {
        limit.seen = event;
        limit.ticks = 0;
    } else if (++limit.ticks > TICKS) {
        die(limit.time_over);
    }
}

void limit_no_memory(void *unused)
{
    (void)unused;
    die(limit.memory_over);
}

static int start_timer(uint64_t cpu_ms, struct err *e)
{
    struct sigaction sa = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL,
                           .sigev_signo = SIGALRM};
    const uint64_t ns = cpu_ms * 1000000 / TICKS;
    const struct timespec t = {(time_t)(ns / 1000000000),
                               (long)(ns % 1000000000)};
    const struct itimerspec every = {t, t};
    timer_t timer;
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (sigaction(SIGALRM, &sa, NULL) < 0 ||
        timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer) < 0 ||
        timer_settime(timer, 0, &every, NULL) < 0) {
        return err_errno(e, STATUS_SYSTEM, "a timer");
    }
    return 0;
}

static int set_memory(uint64_t bytes, struct err *e)
{
#if defined(__SANITIZE_ADDRESS__)
    (void)bytes; /* its shadow alone needs terabytes of address space */
    (void)e;
#else
    struct rlimit r;

    if (getrlimit(RLIMIT_AS, &r) < 0) {
        return err_errno(e, STATUS_SYSTEM, "--memory");
    }
    if (r.rlim_max == RLIM_INFINITY || bytes < r.rlim_max) {
        r.rlim_max = bytes; /* whoever started us may have set less */
    }
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_AS, &r) < 0) {
        return err_errno(e, STATUS_SYSTEM, "--memory");
    }
#endif
    return 0;
}

int limit_open(uint64_t cpu_ms, uint64_t bytes, struct err *e)
{
    const bool whole = cpu_ms % 1000 == 0;

    (void)snprintf(limit.time_over, sizeof limit.time_over,
                   ": the program ran longer than %llu%s on it (--timeout); "
                   "nothing of it was passed on",
                   (unsigned long long)(whole ? cpu_ms / 1000 : cpu_ms),
                   whole ? " s" : " ms");
    (void)snprintf(limit.memory_over, sizeof limit.memory_over,
                   ": out of memory, %llu MiB are allowed (--memory)",
                   (unsigned long long)bytes >> 20);
    jv_nomem_handler(limit_no_memory, NULL);
    if (bytes > 0 && set_memory(bytes, e) < 0) {
        return -1;
    }
    return cpu_ms > 0 ? start_timer(cpu_ms, e) : 0;
}

void limit_enter(struct slice id)
{
    limit.id = id;
    if (++limit.number == 0) {
        limit.number = 1;
    }
    atomic_store(&limit.event, limit.number);
}

void limit_leave(void)
{
    atomic_store(&limit.event, 0);
}
