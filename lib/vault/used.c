#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "vault/vault.h"

uint64_t vault_used(const char *path, const char *name)
{
    char *file = mem_printf("%s.used/%s", path, name);
    struct stat st;
    uint64_t ms = 0;

    if (lstat(file, &st) == 0) {
        ms = (uint64_t)st.st_mtim.tv_sec * 1000 +
             (uint64_t)st.st_mtim.tv_nsec / 1000000;
    }
    free(file);
    return ms;
}

void vault_use_never(const char *path, const char *name)
{
    char *file = mem_printf("%s.used/%s", path, name);

    (void)unlink(file);
    free(file);
}

void vault_use(const char *path, const char *name)
{
    char *dir = mem_printf("%s.used", path);
    char *file = mem_printf("%s/%s", dir, name);
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = open(file, flags, 0600);

    if (fd < 0 && errno == ENOENT && mkdir(dir, 0700) == 0) {
        fd = open(file, flags, 0600);
    }
    if (fd >= 0) {
        (void)futimens(fd, NULL);
        (void)close(fd);
    }
    free(file);
    free(dir);
}
