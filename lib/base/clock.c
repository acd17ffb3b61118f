#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

static uint64_t now_us(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_us(void)
{
    return now_us(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_wall_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int duration_parse(const char *text, uint64_t *ms, struct err *e)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"", 1000},      {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    char *end;

    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    if (isdigit((unsigned char)text[0]) && errno == 0) {
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (strcmp(end, units[i].unit) == 0 &&
                n <= 3155760000000ULL / units[i].ms) {
                *ms = n * units[i].ms;
                return 0;
            }
        }
    }
    return err_set(e, STATUS_USAGE,
                   "\"%s\" is no duration (30s, 250ms, 5m, 1h, 7d)", text);
}

static int digits(const char **p, int n, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)(*p)[i])) {
            return -1;
        }
        v = v * 10 + (*p)[i] - '0';
    }
    *p += n;
    *out = v;
    return 0;
}

static int fraction(const char **p)
{
    int ms = 0;
    int scale = 100;

    for (++*p; isdigit((unsigned char)**p); ++*p) {
        ms += (**p - '0') * scale;
        scale /= 10;
    }
    return ms;
}

static int zone(const char **p, int *minutes)
{
    int h;
    int m;

    *minutes = 0;
    if (**p == 'Z' || **p == 'z') {
        ++*p;
        return 0;
    }
    const int sign = **p == '-' ? -1 : 1;
    if (**p != '+' && **p != '-') {
        return -1;
    }
    ++*p;
    if (digits(p, 2, &h) < 0 || **p != ':') {
        return -1;
    }
    ++*p;
    if (digits(p, 2, &m) < 0) {
        return -1;
    }
    *minutes = sign * (h * 60 + m);
    return 0;
}

int time_parse(const char *text, uint64_t *ms, struct err *e)
{
    const char *p = text;
    struct tm t = {0};
    int milli = 0;
    int minutes = 0;

    if (digits(&p, 4, &t.tm_year) < 0 || *p++ != '-' ||
        digits(&p, 2, &t.tm_mon) < 0 || *p++ != '-' ||
        digits(&p, 2, &t.tm_mday) < 0 ||
        (*p != 'T' && *p != 't' && *p != ' ')) {
        goto bad;
    }
    p++;
    if (digits(&p, 2, &t.tm_hour) < 0 || *p++ != ':' ||
        digits(&p, 2, &t.tm_min) < 0) {
        goto bad;
    }
    if (*p == ':') {
        p++;
        if (digits(&p, 2, &t.tm_sec) < 0) {
            goto bad;
        }
        if (*p == '.') {
            milli = fraction(&p);
        }
    }
    if (zone(&p, &minutes) < 0 || *p != '\0' || t.tm_mon < 1 || t.tm_mon > 12 ||
        t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour > 23 || t.tm_min > 59 ||
        t.tm_sec > 60) {
        goto bad;
    }
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    const time_t s = timegm(&t) - (time_t)minutes * 60;
    if (s < 0) {
        goto bad;
    }
    *ms = (uint64_t)s * 1000 + (uint64_t)milli;
    return 0;
bad:
    return err_set(e, STATUS_USAGE, "\"%s\" is no time (2026-11-20T00:00Z)",
                   text);
}

static char *put_digits(char *p, unsigned v, int n, char behind)
{
    for (int i = n - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    p[n] = behind;
    return p + n + 1;
}

/* Each event that comes in has a time, and strftime() costs as much as all
 * else in its line: only gmtime_r() is left, once per second and thread. */
void time_format(uint64_t ms, char out[CLOCK_TEXT])
{
    static _Thread_local char text[20]; /* up to the second … */
    static _Thread_local uint64_t text_s = UINT64_MAX; /* … this one */
    const uint64_t s = ms / 1000;
    struct tm t;

    if (s != text_s) {
        const time_t when = (time_t)s;
        (void)gmtime_r(&when, &t);
        char *p = put_digits(text, (unsigned)t.tm_year + 1900, 4, '-');
        p = put_digits(p, (unsigned)t.tm_mon + 1, 2, '-');
        p = put_digits(p, (unsigned)t.tm_mday, 2, 'T');
        p = put_digits(p, (unsigned)t.tm_hour, 2, ':');
        p = put_digits(p, (unsigned)t.tm_min, 2, ':');
        (void)put_digits(p, (unsigned)t.tm_sec, 2, '.');
        text_s = s;
    }
    memcpy(out, text, sizeof text);
    *put_digits(out + sizeof text, (unsigned)(ms % 1000), 3, 'Z') = '\0';
}
