/* Lines of any length through any cutting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rand.h"
#include "stage/lines.h"
#include "unit.h"

struct seen {
    size_t lines;
    size_t longs;
    size_t bytes;
    char why[160];
};

static int feed(const char *text, size_t n, size_t step)
{
    int fds[2];

    if (pipe(fds) < 0) {
        abort();
    }
    if (fork() == 0) {
        (void)close(fds[0]);
        for (size_t i = 0; i < n; i += step) {
            const size_t k = n - i < step ? n - i : step;
            if (write(fds[1], text + i, k) != (ssize_t)k) {
                _exit(1);
            }
        }
        _exit(0);
    }
    (void)close(fds[1]);
    return fds[0];
}

static struct seen read_all(const char *text, size_t n, size_t step, size_t max,
                            bool whole)
{
    struct lines l;
    struct slice line;
    struct err e;
    struct seen seen = {0};
    char why[160];

    lines_init(&l, feed(text, n, step), max);
    while (!l.eof && lines_fill(&l, &e) >= 0) {
        while (lines_next(&l, &line, whole, why) == 1) {
            seen.lines++;
            seen.bytes += line.n;
            if (why[0] != '\0') {
                seen.longs++;
                memcpy(seen.why, why, sizeof why);
            }
        }
    }
    (void)close(l.fd);
    lines_release(&l);
    return seen;
}

int main(void)
{
    static const size_t steps[] = {1, 7, 4096, 1000000};
    static const char text[] = "a\n\nbcd\nlast";

    for (size_t i = 0; i < 4; i++) {
        const struct seen s =
            read_all(text, strlen(text), steps[i], 100000, false);
        unit_check(s.lines == 4 && s.bytes == 8,
                   "pieces of %zu: a last line without its end counts",
                   steps[i]);
        const struct seen t =
            read_all(text, strlen(text), steps[i], 100000, true);
        unit_check(t.lines == 3, "pieces of %zu: in protocol mode it does not",
                   steps[i]);
    }
    const size_t n = 3000000;
    char *big = malloc(n + 8);
    memset(big, 'x', n);
    memcpy(big + n, "\nnext\n", 6);
    char same[160] = "";
    for (size_t i = 1; i < 4; i++) {
        const struct seen s = read_all(big, n + 6, steps[i], 100000, false);
        unit_check(s.lines == 2 && s.longs == 1 && s.bytes == LINES_KEEP + 4 &&
                       strstr(s.why, "3000000 bytes") != NULL &&
                       (same[0] == '\0' || strcmp(same, s.why) == 0),
                   "pieces of %zu: a long line is cut and digested, and the "
                   "next one is whole",
                   steps[i]);
        memcpy(same, s.why, sizeof same);
    }
    /* by another implementation: Python's hashlib */
    unit_check(strstr(same, "e55b8bdf621ddaa8f462c74745db9680"
                            "d3bb7536a9cf854f8d6668b34a287890") != NULL,
               "the digest is SHA-256");
    free(big);
    return unit_end();
}
