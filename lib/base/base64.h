/* Base 64 of RFC 4648 section 4, with padding. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

void base64_encode(struct buf *out, const void *p, size_t n);

/* Appends the bytes; -1 (out unchanged) if the text is not valid. */
int base64_decode(struct buf *out, const char *p, size_t n);

#endif
