/* The main() of a fuzzer in make test: each file of its corpus, once. */
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    struct buf b;
    struct err e;

    msg_init(argv[0]);
    buf_init(&b);
    for (int i = 1; i < argc; i++) {
        buf_clear(&b);
        if (file_read(argv[i], 1 << 26, &b, &e) < 0) {
            msg_err(&e);
            return e.status;
        }
        /* A copy of its own size, so that a read behind it is found. */
        struct buf exact;
        buf_init(&exact);
        buf_append(&exact, b.p, b.n);
        buf_shrink(&exact, b.n);
        if (LLVMFuzzerTestOneInput((const uint8_t *)exact.p, exact.n) != 0) {
            (void)fprintf(stderr, "%s: refused by the fuzzer\n", argv[i]);
            return 1;
        }
        buf_release(&exact);
    }
    buf_release(&b);
    return 0;
}
