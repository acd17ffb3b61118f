#include "record/start.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

int start_parse(struct start *s, const char *text, struct err *e)
{
    char *end;

    if (text == NULL || strcmp(text, "beginning") == 0) {
        *s = (struct start){START_BEGINNING, 0};
        return 0;
    }
    if (strcmp(text, "end") == 0) {
        *s = (struct start){START_END, 0};
        return 0;
    }
    const bool back = text[0] == '-';
    errno = 0;
    s->value = strtoull(text + back, &end, 10);
    if (isdigit((unsigned char)text[back]) && *end == '\0' && errno == 0) {
        s->from = back ? START_BACK : START_OFFSET;
        return 0;
    }
    s->from = START_TIME;
    if (time_parse(text, &s->value, e) < 0) {
        return err_set(e, STATUS_USAGE,
                       "-o \"%s\": not beginning, end, N, -N or a time like "
                       "2026-11-20T00:00Z",
                       text);
    }
    return 0;
}
