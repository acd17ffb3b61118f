/* The life of a segment.
 *
 *   WAIT     nothing runs; at next_us it starts.
 *   RUN      all stages were started. Some may have ended with 0: a source at
 *            the end of its input, and whoever comes behind it.
 *
 * In RUN the pressure on the stages rises in steps, each with its time:
 *
 *   NONE     they run.
 *   GRACE    a stage died: the others get a second to notice (76 goes through
 *            the pipe in milliseconds). A stage that ended with 0 before the
 *            ones above it did is given two.
 *   TERM     SIGTERM to all that are left.
 *   KILL     SIGKILL.
 *
 * When no stage is left, what they left behind is killed (segment_sweep), and
 * the ends are judged together (outcome.h): the end, or WAIT for the next
 * start. A stage that ended under TERM or KILL says nothing.
 *
 * Asked to end (SIGTERM, SIGINT): the source gets the signal and drains, "end"
 * ripples down, all end with 0. After 20 s, or at a second signal: TERM, KILL.
 * The signal may reach the source from elsewhere as well, before us or behind
 * us: Ctrl-C goes to all of the foreground, timeout(1) signals its whole group.
 * Taken for a second one, it would make the source abort. So ours carries a
 * value, and a dpp source counts it and a plain one as one request (stage.h).
 * A foreign source knows no values: we leave it alone if the terminal has told
 * it, and else wait a moment for its STOPPING=1.
 *
 * If we are killed with SIGKILL, so are all stages: a successor starts from
 * the stored position, and nothing of ours still runs beside it. */
#include "supervise/supervise.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "stage/notify.h"
#include "stage/stage.h"
#include "supervise/hand.h"
#include "supervise/process.h"
#include "supervise/supervisor.h"
#include "supervise/words.h"

enum {
    RESTART_MS = 100, /* the first pause is at most this long, the last that */
    RESTART_CAP_MS = 30 * 1000,
    ECHO_US = 50 * 1000, /* for STOPPING=1 of a foreign source */
    DRAIN_US = (STAGE_DRAIN_MS + 500) * 1000,
    DRAINED_US = 2000 * 1000, /* from SIGTERM to SIGKILL behind that */
    ABORT_US = 500 * 1000     /* and at a second signal */
};

/* --- starting ------------------------------------------------------------- */

uint64_t supervise_pause(struct supervisor *s)
{
    const uint64_t ms = backoff_next(&s->backoff);

    s->running = false;
    s->next_us = clock_mono_us() + ms * 1000;
    return ms;
}

static void start(struct supervisor *s)
{
    const struct segment_conf conf = {
        .in = -1,
        .out = -1,
        .mask = &s->mask,
        .hands = s->segment.hands,
        .notify = s->news.address,
        .caution = poison_next(&s->poison, &s->caution),
    };
    struct err e;

    s->pressure = PRESSURE_NONE;
    s->free_us = 0;
    s->stopping = s->whole = s->progress = s->unanswered = false;
    s->oom = process_oom_kills();
    s->started_us = clock_mono_us();
    s->starts++;
    if (segment_start(&s->segment, &conf, &e) < 0) {
        ending_failed_start(s, &e);
        return;
    }
    s->running = true;
    hearing_ready(s); /* no stage may be one of ours */
}

/* --- signals -------------------------------------------------------------- */

/* The source has the signal already, or gets it now. */
static void pass_stop_on(struct supervisor *s)
{
    s->echo_us = 0;
    if (!s->stopping) {
        segment_tell(&s->segment, 0, s->stop_signal);
    }
}

static void stop(struct supervisor *s, int sig, bool from_terminal)
{
    s->stops++;
    if (s->stops == 1) {
        notify_send(NOTIFY_ONCE, "STOPPING=1\nSTATUS=stopping");
    }
    if (!s->running) {
        s->done = STATUS_OK;
    } else if (s->stops > 1) {
        ending_press(s, ABORT_US);
    } else {
        s->stop_signal = sig;
        s->drain_us = clock_mono_us() + DRAIN_US;
        segment_expect_end(&s->segment, 0);
        if (s->segment.stage[0].ours) {
            segment_tell(&s->segment, 0, sig);
        } else if (!from_terminal) {
            s->echo_us = clock_mono_us() + ECHO_US;
        }
    }
}

static void say_state(struct supervisor *s)
{
    msg_info("%s, start %llu, %llu s ago; position %.*s",
             s->running ? "running" : "waiting", (unsigned long long)s->starts,
             (unsigned long long)(clock_mono_us() - s->started_us) / 1000000,
             s->position.n > 0 ? (int)s->position.n : 4,
             s->position.n > 0 ? s->position.p : "none");
}

static void take_signals(struct supervisor *s)
{
    struct signalfd_siginfo i;

    while (read(s->signal_fd, &i, sizeof i) == (ssize_t)sizeof i) {
        const int sig = (int)i.ssi_signo;
        const bool kernel = i.ssi_code == SI_KERNEL;
        if (sig == SIGTERM || sig == SIGINT) {
            stop(s, sig, kernel);
        } else if (sig == SIGHUP && kernel) {
            stop(s, SIGTERM, false); /* the terminal has gone */
        } else if (sig == SIGHUP || sig == SIGUSR1) {
            if (sig == SIGUSR1) {
                say_state(s);
            } else if (!s->running) {
                s->next_us = 0; /* try again now */
            }
            segment_pass(&s->segment, sig);
        }
    }
}

/* --- the loop ------------------------------------------------------------- */

static void sooner(int *timeout_ms, uint64_t due_us, uint64_t now)
{
    const uint64_t left = due_us > now ? (due_us - now) / 1000 + 1 : 0;

    if (*timeout_ms < 0 || (uint64_t)*timeout_ms > left) {
        *timeout_ms = (int)left;
    }
}

static int next_timer(const struct supervisor *s)
{
    const uint64_t now = clock_mono_us();
    int ms = -1;

    if (!s->running) {
        sooner(&ms, s->next_us, now);
    }
    if (s->running && s->pressure != PRESSURE_NONE) {
        sooner(&ms, s->pressure_us, now);
    }
    if (s->running && s->drain_us > 0) {
        sooner(&ms, s->drain_us, now);
    }
    if (s->running && s->free_us > 0) {
        sooner(&ms, s->free_us, now);
    }
    if (s->echo_us > 0) {
        sooner(&ms, s->echo_us, now);
    }
    if (s->watchdog_us > 0) {
        sooner(&ms, s->watchdog_due_us, now);
    }
    return ms;
}

static void serve_timers(struct supervisor *s)
{
    const uint64_t now = clock_mono_us();

    if (s->watchdog_us > 0 && now >= s->watchdog_due_us) {
        notify_send(NOTIFY_OFTEN, "WATCHDOG=1");
        s->watchdog_due_us = now + s->watchdog_us / 2;
    }
    if (!s->running) {
        if (now >= s->next_us && s->done < 0) {
            start(s);
        }
        return;
    }
    if (s->echo_us > 0 && now >= s->echo_us) {
        pass_stop_on(s);
    }
    if (s->free_us > 0 && now >= s->free_us) {
        ending_free_pipes(s);
    }
    if (s->drain_us > 0 && now >= s->drain_us) {
        s->drain_us = 0;
        ending_press(s, DRAINED_US);
    }
    if (s->pressure != PRESSURE_NONE && now >= s->pressure_us) {
        ending_press_on(s);
    }
}

static int turn(struct supervisor *s, struct err *e)
{
    struct pollfd fds[] = {{s->signal_fd, POLLIN, 0}, {s->news.fd, POLLIN, 0}};

    if (poll(fds, 2, next_timer(s)) < 0 && errno != EINTR) {
        return err_errno(e, STATUS_SYSTEM, "poll");
    }
    take_signals(s);
    hearing_take(s);
    if (s->running && segment_reap(&s->segment)) {
        take_signals(s); /* one to the whole group has come before */
        hearing_take(s); /* their last words */
        ending_look(s);
    }
    if (s->running && s->segment.alive == 0) {
        ending_judge(s);
    }
    if (s->done < 0) {
        serve_timers(s);
    }
    return 0;
}

static int open_signals(struct supervisor *s, struct err *e)
{
    static const int wanted[] = {SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};
    struct sigaction old;
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        (void)sigaddset(&set, wanted[i]);
    }
    (void)sigaction(SIGINT, NULL, &old);
    if (old.sa_handler != SIG_IGN) {
        (void)sigaddset(&set, SIGINT);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, there would be no statuses */
    if (sigprocmask(SIG_BLOCK, &set, &s->mask) < 0) {
        return err_errno(e, STATUS_SYSTEM, "signals");
    }
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd < 0 ? err_errno(e, STATUS_SYSTEM, "signalfd") : 0;
}

static void read_watchdog(struct supervisor *s)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");

    if (usec != NULL &&
        (pid == NULL || strtol(pid, NULL, 10) == (long)getpid())) {
        s->watchdog_us = strtoull(usec, NULL, 10);
    }
}

static int begin(struct supervisor *s, const struct words *w, struct err *e)
{
    if (segment_init(&s->segment, w, e) < 0 ||
        hand_prepare(&s->segment, e) < 0) {
        return -1;
    }
    s->ours = mem_new(w->n * sizeof *s->ours);
    for (size_t i = 0; i < w->n; i++) {
        s->ours[i] = s->segment.stage[i].ours;
    }
    if (open_signals(s, e) < 0 || news_open(&s->news, e) < 0) {
        return -1;
    }
    read_watchdog(s);
    return 0;
}

int supervise_run(const struct supervise_conf *conf, const struct words *w,
                  struct err *e)
{
    struct supervisor s = {.conf = conf,
                           .signal_fd = -1,
                           .news.fd = -1,
                           .backoff = {RESTART_MS, RESTART_CAP_MS, 0},
                           .done = -1};

    poison_init(&s.poison);
    buf_init(&s.caution);
    buf_init(&s.position);
    int rc = begin(&s, w, e);
    while (rc == 0 && s.done < 0) {
        rc = turn(&s, e);
    }
    if (s.signal_fd >= 0) {
        (void)close(s.signal_fd);
    }
    news_close(&s.news);
    segment_release(&s.segment);
    poison_release(&s.poison);
    buf_release(&s.caution);
    buf_release(&s.position);
    free(s.ours);
    return rc < 0 ? -1 : s.done;
}
