#include "vault/show.h"

#include <string.h>

#include "base/clock.h"
#include "vault/kind.h"

static const char *day(uint64_t ms, const char *none, char out[CLOCK_TEXT])
{
    if (ms == 0) {
        return none;
    }
    time_format(ms, out);
    (void)strcpy(out + strcspn(out, ".Z"), "Z");
    return out;
}

void show_entries(const struct vault *v, FILE *out)
{
    const struct format *f = vault_list(v);
    char text[4][CLOCK_TEXT];

    (void)fprintf(out, "%-24s %-8s %-20s %-20s %-20s %s\n", "NAME", "KIND",
                  "CREATED", "ROTATED", "EXPIRES", "USED");
    for (size_t i = 0; i < f->n; i++) {
        const struct format_entry *en = &f->entry[i];
        const struct kind *k = kind_of(en->kind);
        (void)fprintf(
            out, "%-24s %-8s %-20s %-20s %-20s %s\n", en->name,
            k != NULL ? k->name : "?", day(en->created, "-", text[0]),
            day(en->rotated, "never", text[1]),
            day(en->expires, "never", text[2]),
            day(vault_used(vault_name(v), en->name), "never", text[3]));
    }
}
