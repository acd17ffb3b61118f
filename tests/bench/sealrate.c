/* sealrate KEY BYTES: how fast events of so many bytes of data are sealed under
 * vault:KEY, line to line, and what libsodium alone takes for the same bytes,
 * which are 3 more. Prints two rates in MB/s, taken in turn. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "seal/sealer.h"

enum { TURNS = 15, TURN_US = 20000, BATCH = 64 };

struct bench {
    struct sealer *sealer;
    struct event ev;
    struct buf out;
    unsigned char *bytes; /* for libsodium */
    size_t n;
    struct err e;
};

static void seal(struct bench *b)
{
    if (sealer_seal(b->sealer, &b->ev, &b->out, &b->e) != SEALER_LINE) {
        exit(1);
    }
}

static void sodium(struct bench *b)
{
    static unsigned char nonce[24];
    static const unsigned char key[32];

    sodium_increment(nonce, sizeof nonce);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        b->bytes, NULL, b->bytes, b->n + 3, nonce, 16, NULL, nonce, key);
}

/* MB/s of one turn. */
static double rate(struct bench *b, void (*work)(struct bench *))
{
    const clock_t start = clock();
    clock_t took;
    size_t n = 0;

    do {
        for (int i = 0; i < BATCH; i++) {
            work(b);
        }
        n += BATCH * b->n;
        took = clock() - start; /* of our own: others run too */
    } while (took < TURN_US);
    return (double)n / (double)took * CLOCKS_PER_SEC / 1e6;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static int run(struct bench *b, const char *ref, struct err *e)
{
    const struct sealer_options o = {.seal = {&ref, 1}};
    double rates[2][TURNS];
    struct buf line = {0};
    bool reordered;

    buf_puts(&line, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\","
                    "\"type\":\"t\",\"data\":\"");
    for (size_t i = 0; i + 2 < b->n; i++) {
        buf_putc(&line, "abcdefghijklmnopqrstuvwxyz"[i % 26]);
    }
    buf_puts(&line, "\"}");
    b->sealer = sealer_new(&o, e);
    if (b->sealer == NULL || sealer_start(b->sealer, e) < 0 ||
        event_parse(&b->ev, buf_slice(&line), &reordered, e) < 0) {
        return -1;
    }
    for (int i = 0; i < TURNS; i++) {
        rates[0][i] = rate(b, sodium);
        rates[1][i] = rate(b, seal);
    }
    for (int i = 0; i < 2; i++) {
        qsort(rates[i], TURNS, sizeof(double), by_value);
    }
    (void)printf("%.1f %.1f\n", rates[0][TURNS / 2], rates[1][TURNS / 2]);
    buf_release(&line);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct err e;

    msg_init("sealrate");
    if (argc != 3 || sodium_init() < 0) {
        return STATUS_USAGE;
    }
    b.n = strtoul(argv[2], NULL, 10);
    b.bytes = mem_alloc(b.n + 64);
    char *ref = mem_printf("vault:%s", argv[1]);
    const int rc = run(&b, ref, &e);
    if (rc < 0) {
        msg_err(&e);
    }
    sealer_free(b.sealer);
    buf_release(&b.out);
    free(b.bytes);
    free(ref);
    return rc < 0 ? e.status : 0;
}
