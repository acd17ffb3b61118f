/* CRC-32C (Castagnoli), as in RFC 3720 appendix B.4; with the processor's
 * instruction where it has one. crc32c(crc32c(0, a), b) == crc32c(0, ab). */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t seed, const void *, size_t n);

#endif
