#include "stage/reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void comm(const char *pid, char out[READER_NAME])
{
    char path[64];
    char name[32] = "";

    (void)snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t n = read(fd, name, sizeof name - 1);
        name[n > 0 ? n - 1 : 0] = '\0';
        (void)close(fd);
    }
    (void)snprintf(out, READER_NAME, "\"%s\" (pid %.20s)", name, pid);
}

void reader_name(int fd, char out[READER_NAME])
{
    struct stat pipe;
    struct stat st;
    char path[64];
    DIR *proc = opendir("/proc");

    (void)snprintf(out, READER_NAME, "the reader of standard output");
    if (proc == NULL || fstat(fd, &pipe) < 0) {
        goto out;
    }
    if (!S_ISFIFO(pipe.st_mode)) {
        (void)snprintf(out, READER_NAME, "standard output, which is no pipe,");
        goto out;
    }
    for (const struct dirent *d; (d = readdir(proc)) != NULL;) {
        const long pid = strtol(d->d_name, NULL, 10);
        if (pid <= 0 || pid == (long)getpid()) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%.20s/fd/0", d->d_name);
        if (stat(path, &st) == 0 && st.st_ino == pipe.st_ino &&
            st.st_dev == pipe.st_dev) {
            comm(d->d_name, out);
            break;
        }
    }
out:
    if (proc != NULL) {
        (void)closedir(proc);
    }
}
