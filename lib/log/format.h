/* The bytes of a segment: its head, batches and entries; dpp-log(5).
 *
 *     segment  head (64 bytes), snapshot batches, batches, zeros
 *     batch    head (64 bytes), name, pos, zeros to 8; entries, zeros to 8
 *     entry    u32 length, u32 partition, bytes
 *
 * Numbers are little-endian. Every batch begins with the tag of its segment,
 * 64 random bits that nobody outside can know: a payload cannot contain a
 * batch, and bytes that an older file left in a block are none. The head's CRC
 * is seeded with the batch's own place, so that a batch at another place is
 * none either. */
#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    FORMAT_SEGMENT = 64, /* the segment's head */
    FORMAT_HEAD = 64,    /* the fixed part of a batch's head */
    FORMAT_ENTRY = 8,
    FORMAT_BODY_MAX = 1 << 28,
};

enum { BATCH_SNAPSHOT = 1 };

struct segment_head {
    uint64_t base;   /* offset of the first record */
    uint64_t serial; /* 1, 2, 3 … in the life of the topic */
    uint64_t tag;    /* never 0 */
    uint64_t made_ms;
    uint32_t key;   /* id, of its records: cipher.h; 0: none */
    char topic[32]; /* the topic's id: hex digits */
};

void format_segment_write(char out[FORMAT_SEGMENT],
                          const struct segment_head *);

/* -1 if it is none. */
int format_segment_read(const char in[FORMAT_SEGMENT], struct segment_head *);

struct batch {
    uint64_t at;      /* byte in the segment */
    uint64_t next;    /* byte behind it */
    uint64_t base;    /* offset of its first record */
    uint64_t time_ms; /* since 1970, never falling within a topic */
    uint64_t synced;  /* all below this byte was synced when it was written */
    uint32_t count;
    uint32_t body_crc;
    uint16_t flags;
    struct slice name;
    struct slice pos;
    struct slice body; /* with its padding */
};

/* Build: batch_begin(), batch_entry() for each, then, when the place is known,
 * batch_seal(). out is cleared first. -1 if the body gets too long. */
void batch_begin(struct buf *out, struct slice name, struct slice pos);
/* Where its body begins. */
size_t batch_body(const struct buf *out);
int batch_entry(struct buf *out, uint32_t partition,
                const struct slice part[2]);
void batch_finish(struct buf *out);
void batch_seal(struct buf *out, const struct batch *place, uint64_t tag);

/* Look at the bytes at place `at` of a segment, of which there are n: 1 and
 * the batch (its head proved, its body not), 0 where no batch begins (the tag
 * is zero), -1 damage. Slices point into p. */
int batch_read(const char *p, uint64_t n, uint64_t at, uint64_t tag,
               struct batch *);
bool batch_body_good(const struct batch *);

/* Walk the entries of a proved body: start with *rest = body. False at the end
 * of the batch or if an entry does not fit. */
bool batch_entry_next(struct slice *rest, uint32_t *partition,
                      struct slice *data);

#endif
