#include "base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *data, size_t n)
{
    const unsigned char *p = data;
    char *q = buf_reserve(out, (n + 2) / 3 * 4);
    size_t i = 0;

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

static int value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *out, const char *p, size_t n)
{
    const size_t start = out->n;

    if (n % 4 != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i += 4) {
        const int pad = i + 4 < n         ? 0
                        : p[i + 2] == '=' ? 2
                        : p[i + 3] == '=' ? 1
                                          : 0;
        int v = 0;
        for (size_t k = 0; k < 4; k++) {
            const int d = value(p[i + k]);
            if (pad > 0 && k >= 4 - (size_t)pad) {
                if (p[i + k] != '=') {
                    goto bad;
                }
                v <<= 6;
            } else if (d < 0) {
                goto bad;
            } else {
                v = v << 6 | d;
            }
        }
        if (pad > 0 && (v & (pad == 1 ? 0xff : 0xffff)) != 0) {
            goto bad;
        }
        buf_putc(out, (char)(v >> 16));
        if (pad < 2) {
            buf_putc(out, (char)(v >> 8));
        }
        if (pad < 1) {
            buf_putc(out, (char)v);
        }
    }
    return 0;
bad:
    out->n = start;
    return -1;
}
