#include "log/format.h"

#include "base/crc.h"
#include "base/little.h"

/* Places in a batch's head. */
enum {
    TAG = 0,
    HEAD_CRC = 8,
    HEAD_LEN = 12, /* the head's CRC begins here */
    BODY_LEN = 16,
    BODY_CRC = 20,
    BASE = 24,
    TIME = 32,
    SYNCED = 40,
    COUNT = 48,
    POS_LEN = 52,
    NAME_LEN = 56,
    FLAGS = 58,
    SPARE = 60,
};

enum { HEAD_MAX = FORMAT_HEAD + (1 << 16) + (1 << 17) };

static const char MAGIC[8] = "dpplog1\n";

/* Layout: magic 8, base 8, serial 8, tag 8, made 8, topic 16, key 4, CRC 4.
 * The id's 32 hex digits are kept as 16 bytes. */
static unsigned nibble(char c)
{
    return (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0') & 15;
}

void format_segment_write(char out[FORMAT_SEGMENT],
                          const struct segment_head *h)
{
    memset(out, 0, FORMAT_SEGMENT);
    memcpy(out, MAGIC, sizeof MAGIC);
    put64(out + 8, h->base);
    put64(out + 16, h->serial);
    put64(out + 24, h->tag);
    put64(out + 32, h->made_ms);
    for (int i = 0; i < 16; i++) {
        out[40 + i] =
            (char)(nibble(h->topic[2 * i]) << 4 | nibble(h->topic[2 * i + 1]));
    }
    put32(out + 56, h->key);
    put32(out + 60, crc32c(0, out, 60));
}

int format_segment_read(const char in[FORMAT_SEGMENT], struct segment_head *h)
{
    if (memcmp(in, MAGIC, sizeof MAGIC) != 0 ||
        get32(in + 60) != crc32c(0, in, 60)) {
        return -1;
    }
    h->base = get64(in + 8);
    h->serial = get64(in + 16);
    h->tag = get64(in + 24);
    h->made_ms = get64(in + 32);
    h->key = get32(in + 56);
    for (int i = 0; i < 16; i++) {
        const unsigned char c = (unsigned char)in[40 + i];
        h->topic[2 * i] = "0123456789abcdef"[c >> 4];
        h->topic[2 * i + 1] = "0123456789abcdef"[c & 15];
    }
    return h->tag != 0 ? 0 : -1;
}

static void pad8(struct buf *b)
{
    static const char zeros[8];

    buf_append(b, zeros, -b->n & 7);
}

void batch_begin(struct buf *out, struct slice name, struct slice pos)
{
    buf_clear(out);
    memset(buf_reserve(out, FORMAT_HEAD), 0, FORMAT_HEAD);
    out->n = FORMAT_HEAD;
    buf_append_slice(out, name);
    buf_append_slice(out, pos);
    pad8(out);
    put32(out->p + HEAD_LEN, (uint32_t)out->n);
    put32(out->p + POS_LEN, (uint32_t)pos.n);
    put16(out->p + NAME_LEN, (uint16_t)name.n);
}

size_t batch_body(const struct buf *out)
{
    return get32(out->p + HEAD_LEN);
}

int batch_entry(struct buf *out, uint32_t partition, const struct slice part[2])
{
    const uint64_t n = part[0].n + part[1].n;
    char head[FORMAT_ENTRY];

    if (n > FORMAT_BODY_MAX || out->n + n > FORMAT_BODY_MAX) {
        return -1;
    }
    put32(head, (uint32_t)n);
    put32(head + 4, partition);
    buf_append(out, head, sizeof head);
    buf_append_slice(out, part[0]);
    buf_append_slice(out, part[1]);
    put32(out->p + COUNT, get32(out->p + COUNT) + 1);
    return 0;
}

void batch_finish(struct buf *out)
{
    const size_t head = batch_body(out);

    pad8(out);
    put32(out->p + BODY_LEN, (uint32_t)(out->n - head));
    put32(out->p + BODY_CRC, crc32c(0, out->p + head, out->n - head));
}

static uint32_t head_crc(const char *p, uint32_t head_len, uint64_t at)
{
    char place[8];

    put64(place, at);
    return crc32c(crc32c(0, place, sizeof place), p + HEAD_LEN,
                  head_len - HEAD_LEN);
}

void batch_seal(struct buf *out, const struct batch *b, uint64_t tag)
{
    char *p = out->p;

    put64(p + TAG, tag);
    put64(p + BASE, b->base);
    put64(p + TIME, b->time_ms);
    put64(p + SYNCED, b->synced);
    put16(p + FLAGS, b->flags);
    put32(p + HEAD_CRC, head_crc(p, get32(p + HEAD_LEN), b->at));
}

int batch_read(const char *p, uint64_t n, uint64_t at, uint64_t tag,
               struct batch *b)
{
    if (n < 8 || get64(p + TAG) == 0) {
        return n == 0 || n >= 8 ? 0 : -1;
    }
    if (n < FORMAT_HEAD || get64(p + TAG) != tag) {
        return -1;
    }
    const uint32_t head_len = get32(p + HEAD_LEN);
    const uint32_t body_len = get32(p + BODY_LEN);
    if (head_len < FORMAT_HEAD || head_len > HEAD_MAX || head_len % 8 != 0 ||
        body_len % 8 != 0 || (uint64_t)head_len + body_len > n ||
        get32(p + HEAD_CRC) != head_crc(p, head_len, at)) {
        return -1;
    }
    b->name = (struct slice){p + FORMAT_HEAD, get16(p + NAME_LEN)};
    b->pos = (struct slice){b->name.p + b->name.n, get32(p + POS_LEN)};
    if (FORMAT_HEAD + (uint64_t)b->name.n + b->pos.n > head_len) {
        return -1;
    }
    b->at = at;
    b->next = at + head_len + body_len;
    b->base = get64(p + BASE);
    b->time_ms = get64(p + TIME);
    b->synced = get64(p + SYNCED);
    b->count = get32(p + COUNT);
    b->flags = get16(p + FLAGS);
    b->body = (struct slice){p + head_len, body_len};
    b->body_crc = get32(p + BODY_CRC);
    return 1;
}

bool batch_body_good(const struct batch *b)
{
    return crc32c(0, b->body.p, b->body.n) == b->body_crc;
}

bool batch_entry_next(struct slice *rest, uint32_t *partition,
                      struct slice *data)
{
    if (rest->n < FORMAT_ENTRY) {
        return false;
    }
    const uint32_t n = get32(rest->p);
    if (n > rest->n - FORMAT_ENTRY) {
        return false;
    }
    *partition = get32(rest->p + 4);
    *data = (struct slice){rest->p + FORMAT_ENTRY, n};
    rest->p += FORMAT_ENTRY + n;
    rest->n -= FORMAT_ENTRY + n;
    return true;
}
