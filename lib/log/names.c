#include "log/names.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_add(struct log_names *names, const char *name)
{
    names->v = mem_resize(names->v, (names->n + 1) * sizeof *names->v);
    names->v[names->n++] = mem_strdup(name);
}

void names_sort(struct log_names *names)
{
    if (names->n > 0) {
        qsort(names->v, names->n, sizeof *names->v, by_text);
    }
}

void log_names_release(struct log_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->v[i]);
    }
    free(names->v);
    *names = (struct log_names){0};
}

int names_of_folder(const char *dir, struct log_names *names, struct err *e)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    *names = (struct log_names){0};
    if (d == NULL) {
        return err_errno(e, STATUS_IO, "%s", dir);
    }
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] != '.') {
            names_add(names, entry->d_name);
        }
    }
    (void)closedir(d);
    names_sort(names);
    return 0;
}
