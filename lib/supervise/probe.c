#include "supervise/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "supervise/words.h"

enum { MAX_EVENT = 1 << 20 };

static void shut(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

int probe_open(struct probe *p, const struct words *w, struct err *e)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    sigset_t mask;

    *p = (struct probe){.to = -1, .from = -1};
    witness_init(&p->witness);
    if (segment_init(&p->segment, w, e) < 0) {
        return -1;
    }
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
        (void)err_errno(e, STATUS_SYSTEM, "a pipe");
        goto fail;
    }
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    (void)signal(SIGPIPE, SIG_IGN);
    const struct segment_conf conf = {
        .in = in[0], .out = out[1], .mask = &mask};
    if (segment_start(&p->segment, &conf, e) < 0) {
        goto fail;
    }
    p->to = in[1];
    p->from = out[0];
    (void)fcntl(p->to, F_SETFL, O_WRONLY | O_NONBLOCK);
    (void)fcntl(p->from, F_SETFL, O_RDONLY | O_NONBLOCK);
    lines_init(&p->lines, p->from, lines_limit(MAX_EVENT));
    shut(&in[0]);
    shut(&out[1]);
    return 0;
fail:
    for (int i = 0; i < 2; i++) {
        shut(&in[i]);
        shut(&out[i]);
    }
    return -1;
}

void probe_stop(struct probe *p)
{
    struct err ignored;

    shut(&p->to);
    segment_force(&p->segment, SIGKILL);
    (void)segment_sweep(&p->segment, &ignored);
    shut(&p->from);
}

void probe_close(struct probe *p)
{
    probe_stop(p);
    lines_release(&p->lines);
    buf_release(&p->out);
    witness_release(&p->witness);
    segment_release(&p->segment);
}

static bool write_some(struct probe *p)
{
    const ssize_t n = write(p->to, p->out.p + p->sent, p->out.n - p->sent);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        shut(&p->to); /* it does not read any more; what it wrote counts */
    }
    p->sent += n > 0 ? (size_t)n : 0;
    if (p->sent == p->out.n || p->to < 0) {
        buf_clear(&p->out);
        p->sent = 0;
    }
    return n > 0;
}

static bool read_some(struct probe *p)
{
    struct err ignored;
    struct slice line;
    char why[160];

    const int rc = lines_fill(&p->lines, &ignored);
    p->eof = rc < 0 || p->lines.eof;
    while (lines_next(&p->lines, &line, false, why) == 1 &&
           witness_line(&p->witness, line)) {
    }
    return rc == 1;
}

/* As long as it has not read what we wrote (a slow start), it is not late. */
static bool unread(const struct probe *p)
{
    int n = 0;

    return p->to >= 0 && ioctl(p->to, FIONREAD, &n) == 0 && n > 0;
}

bool probe_pump(struct probe *p, bool (*done)(const struct probe *),
                unsigned limit_ms)
{
    uint64_t moved = clock_mono_us();
    const uint64_t patience = (uint64_t)limit_ms * 1000;
    uint64_t read_us = 0; /* when the pipe was first seen empty */

    while (!p->witness.broken && !p->eof && !done(p)) {
        struct pollfd fds[] = {
            {p->from, POLLIN, 0},
            {p->out.n > p->sent && p->to >= 0 ? p->to : -1, POLLOUT, 0},
        };
        const uint64_t now = clock_mono_us();
        if (read_us == 0 && !unread(p)) {
            read_us = now;
        }
        if (now - moved > 5 * patience ||
            (read_us > 0 && now - moved > patience &&
             now - read_us > patience)) {
            return false;
        }
        (void)poll(fds, 2, 20);
        bool any = fds[1].revents != 0 && write_some(p);
        any |= fds[0].revents != 0 && read_some(p);
        if (any) {
            moved = clock_mono_us();
            read_us = 0;
        }
    }
    return !p->witness.broken && done(p);
}

void probe_finish(struct probe *p)
{
    shut(&p->to);
}

bool probe_wait(struct probe *p, unsigned limit_ms)
{
    const uint64_t give_up = clock_mono_us() + (uint64_t)limit_ms * 1000;

    do {
        (void)segment_reap(&p->segment);
        if (p->segment.alive == 0) {
            return true;
        }
        (void)poll(NULL, 0, 2);
    } while (clock_mono_us() < give_up);
    return false;
}
