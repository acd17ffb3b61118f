#include "base/rand.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* One call to the kernel fills a pool: an id costs no system call. */
static unsigned char pool[1024];
static size_t left;

/* Two processes must never draw from the same pool. */
static void forget(void)
{
    memset(pool, 0, sizeof pool);
    left = 0;
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget);
}

void rand_bytes(void *out, size_t n)
{
    unsigned char *p = out;

    while (n > 0) {
        if (left == 0) {
            size_t got = 0;
            while (got < sizeof pool) {
                const ssize_t r = getrandom(pool + got, sizeof pool - got, 0);
                got += r > 0 ? (size_t)r : 0;
            }
            left = sizeof pool;
        }
        const size_t k = n < left ? n : left;
        memcpy(p, pool + sizeof pool - left, k);
        memset(pool + sizeof pool - left, 0, k);
        left -= k;
        p += k;
        n -= k;
    }
}

uint64_t rand_below(uint64_t bound)
{
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t v;

    do {
        rand_bytes(&v, sizeof v);
    } while (v >= limit);
    return v % bound;
}

static char *hex(char *out, const unsigned char *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digit[p[i] >> 4];
        *out++ = digit[p[i] & 15];
    }
    *out = '\0';
    return out;
}

void rand_hex(char out[RAND_HEX])
{
    unsigned char b[16];

    rand_bytes(b, sizeof b);
    hex(out, b, sizeof b);
}

void rand_uuid7(uint64_t now_ms, char out[RAND_UUID])
{
    static uint64_t last_ms;
    static unsigned seq; /* 12 bits behind the time: order within it */
    unsigned char b[16];
    uint64_t ms = now_ms;

    if (ms <= last_ms) {
        ms = last_ms;
        if (++seq > 0xfff) {
            ms++;
            seq = 0;
        }
    } else {
        seq = 0;
    }
    last_ms = ms;
    rand_bytes(b, sizeof b);
    for (int i = 0; i < 6; i++) {
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    }
    b[6] = (unsigned char)(0x70 | (seq >> 8));
    b[7] = (unsigned char)seq;
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    char *p = out;
    static const unsigned char group[] = {4, 2, 2, 2, 6};
    const unsigned char *q = b;
    for (size_t i = 0; i < sizeof group; i++) {
        p = hex(p, q, group[i]);
        q += group[i];
        *p++ = '-';
    }
    p[-1] = '\0';
}
