#include "connector/find.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/share.h"

enum { NAME_LENGTH = 40 };

static bool name_valid(const char *name)
{
    const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return n > 0 && n <= NAME_LENGTH && name[n] == '\0';
}

/* Append "a, b, c": the connectors in the first place that has any. */
static void list_names(char *const place[], unsigned n, struct buf *out)
{
    for (unsigned i = 0; i < n && out->n == 0; i++) {
        struct dirent **entry = NULL;
        const int found = scandir(place[i], &entry, NULL, alphasort);
        for (int k = 0; k < found; k++) {
            const char *name = entry[k]->d_name;
            const size_t len = strlen(name);
            if (len > 5 && strcmp(name + len - 5, ".yaml") == 0) {
                buf_printf(out, "%s%.*s", out->n > 0 ? ", " : "", (int)len - 5,
                           name);
            }
            free(entry[k]);
        }
        free(entry);
    }
}

static void unknown(const char *name, char *const place[], unsigned n,
                    struct err *e)
{
    struct buf names;

    buf_init(&names);
    list_names(place, n, &names);
    if (names.n > 0) {
        (void)err_set(e, STATUS_CONFIG,
                      "no connector is called \"%.40s\"; there are %s", name,
                      buf_cstr(&names));
    } else {
        (void)err_set(e, STATUS_CONFIG,
                      "no connectors in %s; set DPP_SHARE to the folder "
                      "that has \"connectors\" in it",
                      place[0]);
    }
    buf_release(&names);
}

char *connector_find(const char *name, struct err *e)
{
    char *place[SHARE_PLACES];
    char *found = NULL;

    if (strchr(name, '/') != NULL) {
        return mem_strdup(name);
    }
    const unsigned n = share_places("connectors", place);
    for (unsigned i = 0; i < n && found == NULL && name_valid(name); i++) {
        found = mem_printf("%s/%s.yaml", place[i], name);
        if (access(found, F_OK) != 0) {
            free(found);
            found = NULL;
        }
    }
    if (found == NULL) {
        unknown(name, place, n, e);
    }
    for (unsigned i = 0; i < n; i++) {
        free(place[i]);
    }
    return found;
}
