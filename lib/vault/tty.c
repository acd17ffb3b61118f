#include "vault/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

enum { LINE_MAX_BYTES = 4096 };

/* The echo must come back before a signal ends or stops us: the signals wait,
 * and an arriving one ends the asking. */
static int wait_for_line(int fd, int signals, struct err *e)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
                          {.fd = signals, .events = POLLIN}};

    if (poll(p, 2, -1) < 0 && errno != EINTR) {
        return err_errno(e, STATUS_SYSTEM, "poll");
    }
    return p[1].revents != 0 ? err_set(e, STATUS_RETRY, "interrupted") : 0;
}

static int read_line(int fd, int signals, struct safe *out, struct err *e)
{
    size_t n = 0;

    safe_new(out, LINE_MAX_BYTES);
    for (;;) {
        ssize_t k = -1;
        if (wait_for_line(fd, signals, e) < 0) {
            break;
        }
        k = read(fd, out->p + n, LINE_MAX_BYTES - n);
        if (k <= 0) {
            (void)err_set(e, STATUS_RETRY, "nothing was typed");
            break;
        }
        n += (size_t)k;
        if (out->p[n - 1] == '\n') {
            safe_cut(out, 0, n - 1);
            return 0;
        }
        if (n == LINE_MAX_BYTES) {
            (void)err_set(e, STATUS_REFUSED, "that line is too long");
            break;
        }
    }
    safe_release(out);
    return -1;
}

static int ask_once(int fd, const char *prompt, struct safe *out, struct err *e)
{
    struct termios old;
    struct termios quiet;
    sigset_t set;
    sigset_t before;
    int rc = -1;

    (void)sigfillset(&set);
    (void)sigdelset(&set, SIGWINCH);
    (void)sigdelset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    const int signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0 || tcgetattr(fd, &old) < 0) {
        (void)err_errno(e, STATUS_SYSTEM, "/dev/tty");
    } else {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(fd, TCSAFLUSH, &quiet);
        (void)fd_write(fd, prompt, strlen(prompt));
        (void)fd_write(fd, ": ", 2);
        rc = read_line(fd, signals, out, e);
        (void)fd_write(fd, "\n", 1);
        (void)tcsetattr(fd, TCSANOW, &old);
    }
    if (signals >= 0) {
        (void)close(signals);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL); /* what came, comes now */
    if (rc == 0 && out->n == 0) {
        safe_release(out);
        rc = err_set(e, STATUS_REFUSED, "%s is empty", prompt);
    }
    return rc;
}

static int ask_twice(int fd, const char *what, struct safe *out, struct err *e)
{
    char *again = mem_printf("%s, again", what);
    struct safe second = {0};
    int rc = ask_once(fd, what, out, e);

    if (rc == 0) {
        rc = ask_once(fd, again, &second, e);
        if (rc == 0 &&
            (second.n != out->n || !safe_equal(second.p, out->p, out->n))) {
            rc = err_set(e, STATUS_REFUSED, "the two are not the same");
        }
        safe_release(&second);
        if (rc < 0) {
            safe_release(out);
        }
    }
    free(again);
    return rc;
}

int tty_ask(const char *what, bool twice, struct safe *out, struct err *e)
{
    const int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        return err_set(e, STATUS_REFUSED,
                       "%s is asked for at a terminal, and there is none",
                       what);
    }
    const int rc =
        twice ? ask_twice(fd, what, out, e) : ask_once(fd, what, out, e);
    (void)close(fd);
    return rc;
}
