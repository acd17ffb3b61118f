/* Times as text. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "unit.h"

static bool reads(uint64_t ms, const char *want)
{
    char text[CLOCK_TEXT];

    time_format(ms, text);
    if (strcmp(text, want) != 0) {
        printf("# %s instead of %s\n", text, want);
        return false;
    }
    return true;
}

/* As strftime() says it, and back. */
static bool agrees(uint64_t ms)
{
    const time_t s = (time_t)(ms / 1000);
    char text[CLOCK_TEXT];
    char want[64];
    uint64_t back;
    struct err e;
    struct tm t;

    (void)gmtime_r(&s, &t);
    const size_t n = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(want + n, sizeof want - n, ".%03uZ", (unsigned)(ms % 1000));
    time_format(ms, text);
    return reads(ms, want) && time_parse(text, &back, &e) == 0 && back == ms;
}

int main(void)
{
    bool all = true;

    unit_check(reads(0, "1970-01-01T00:00:00.000Z"), "the beginning");
    unit_check(reads(1795599599999, "2026-11-25T09:39:59.999Z"),
               "the last millisecond of a second");
    for (uint64_t ms = 951782399000; ms < 951782402000; ms += 7) {
        all &= agrees(ms);
    }
    unit_check(all, "each millisecond across a leap day's midnight");
    all = true;
    for (uint64_t i = 0; i < 20000; i++) {
        all &= agrees(i * 7919 * 7919 * 97 % 253402300800000);
    }
    unit_check(all, "times all over the calendar, there and back");
    unit_check(agrees(1000) && agrees(999) && agrees(1000) && agrees(86400000),
               "a time before the last one");
    return unit_end();
}
