#include "base/crc.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
hardware(uint32_t crc, const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t c = crc;

    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        c = _mm_crc32_u64(c, v);
    }
    uint32_t c32 = (uint32_t)c;
    for (; n > 0; n--) {
        c32 = _mm_crc32_u8(c32, *p++);
    }
    return c32;
}

static bool have_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#else
static uint32_t hardware(uint32_t crc, const void *data, size_t n)
{
    (void)data;
    (void)n;
    return crc;
}

static bool have_hardware(void)
{
    return false;
}
#endif

static uint32_t software(uint32_t crc, const void *data, size_t n)
{
    static uint32_t table[256];
    const unsigned char *p = data;

    if (table[1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) {
                c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78U : c >> 1;
            }
            table[i] = c;
        }
    }
    for (; n > 0; n--) {
        crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
    }
    return crc;
}

uint32_t crc32c(uint32_t seed, const void *data, size_t n)
{
    const uint32_t start = ~seed;

    return ~(have_hardware() ? hardware(start, data, n)
                             : software(start, data, n));
}
