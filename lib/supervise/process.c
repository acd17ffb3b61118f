#include "supervise/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first bytes of a file under /proc, as text. */
static bool slurp(char *out, size_t size, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t k = 0;

    if (fd < 0) {
        return false;
    }
    while (n + 1 < size && (k = read(fd, out + n, size - 1 - n)) > 0) {
        n += (size_t)k;
    }
    (void)close(fd);
    out[n] = '\0';
    return n > 0;
}

pid_t process_parent(pid_t pid)
{
    char path[40];
    char text[512];
    char state;
    int parent;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!slurp(text, sizeof text, path)) {
        return 0;
    }
    /* "pid (name) state parent …"; a name may hold anything, ')' too */
    const char *behind = strrchr(text, ')');
    return behind != NULL && sscanf(behind + 1, " %c %d", &state, &parent) == 2
               ? parent
               : 0;
}

size_t process_children(pid_t *v, size_t max)
{
    DIR *proc = opendir("/proc");
    const pid_t self = getpid();
    size_t n = 0;

    if (proc == NULL) {
        return 0;
    }
    for (const struct dirent *d; n < max && (d = readdir(proc)) != NULL;) {
        const pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid > 0 && process_parent(pid) == self) {
            v[n++] = pid;
        }
    }
    (void)closedir(proc);
    return n;
}

/* Has it the pipe open for writing? */
static bool writes(pid_t pid, ino_t pipe)
{
    char path[96];
    char text[256];
    struct stat st;
    unsigned flags;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *fds = opendir(path);
    if (fds == NULL) {
        return false;
    }
    for (const struct dirent *d; !found && (d = readdir(fds)) != NULL;) {
        if (fstatat(dirfd(fds), d->d_name, &st, 0) < 0 ||
            !S_ISFIFO(st.st_mode) || st.st_ino != pipe) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%ld/fdinfo/%.20s", (long)pid,
                       d->d_name);
        const char *at =
            slurp(text, sizeof text, path) ? strstr(text, "flags:") : NULL;
        found = at != NULL && sscanf(at, "flags: %o", &flags) == 1 &&
                (flags & O_ACCMODE) != O_RDONLY;
    }
    (void)closedir(fds);
    return found;
}

static bool below_us(pid_t pid)
{
    const pid_t self = getpid();

    for (int depth = 0; pid > 1 && depth < 64; depth++) {
        pid = process_parent(pid);
        if (pid == self) {
            return true;
        }
    }
    return false;
}

static bool is_in(pid_t pid, const pid_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i] == pid) {
            return true;
        }
    }
    return false;
}

pid_t process_kill_writer(ino_t pipe, const pid_t *skip, size_t n)
{
    DIR *proc = opendir("/proc");
    pid_t killed = 0;

    if (proc == NULL) {
        return 0;
    }
    for (const struct dirent *d; killed == 0 && (d = readdir(proc)) != NULL;) {
        const pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid <= 0 || is_in(pid, skip, n) || !below_us(pid)) {
            continue;
        }
        /* The descriptor is the process, whoever has its number later. */
        const int fd = pidfd_open(pid, 0);
        if (fd >= 0 && writes(pid, pipe) &&
            pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0) {
            killed = pid;
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    (void)closedir(proc);
    return killed;
}

bool process_prepared(pid_t pid, int sig)
{
    static const char *const masks[] = {"\nSigBlk:", "\nSigIgn:", "\nSigCgt:"};
    char path[40];
    char text[4096];

    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    if (!slurp(text, sizeof text, path)) {
        return false;
    }
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        const char *at = strstr(text, masks[i]);
        if (at != NULL &&
            (strtoull(at + strlen(masks[i]), NULL, 16) >> (sig - 1) & 1) != 0) {
            return true;
        }
    }
    return false;
}

unsigned long long process_oom_kills(void)
{
    static const char word[] = "\noom_kill ";
    char text[32768];

    if (!slurp(text, sizeof text, "/proc/vmstat")) {
        return 0;
    }
    const char *at = strstr(text, word);
    return at != NULL ? strtoull(at + sizeof word - 1, NULL, 10) : 0;
}
