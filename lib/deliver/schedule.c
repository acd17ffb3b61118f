#include "deliver/schedule.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    HOUR_MS = 3600 * 1000,
    STEP_MAX_MS = 7 * 24 * HOUR_MS,
    STEP_TEXT = 32,
};

static int parse_step(struct schedule *s, const char *p, size_t n,
                      struct err *e)
{
    char step[STEP_TEXT];
    uint64_t ms;

    if (s->n == SCHEDULE_STEPS || n >= sizeof step) {
        return err_set(e, STATUS_USAGE, "at most %d steps", SCHEDULE_STEPS);
    }
    memcpy(step, p, n);
    step[n] = '\0';
    if (duration_parse(step, &ms, e) < 0) {
        e->status = STATUS_USAGE;
        return -1;
    }
    if (ms == 0 || ms > STEP_MAX_MS) {
        return err_set(e, STATUS_USAGE, "\"%s\" is not within 1ms and 7d",
                       step);
    }
    s->ceiling_ms[s->n++] = ms;
    return 0;
}

int schedule_parse(struct schedule *s, const char *text, struct err *e)
{
    size_t n = strlen(text);

    *s = (struct schedule){0};
    if (n > 0 && text[n - 1] == '*') {
        s->repeat = true;
        n--;
    }
    for (size_t at = 0; at <= n;) {
        const char *comma = memchr(text + at, ',', n - at);
        const size_t end = comma != NULL ? (size_t)(comma - text) : n;
        if (parse_step(s, text + at, end - at, e) < 0) {
            return err_wrap(e, "--retry %s", text);
        }
        at = end + 1;
    }
    return 0;
}

bool schedule_ceiling(const struct schedule *s, uint64_t tries, uint64_t *ms)
{
    if (tries > s->n && !s->repeat) {
        return false;
    }
    *ms = s->ceiling_ms[tries > s->n ? s->n - 1 : tries > 0 ? tries - 1 : 0];
    return true;
}

static bool parse_seconds(const char *p, uint64_t *ms)
{
    uint64_t n = 0;

    if (*p < '0' || *p > '9') {
        return false;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        n = n < HOUR_MS ? n * 10 + (uint64_t)(*p - '0') : n;
    }
    *ms = n * 1000 < HOUR_MS ? n * 1000 : HOUR_MS;
    return p[strspn(p, " \t")] == '\0';
}

static bool parse_date(const char *text, uint64_t now_ms, uint64_t *ms)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %d %H:%M:%S %Y",
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || end[strspn(end, " \t")] != '\0') {
            continue;
        }
        const time_t t = timegm(&tm);
        const uint64_t then_ms = t > 0 ? (uint64_t)t * 1000 : 0;
        const uint64_t wait = then_ms > now_ms ? then_ms - now_ms : 0;
        *ms = wait < HOUR_MS ? wait : HOUR_MS;
        return true;
    }
    return false;
}

bool schedule_retry_after(const char *text, uint64_t now_ms, uint64_t *ms)
{
    text += strspn(text, " \t");
    return parse_seconds(text, ms) || parse_date(text, now_ms, ms);
}
