/* A main() for fuzz targets where no fuzzing engine brings one: it runs the
 * files that are given as arguments through LLVMFuzzerTestOneInput(), so that
 * "make test" replays a corpus. */
#ifndef FUZZ_REPLAY_H
#define FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Stop here: what holds for every input does not hold for this one. */
#define FUZZ_MUST(condition)                                                   \
    do {                                                                       \
        if (!(condition)) {                                                    \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,           \
                          #condition);                                         \
            abort();                                                           \
        }                                                                      \
    } while (0)

#ifndef DPP_LIBFUZZER
static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t cap = 65536;
    size_t n = 0;
    uint8_t *p = malloc(cap);

    if (f == NULL || p == NULL) {
        perror(path);
        free(p);
        return 1;
    }
    for (size_t got; (got = fread(p + n, 1, cap - n, f)) > 0;) {
        n += got;
        if (n == cap) {
            cap *= 2;
            p = realloc(p, cap);
            if (p == NULL) {
                abort();
            }
        }
    }
    (void)fclose(f);
    /* Memory of just this size, so that a sanitizer sees a look beyond. */
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, p, n);
    free(p);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    int rc = 0;

    for (int i = 1; i < argc; i++) {
        rc |= replay_file(argv[i]);
    }
    return rc;
}
#endif

#endif
