#include "base/share.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* The folder of the running program; caller frees. */
static char *program_folder(void)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    if (n <= 0) {
        return mem_strdup(".");
    }
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return mem_strdup(path);
}

unsigned share_places(const char *folder, char *place[SHARE_PLACES])
{
    static const char *const beside[] = {"../share/dpp", "../../share",
                                         "../../../share"};
    const char *env = getenv("DPP_SHARE");
    unsigned n = 0;

    if (env != NULL && *env != '\0') {
        place[n++] = mem_printf("%s/%s", env, folder);
        return n;
    }
    char *here = program_folder();
    for (unsigned i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        place[n++] = mem_printf("%s/%s/%s", here, beside[i], folder);
    }
    free(here);
    place[n++] = mem_printf("%s/%s", DPP_SHARE, folder);
    return n;
}
