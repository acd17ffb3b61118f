/* For unit tests: each check prints one line that says what holds or does not;
 * the program ends with unit_end(). */
#ifndef UNIT_H
#define UNIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static unsigned unit_failed;

__attribute__((format(printf, 2, 3), unused)) static bool
unit_check(bool good, const char *fmt, ...)
{
    va_list ap;

    unit_failed += !good;
    (void)fputs(good ? "ok - " : "not ok - ", stdout);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)putchar('\n');
    return good;
}

__attribute__((unused)) static int unit_end(void)
{
    (void)fflush(stdout);
    return unit_failed > 0;
}

#endif
