#include "vault/renewer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* Beside our own program, else in $PATH. Caller frees. */
static char *find_program(void)
{
    static const char name[] = "dpp-renew";
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n > 0) {
        self[n] = '\0';
        const char *slash = strrchr(self, '/');
        if (slash != NULL) {
            char *path = mem_printf("%.*s/%s", (int)(slash - self), self, name);
            if (access(path, X_OK) == 0) {
                return path;
            }
            free(path);
        }
    }
    return mem_strdup(name);
}

/* In the child. Without our streams, which carry events, and our signals:
 * what interrupts us is no reason to lose a token. */
static _Noreturn void become(const char *program, const char *entry)
{
    const int null = open("/dev/null", O_RDWR);
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)execlp(program, "dpp-renew", "-q", entry, (char *)NULL);
    _exit(STATUS_SYSTEM);
}

int renewer_start(const char *entry, pid_t *pid, struct err *e)
{
    char *program = find_program();

    *pid = fork();
    if (*pid == 0) {
        become(program, entry);
    }
    free(program);
    return *pid > 0 ? 0 : err_errno(e, STATUS_SYSTEM, "a process");
}

int renewer_ended(pid_t pid, bool wait)
{
    int status;
    pid_t got;

    do {
        got = waitpid(pid, &status, wait ? 0 : WNOHANG);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        return -1;
    }
    return got == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                           : STATUS_SYSTEM;
}
