#include "deliver/rate.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { NS = 1000, RATE_MAX = 1000 * 1000 };

static const uint64_t SECOND_NS = 1000 * 1000 * 1000;
static const uint64_t BURST_NS = 100 * 1000 * 1000;

static uint64_t period_ns(const char *unit)
{
    return unit[0] == '\0' || strcmp(unit, "/s") == 0 ? SECOND_NS
           : strcmp(unit, "/m") == 0                  ? 60 * SECOND_NS
           : strcmp(unit, "/h") == 0                  ? 3600 * SECOND_NS
                                                      : 0;
}

int rate_parse(struct rate *r, const char *text, struct err *e)
{
    const size_t digits = strspn(text, "0123456789");
    const uint64_t n = digits > 0 && digits <= 7 ? strtoull(text, NULL, 10) : 0;
    const uint64_t period = period_ns(text + digits);

    if (n == 0 || n > RATE_MAX || period == 0) {
        return err_set(e, STATUS_USAGE,
                       "--rate %s: write it as 10/s, 100/m or 1000/h, from 1 "
                       "to %d",
                       text, RATE_MAX);
    }
    *r = (struct rate){.every_ns = period / n};
    if (BURST_NS > r->every_ns) {
        r->slack_ns = BURST_NS - r->every_ns;
    }
    return 0;
}

uint64_t rate_next_us(const struct rate *r)
{
    return r->next_ns > r->slack_ns ? (r->next_ns - r->slack_ns + NS - 1) / NS
                                    : 0;
}

void rate_sent(struct rate *r, uint64_t now_us)
{
    const uint64_t now = now_us * NS;

    if (r->every_ns > 0) {
        r->next_ns = (r->next_ns > now ? r->next_ns : now) + r->every_ns;
    }
}
