#include "stage/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/msg.h"
#include "stage/notify.h"

enum { STATS_EVERY_US = 10 * 1000 * 1000 };

static int open_signals(struct stage *s, bool takes_input, struct err *e)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR1);
    (void)signal(SIGPIPE, SIG_IGN);
    struct sigaction old;
    (void)sigaction(SIGINT, NULL, &old);
    s->takes_input = takes_input;
    if (takes_input && s->program->stopping == NULL) {
        (void)signal(SIGINT, SIG_IGN);
    } else if (old.sa_handler != SIG_IGN) {
        (void)sigaddset(&set, SIGINT);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        return err_errno(e, STATUS_SYSTEM, "signals");
    }
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd < 0 ? err_errno(e, STATUS_SYSTEM, "signalfd") : 0;
}

static int parse(struct stage *s, int argc, char **argv, const struct opt *more,
                 struct err *e)
{
    bool help = false;
    bool version = false;
    uint64_t ready_fd = UINT64_MAX;
    const struct opt common[] = {
        {0, "max-event", "SIZE", "largest value of one event (1M)", OPT_SIZE,
         &s->max_event, 1024, 1ULL << 30},
        {0, "ready-fd", "N", "write a newline there when ready", OPT_NUMBER,
         &ready_fd, 3, 65535},
        {'q', NULL, NULL, "quiet: warnings and errors only", OPT_FLAG,
         &s->quiet, 0, 0},
        {'v', NULL, NULL, "verbose", OPT_COUNT, &s->verbose, 0, 0},
        {'h', "help", NULL, "this text", OPT_FLAG, &help, 0, 0},
        {'V', "version", NULL, "the version", OPT_FLAG, &version, 0, 0},
        {0},
    };
    const struct opt_usage usage = {s->program->name,
                                    s->program->synopsis,
                                    s->program->about,
                                    {s->program->options, more, common}};
    const int first = opt_parse(&usage, argc, argv, e);

    s->ready_fd = ready_fd;
    msg_set_level(s->quiet         ? MSG_QUIET
                  : s->verbose > 0 ? MSG_VERBOSE
                                   : MSG_NORMAL);
    if (first >= 0 && help) {
        opt_help(&usage);
        return 1;
    }
    if (first >= 0 && version) {
        (void)printf("%s %s\n", s->program->name, DPP_VERSION);
        return 1;
    }
    return first < 0 ? -1
                     : s->program->setup(s->ctx, argc - first, argv + first, e);
}

int stage_begin(struct stage *s, const struct stage_program *program, void *ctx,
                int argc, char **argv, const struct opt *more, bool takes_input,
                struct err *e)
{
    const struct rlimit no_core = {0, 0};

    *s = (struct stage){
        .program = program, .ctx = ctx, .signal_fd = -1, .max_event = 1 << 20};
    msg_init(program->name);
    stats_init(&s->stats, program->name);
    s->stats_due_us = clock_mono_us() + STATS_EVERY_US;
    if (fd_hold_standard(e) < 0) {
        return -1;
    }
    const int rc = parse(s, argc, argv, more, e);
    if (rc != 0) {
        return rc;
    }
    /* Payloads and keys are in memory: no core file, no ptrace. */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (takes_input && isatty(STDIN_FILENO)) {
        return err_set(e, STATUS_USAGE,
                       "standard input is a terminal; put it into a pipe: "
                       "dpp-consume -t TOPIC | %s … (try -h)",
                       program->name);
    }
    return open_signals(s, takes_input, e);
}

void stage_ready(struct stage *s)
{
    if (!s->ready) {
        s->ready = true;
        notify_send(NOTIFY_ONCE, "READY=1");
        notify_ready_fd(s->ready_fd < UINT64_MAX ? (int)s->ready_fd : -1);
    }
}

/* Is this the request that has been heard already, on another way? */
static bool is_echo(struct stage *s, const struct signalfd_siginfo *i)
{
    const bool valued = i->ssi_code == SI_QUEUE;

    if (valued && i->ssi_int == STAGE_DRAIN_VALUE) {
        s->asked |= s->terms == 0;
        return s->terms > 0;
    }
    if (s->asked && !(valued && i->ssi_int == STAGE_ABORT_VALUE)) {
        s->asked = false; /* the next one is not */
        return true;
    }
    return false;
}

static int serve_stop(struct stage *s, const struct signalfd_siginfo *i,
                      struct err *e)
{
    if (s->program->stopping != NULL) {
        s->program->stopping(s->ctx);
    }
    if ((i->ssi_signo == SIGINT && s->takes_input) || is_echo(s, i)) {
        return 0; /* the source's, or known */
    }
    if (s->terms++ > 0) {
        return err_set(e, STATUS_RETRY, "stopped by a second signal");
    }
    s->drain_deadline_us = clock_mono_us() + (uint64_t)STAGE_DRAIN_MS * 1000;
    notify_send(NOTIFY_ONCE, "STOPPING=1");
    return 0;
}

static int serve_signals(struct stage *s, struct err *e)
{
    struct signalfd_siginfo i;

    while (read(s->signal_fd, &i, sizeof i) == (ssize_t)sizeof i) {
        if (i.ssi_signo == SIGUSR1) {
            stats_print(&s->stats);
        } else if (i.ssi_signo == SIGHUP) {
            if (s->program->hangup != NULL) {
                s->program->hangup(s->ctx);
            }
        } else if (serve_stop(s, &i, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Also by a signal that nobody has looked at yet. */
static bool is_asked(struct stage *s)
{
    struct err e;

    return serve_signals(s, &e) < 0 || s->terms > 0;
}

int stage_verdict(struct stage *s, int rc, const struct err *e)
{
    return rc < 0 && e->status == STATUS_NEIGHBOUR && s->stats.in == 0 &&
                   is_asked(s)
               ? 0
               : rc;
}

uint64_t stage_asked_us(const struct stage *s)
{
    return s->drain_deadline_us - (uint64_t)STAGE_DRAIN_MS * 1000;
}

static int sooner(int timeout_ms, uint64_t due_us, uint64_t now)
{
    const uint64_t left = due_us > now ? (due_us - now) / 1000 + 1 : 0;

    return timeout_ms < 0 || (uint64_t)timeout_ms > left ? (int)left
                                                         : timeout_ms;
}

int stage_wait(struct stage *s, struct pollfd *fds, size_t n, int timeout_ms,
               struct err *e)
{
    uint64_t now = clock_mono_us();

    fds[0] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    timeout_ms = sooner(timeout_ms, s->stats_due_us, now);
    if (s->drain_deadline_us > 0) {
        timeout_ms = sooner(timeout_ms, s->drain_deadline_us, now);
    }
    const int rc = s->program->wait != NULL
                       ? s->program->wait(s->ctx, fds, n, timeout_ms)
                       : poll(fds, n, timeout_ms);
    if (rc < 0 && errno != EINTR) {
        return err_errno(e, STATUS_SYSTEM, "poll");
    }
    if (rc < 0) {
        for (size_t i = 0; i < n; i++) {
            fds[i].revents = 0;
        }
    }
    if (fds[0].revents != 0 && serve_signals(s, e) < 0) {
        return -1;
    }
    now = clock_mono_us();
    if (now >= s->stats_due_us) {
        s->stats_due_us = now + STATS_EVERY_US;
        stats_send(&s->stats, NOTIFY_OFTEN);
    }
    if (s->drain_deadline_us > 0 && now >= s->drain_deadline_us) {
        return err_set(e, STATUS_RETRY, "not drained within %d s",
                       STAGE_DRAIN_MS / 1000);
    }
    return 0;
}

int stage_nonblock(int fd)
{
    struct stat st = {0};
    char path[40];

    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        const int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
        const int own = open(path, mode | O_NONBLOCK | O_CLOEXEC);
        if (own >= 0) {
            (void)fcntl(own, F_SETPIPE_SZ, 1 << 20);
            (void)dup2(own, fd);
            (void)close(own);
            return fd;
        }
    }
    if (!S_ISREG(st.st_mode) && isatty(fd) == 0) {
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return fd;
}

int stage_write(struct stage *s, int fd, struct buf *b, size_t *sent,
                struct err *e)
{
    while (*sent < b->n) {
        const ssize_t n = write(fd, b->p + *sent, b->n - *sent);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return 0;
        }
        if (n < 0) {
            return errno == EPIPE
                       ? err_set(e, STATUS_NEIGHBOUR,
                                 "the reader of standard output has gone")
                       : err_errno(e, STATUS_IO, "standard output");
        }
        *sent += (size_t)n;
        s->stats.bytes_out += (uint64_t)n;
    }
    buf_clear(b);
    *sent = 0;
    return 1;
}

int stage_end(struct stage *s, int rc, struct err *e)
{
    int status = STATUS_OK;

    if (rc < 0) {
        status = e->status;
        if (status == STATUS_NEIGHBOUR) {
            msg_info("%s", e->text);
        } else {
            msg_err(e);
        }
    }
    /* -h and -V went through stdio; everything else is on the disk or in the
     * pipe, and close() is where a full disk or a network file shows up. */
    if (fflush(stdout) != 0 || close(STDOUT_FILENO) != 0) {
        if (status == STATUS_OK) {
            msg_error("standard output: %s", strerror(errno));
            status = STATUS_IO;
        }
    }
    if (s->verbose > 0) {
        stats_print(&s->stats);
    }
    stats_send(&s->stats, NOTIFY_ONCE);
    stats_release(&s->stats);
    opt_release(s->program->options);
    if (s->signal_fd >= 0) {
        (void)close(s->signal_fd);
    }
    return status;
}
