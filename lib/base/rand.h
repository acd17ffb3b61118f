/* Random bits from the kernel. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

enum { RAND_HEX = 33, RAND_UUID = 37 };

void rand_bytes(void *, size_t n);

/* Uniform in [0, bound); bound > 0. */
uint64_t rand_below(uint64_t bound);

/* 128 bits as 32 lower-case hex digits and a NUL. */
void rand_hex(char out[RAND_HEX]);

/* A UUID of version 7 (RFC 9562), of milliseconds since 1970: ids made later in
 * one process are greater. */
void rand_uuid7(uint64_t now_ms, char out[RAND_UUID]);

#endif
