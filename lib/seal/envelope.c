#include "seal/envelope.h"

#include "base/little.h"
#include "vault/ring.h"

static const char magic[] = "dps1";
static const char label[] = "dpp-seal 1"; /* with its NUL */

enum { MAGIC = sizeof magic - 1, NAME_MAX_BYTES = 64 };

size_t envelope_begin(struct buf *b, enum envelope_form form, struct slice name,
                      const void *id, const void *nonce)
{
    buf_append(b, magic, MAGIC);
    buf_putc(b, (char)form);
    buf_putc(b, (char)name.n);
    buf_append_slice(b, name);
    buf_append(b, id, RING_ID);
    buf_append(b, nonce, KEYS_NONCE);
    return MAGIC + 2 + name.n + RING_ID;
}

bool envelope_parse(struct envelope *v, struct slice s)
{
    if (s.n < MAGIC + 2 || memcmp(s.p, magic, MAGIC) != 0) {
        return false;
    }
    v->form = (unsigned char)s.p[MAGIC];
    v->name = (struct slice){s.p + MAGIC + 2, (unsigned char)s.p[MAGIC + 1]};
    v->head = (struct slice){s.p, MAGIC + 2 + v->name.n + RING_ID};
    if ((v->form != ENVELOPE_KEY && v->form != ENVELOPE_SUBJECT) ||
        v->name.n == 0 || v->name.n > NAME_MAX_BYTES ||
        s.n < v->head.n + KEYS_NONCE + KEYS_TAG) {
        return false;
    }
    v->id = v->name.p + v->name.n;
    v->nonce = s.p + v->head.n;
    v->sealed =
        (struct slice){v->nonce + KEYS_NONCE, s.n - v->head.n - KEYS_NONCE};
    return true;
}

static void put_text(struct buf *b, struct slice s)
{
    put32(buf_reserve(b, 4), (uint32_t)s.n);
    b->n += 4;
    buf_append_slice(b, s);
}

void envelope_bind(struct buf *b, struct slice head,
                   const struct envelope_place *at)
{
    buf_clear(b);
    buf_append(b, label, sizeof label);
    buf_append_slice(b, head);
    put_text(b, at->source);
    put_text(b, at->id);
    put_text(b, at->subject);
    put_text(b, at->path);
}
