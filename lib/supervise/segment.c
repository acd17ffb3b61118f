#include "supervise/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "stage/stage.h"
#include "supervise/hand.h"
#include "supervise/process.h"
#include "supervise/program.h"
#include "supervise/words.h"

enum { SWEEP_US = 5 * 1000 * 1000, SWEEP_ROUND = 256 };

/* "helper & exec dpp-run …": such a child is no stage's. */
static void note_guests(struct segment *s)
{
    s->guest = mem_new(SWEEP_ROUND * sizeof *s->guest);
    s->guests = process_children(s->guest, SWEEP_ROUND);
}

static void forget_guest(struct segment *s, pid_t pid)
{
    for (size_t i = 0; i < s->guests; i++) {
        if (s->guest[i] == pid) {
            s->guest[i] = s->guest[--s->guests];
            return;
        }
    }
}

static bool is_guest(const struct segment *s, pid_t pid)
{
    for (size_t i = 0; i < s->guests; i++) {
        if (s->guest[i] == pid) {
            return true;
        }
    }
    return false;
}

int segment_init(struct segment *s, const struct words *w, struct err *e)
{
    *s = (struct segment){.n = w->n};
    s->stage = mem_new(w->n * sizeof *s->stage);
    s->end = mem_new(w->n * sizeof *s->end);
    for (size_t i = 0; i < w->n; i++) {
        struct segment_stage *st = &s->stage[i];
        st->argv = w->stage[i];
        const char *slash = strrchr(st->argv[0], '/');
        st->name = slash != NULL ? slash + 1 : st->argv[0];
        st->ours = program_is_ours(st->argv[0]);
        st->path = program_find(st->argv[0], e);
        if (st->path == NULL) {
            segment_release(s);
            return -1;
        }
    }
    note_guests(s);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return 0;
}

void segment_release(struct segment *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->stage[i].path);
        if (s->stage[i].vault_fd > 0) {
            (void)close(s->stage[i].vault_fd);
        }
    }
    free(s->stage);
    free(s->end);
    free(s->guest);
    *s = (struct segment){0};
}

/* --- the child's side ----------------------------------------------------- */

/* A socket that systemd passed is meant for the source: the variable that says
 * so names the process. */
static void pass_sockets_on(pid_t parent, bool source)
{
    const char *pid = getenv("LISTEN_PID");
    char text[24];

    if (pid == NULL || strtol(pid, NULL, 10) != (long)parent) {
        return;
    }
    if (source) {
        (void)snprintf(text, sizeof text, "%ld", (long)getpid());
        (void)setenv("LISTEN_PID", text, 1);
    } else {
        (void)unsetenv("LISTEN_PID");
        (void)unsetenv("LISTEN_FDS");
        (void)unsetenv("LISTEN_FDNAMES");
    }
}

static void set_environment(const struct segment_conf *c, pid_t parent,
                            bool source)
{
    pass_sockets_on(parent, source);
    (void)unsetenv("WATCHDOG_PID"); /* that is our business */
    (void)unsetenv("WATCHDOG_USEC");
    if (c->notify != NULL) {
        (void)setenv("NOTIFY_SOCKET", c->notify, 1);
    } else {
        (void)unsetenv("NOTIFY_SOCKET");
    }
    if (source && c->caution != NULL) {
        (void)setenv("DPP_CAUTION", c->caution, 1);
    } else {
        (void)unsetenv("DPP_CAUTION");
    }
}

static void take_end(int fd, int as)
{
    if (fd >= 0 && fd != as) {
        (void)dup2(fd, as);
    }
}

/* Never returns; tells an exec that failed through `tell`. */
_Noreturn static void become(const struct segment_stage *st,
                             const struct segment_conf *c, pid_t parent,
                             const int ends[2], bool source, int tell)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(STATUS_NEIGHBOUR); /* it died before the line above */
    }
    take_end(ends[0], STDIN_FILENO);
    take_end(ends[1], STDOUT_FILENO);
    set_environment(c, parent, source);
    if (c->hands) {
        hand_over(st->vault_fd);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    if (!source) {
        (void)signal(SIGINT, SIG_IGN); /* Ctrl-C is for the source */
    }
    (void)sigprocmask(SIG_SETMASK, c->mask, NULL);
    (void)execv(st->path, st->argv);
    const int error = errno;
    (void)!write(tell, &error, sizeof error);
    _exit(STATUS_SYSTEM);
}

/* --- our side ------------------------------------------------------------- */

static void shut(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static int start_one(struct segment_stage *st, const struct segment_conf *c,
                     const int ends[2], bool source, struct err *e)
{
    int tell[2];
    int error = 0;
    const pid_t parent = getpid();

    if (pipe2(tell, O_CLOEXEC) < 0) {
        return err_errno(e, STATUS_SYSTEM, "%s", st->name);
    }
    st->ready = st->forced = st->told = false;
    st->pid = fork();
    if (st->pid == 0) {
        become(st, c, parent, ends, source, tell[1]);
    }
    st->last = st->pid;
    shut(&tell[1]);
    if (st->pid < 0) {
        st->pid = 0;
        (void)err_errno(e, STATUS_SYSTEM, "%s: no process", st->name);
    } else if (read(tell[0], &error, sizeof error) == sizeof error) {
        (void)waitpid(st->pid, NULL, 0);
        st->pid = 0;
        errno = error;
        (void)err_errno(e, STATUS_SYSTEM, "%s", st->path);
    }
    shut(&tell[0]);
    return st->pid > 0 ? 0 : -1;
}

static ino_t inode(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void stop_all(struct segment *s)
{
    struct err ignored;

    segment_force(s, SIGKILL);
    while (s->alive > 0) {
        (void)segment_reap(s);
        (void)poll(NULL, 0, 1);
    }
    (void)segment_sweep(s, &ignored);
}

int segment_start(struct segment *s, const struct segment_conf *c,
                  struct err *e)
{
    int ends[2] = {c->in, -1};
    int between[2] = {-1, -1};

    s->alive = 0;
    s->ended = 0;
    for (size_t i = 0; i < s->n; i++) {
        const bool last = i + 1 == s->n;
        if (!last && pipe2(between, O_CLOEXEC) < 0) {
            (void)err_errno(e, STATUS_SYSTEM, "a pipe");
            goto fail;
        }
        ends[1] = last ? c->out : between[1];
        s->stage[i].out = last ? 0 : inode(between[1]);
        const int rc = start_one(&s->stage[i], c, ends, i == 0, e);
        if (ends[0] != c->in) {
            shut(&ends[0]);
        }
        shut(&between[1]);
        ends[0] = between[0];
        between[0] = -1;
        if (rc < 0) {
            goto fail;
        }
        s->alive++;
    }
    return 0;
fail:
    if (ends[0] != c->in) {
        shut(&ends[0]);
    }
    stop_all(s);
    return -1;
}

static void send(const struct segment_stage *st, int sig, int value)
{
    if (st->pid > 0) {
        (void)sigqueue(st->pid, sig, (union sigval){.sival_int = value});
    }
}

static bool died_as_told(int wstatus)
{
    return WIFSIGNALED(wstatus) &&
           (WTERMSIG(wstatus) == SIGTERM || WTERMSIG(wstatus) == SIGINT);
}

void segment_expect_end(struct segment *s, size_t i)
{
    struct outcome_end *end = &s->end[i];

    s->stage[i].told = true;
    if (s->stage[i].pid == 0 && end->cause == OUTCOME_OWN &&
        died_as_told(end->wstatus)) {
        end->cause = OUTCOME_TOLD; /* it was faster than we are */
    }
}

void segment_tell(struct segment *s, size_t i, int sig)
{
    segment_expect_end(s, i);
    send(&s->stage[i], sig, STAGE_DRAIN_VALUE);
}

void segment_force(struct segment *s, int sig)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->stage[i].pid > 0) {
            s->stage[i].forced = true;
            send(&s->stage[i], sig, STAGE_ABORT_VALUE);
        }
    }
}

void segment_pass(struct segment *s, int sig)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->stage[i].pid > 0 && process_prepared(s->stage[i].pid, sig)) {
            (void)kill(s->stage[i].pid, sig);
        }
    }
}

static bool note_end(struct segment *s, pid_t pid, int wstatus)
{
    for (size_t i = 0; i < s->n; i++) {
        struct segment_stage *st = &s->stage[i];
        if (st->pid != pid) {
            continue;
        }
        const bool told = st->told && died_as_told(wstatus);
        s->end[i] = (struct outcome_end){.wstatus = wstatus,
                                         .cause = st->forced ? OUTCOME_FORCED
                                                  : told     ? OUTCOME_TOLD
                                                             : OUTCOME_OWN,
                                         .order = s->ended++};
        st->pid = 0;
        s->alive--;
        return true;
    }
    forget_guest(s, pid);
    return false; /* or a grandchild that came to us */
}

bool segment_reap(struct segment *s)
{
    bool any = false;
    int wstatus;
    pid_t pid;

    while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
        any |= note_end(s, pid, wstatus);
    }
    return any;
}

/* Only our own children are killed: their numbers cannot have been given to
 * anybody else. Theirs come to us when they die. Returns how many there are. */
static size_t kill_children(const struct segment *s, pid_t *one)
{
    pid_t child[SWEEP_ROUND];
    const size_t n = process_children(child, SWEEP_ROUND);
    size_t killed = 0;

    for (size_t i = 0; i < n; i++) {
        if (!is_guest(s, child[i])) {
            (void)kill(child[i], SIGKILL);
            *one = child[i];
            killed++;
        }
    }
    return killed;
}

int segment_sweep(struct segment *s, struct err *e)
{
    const uint64_t give_up = clock_mono_us() + SWEEP_US;
    pid_t one = 0;

    for (;;) {
        const pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid > 0) {
            forget_guest(s, pid);
            continue;
        }
        if ((pid < 0 && errno == ECHILD) || kill_children(s, &one) == 0) {
            return 0;
        }
        if (clock_mono_us() > give_up) {
            return err_set(e, STATUS_SYSTEM,
                           "process %ld, which a stage left behind, cannot "
                           "be killed",
                           (long)one);
        }
        (void)poll(NULL, 0, 1);
    }
}

pid_t segment_free_pipe(struct segment *s, size_t i)
{
    pid_t skip[WORDS_STAGES];
    pid_t last = 0;
    pid_t killed;

    for (size_t k = 0; k < s->n; k++) {
        skip[k] = s->stage[k].pid;
    }
    for (int tries = 0; tries < SWEEP_ROUND; tries++) {
        killed = process_kill_writer(s->stage[i].out, skip, s->n);
        if (killed == 0) {
            break;
        }
        last = killed;
    }
    return last;
}

size_t segment_stage_of(const struct segment *s, pid_t pid)
{
    for (int depth = 0; pid > 1 && depth < 32; depth++) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->stage[i].last == pid) {
                return i;
            }
        }
        pid = process_parent(pid);
    }
    return s->n;
}
