#include "base/base64.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#if defined(__x86_64__)
/* 24 bytes into 32 letters at a time: 6 bits into each byte by multiplication,
 * and the distance of each to its letter by a table of the five ranges. Returns
 * how many bytes it took. */
__attribute__((target("avx2"))) static size_t
encode_wide(const unsigned char *p, size_t n, char *q)
{
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
    const __m256i distance = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
        '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0));
    size_t i = 0;

    for (; n - i >= 28; i += 24, q += 32) {
        const __m128i low = _mm_loadu_si128((const void *)(p + i));
        const __m128i high = _mm_loadu_si128((const void *)(p + i + 12));
        const __m256i in =
            _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order);
        const __m256i odd = _mm256_mulhi_epu16(
            _mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)),
            _mm256_set1_epi32(0x04000040));
        const __m256i even = _mm256_mullo_epi16(
            _mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)),
            _mm256_set1_epi32(0x01000010));
        const __m256i six = _mm256_or_si256(odd, even);
        const __m256i capital = _mm256_and_si256(
            _mm256_cmpgt_epi8(_mm256_set1_epi8(26), six), _mm256_set1_epi8(13));
        const __m256i range = _mm256_or_si256(
            _mm256_subs_epu8(six, _mm256_set1_epi8(51)), capital);
        _mm256_storeu_si256(
            (void *)q,
            _mm256_add_epi8(six, _mm256_shuffle_epi8(distance, range)));
    }
    return i;
}
#endif

void base64_encode(struct buf *out, const void *data, size_t n)
{
    const unsigned char *p = data;
    char *q = buf_reserve(out, (n + 2) / 3 * 4);
    size_t i = 0;

#if defined(__x86_64__)
    if (n >= 28 && __builtin_cpu_supports("avx2")) {
        i = encode_wide(p, n, q);
        q += i / 3 * 4;
    }
#endif
    for (; i + 2 < n; i += 3, q += 4) {
        const unsigned v =
            (unsigned)p[i] << 16 | (unsigned)p[i + 1] << 8 | (unsigned)p[i + 2];
        q[0] = alphabet[v >> 18];
        q[1] = alphabet[v >> 12 & 63];
        q[2] = alphabet[v >> 6 & 63];
        q[3] = alphabet[v & 63];
    }
    if (i < n) {
        const unsigned v =
            (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0);
        q[0] = alphabet[v >> 18];
        q[1] = alphabet[v >> 12 & 63];
        q[2] = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        q[3] = '=';
    }
    out->n += (n + 2) / 3 * 4;
}

/* The six bits of a letter, or 64. */
static const uint8_t six[256] = {
#define NONE4  64, 64, 64, 64
#define NONE16 NONE4, NONE4, NONE4, NONE4
    NONE16, NONE16, NONE4,  NONE4,  64,     64,     64,     62,
    64,     64,     64,     63, /* + / */
    52,     53,     54,     55,     56,     57,     58,     59,
    60,     61,     64,     64,     NONE4, /* 0 to 9 */
    64,     0,      1,      2,      3,      4,      5,      6,
    7,      8,      9,      10,     11,     12,     13,     14, /* A */
    15,     16,     17,     18,     19,     20,     21,     22,
    23,     24,     25,     64,     NONE4,  64,     26,     27,
    28,     29,     30,     31,     32,     33,     34,     35,
    36,     37,     38,     39,     40, /* a */
    41,     42,     43,     44,     45,     46,     47,     48,
    49,     50,     51,     64,     NONE4,  NONE16, NONE16, NONE16,
    NONE16, NONE16, NONE16, NONE16, NONE16,
#undef NONE4
#undef NONE16
};

static unsigned value(char c)
{
    return six[(unsigned char)c];
}

/* The last four, of which one or two may be '='. Bytes, or -1. */
static int decode_last(const char *p, char *q)
{
    const int pad = p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
    unsigned v = 0;

    for (int k = 0; k < 4; k++) {
        const unsigned d = k < 4 - pad ? value(p[k]) : 0;
        if (d > 63) {
            return -1;
        }
        v = v << 6 | d;
    }
    if ((v & (pad == 0 ? 0 : pad == 1 ? 0xffU : 0xffffU)) != 0) {
        return -1;
    }
    for (int k = 0; k < 3 - pad; k++) {
        q[k] = (char)(v >> (16 - 8 * k));
    }
    return 3 - pad;
}

int base64_decode(struct buf *out, const char *p, size_t n)
{
    char *q = buf_reserve(out, n / 4 * 3 + 1);
    unsigned bad = 0;

    if (n % 4 != 0) {
        return -1;
    }
    for (; n > 4; n -= 4, p += 4, q += 3) {
        const unsigned a = value(p[0]);
        const unsigned b = value(p[1]);
        const unsigned c = value(p[2]);
        const unsigned d = value(p[3]);
        const unsigned v = a << 18 | b << 12 | c << 6 | d;
        bad |= a | b | c | d;
        q[0] = (char)(v >> 16);
        q[1] = (char)(v >> 8);
        q[2] = (char)v;
    }
    const int last = n > 0 ? decode_last(p, q) : 0;
    if (bad > 63 || last < 0) {
        return -1;
    }
    out->n = (size_t)(q - out->p) + (size_t)last;
    return 0;
}
