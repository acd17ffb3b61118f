#include "vault/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "vault/grant.h"

enum { LINE_MAX_BYTES = 1024 * 1024, NOT_THERE = 127 };

/* In the child: standard input is the secret, standard output our pipe. */
static _Noreturn void become(const char *option, int in, int out)
{
    if (lseek(in, 0, SEEK_SET) == 0 && dup2(in, STDIN_FILENO) >= 0 &&
        dup2(out, STDOUT_FILENO) >= 0) {
        (void)execlp("systemd-creds", "systemd-creds", "encrypt", "--pretty",
                     option, "-", "-", (char *)NULL);
    }
    _exit(NOT_THERE);
}

static int wait_for(pid_t pid, struct err *e)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return err_errno(e, STATUS_SYSTEM, "systemd-creds");
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE) {
        return err_set(e, STATUS_SYSTEM,
                       "systemd-creds: there is no such program in $PATH; it "
                       "comes with systemd 250 and later");
    }
    return status == 0
               ? 0
               : err_set(e, STATUS_REFUSED,
                         "systemd-creds could not seal it (it needs root)");
}

int creds_seal(const char *name, const struct safe *value, struct buf *out,
               struct err *e)
{
    char *option = mem_printf("--name=%s", name);
    const int in = grant_memfd(value, e); /* a pipe might be too small */
    int way[2] = {-1, -1};
    int rc = -1;

    if (in < 0) {
        goto out;
    }
    if (pipe2(way, O_CLOEXEC) < 0) {
        (void)err_errno(e, STATUS_SYSTEM, "a pipe");
        goto out;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(option, in, way[1]);
    }
    (void)close(way[1]);
    if (pid < 0) {
        (void)err_errno(e, STATUS_SYSTEM, "a process");
    } else {
        rc = fd_read(way[0], "systemd-creds", LINE_MAX_BYTES, out, e);
        (void)close(way[0]);
        way[0] = -1;
        rc = wait_for(pid, e) < 0 ? -1 : rc;
    }
out:
    if (way[0] >= 0) {
        (void)close(way[0]);
    }
    if (in >= 0) {
        (void)close(in);
    }
    free(option);
    return rc;
}
