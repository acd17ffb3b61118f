#include "supervise/program.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

bool program_is_ours(const char *name)
{
    return strncmp(last_part(name), "dpp-", 4) == 0;
}

static bool runs(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           access(path, X_OK) == 0;
}

/* In the folder dir[0..n); an empty one is the current folder. */
static char *in_folder(const char *dir, size_t n, const char *name)
{
    char *path = n > 0 ? mem_printf("%.*s/%s", (int)n, dir, name)
                       : mem_printf("./%s", name);

    if (runs(path)) {
        return path;
    }
    free(path);
    return NULL;
}

static char *beside_us(const char *name)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0) {
        return NULL;
    }
    self[n] = '\0';
    return in_folder(self, (size_t)(last_part(self) - self - 1), name);
}

static char *in_path(const char *name)
{
    const char *dir = getenv("PATH");
    char *found = NULL;

    while (dir != NULL && found == NULL) {
        const size_t n = strcspn(dir, ":");
        found = in_folder(dir, n, name);
        dir = dir[n] == ':' ? dir + n + 1 : NULL;
    }
    return found;
}

char *program_find(const char *name, struct err *e)
{
    char *found = NULL;

    if (strchr(name, '/') != NULL) {
        if (runs(name)) {
            return mem_strdup(name);
        }
        (void)err_set(e, STATUS_USAGE, "%s: there is no such program", name);
        return NULL;
    }
    if (name[0] != '\0' && program_is_ours(name)) {
        found = beside_us(name);
    }
    if (found == NULL && name[0] != '\0') {
        found = in_path(name);
    }
    if (found == NULL) {
        (void)err_set(e, STATUS_USAGE, "there is no program \"%s\"%s in $PATH",
                      name, program_is_ours(name) ? " beside dpp-run or" : "");
    }
    return found;
}
