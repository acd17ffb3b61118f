#include "supervise/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
