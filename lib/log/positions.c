/* A segment may hold 100,000 batches and more, and the sink waits for this
 * before it can say hi: so nothing is allocated for a name and a key that are
 * known, and keys are first looked for in the order of the last time. */
#include "log/positions.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/pos.h"

struct pair {
    struct buf key;
    struct buf value;
};

struct named {
    struct buf name;
    struct pair **pair; /* in the order of their first appearance */
    size_t n;
    size_t hint; /* the pair behind the one found last */
    struct map by_key;
};

void positions_init(struct positions *p)
{
    *p = (struct positions){0};
    map_init(&p->by_name);
}

static void named_free(struct named *n)
{
    for (size_t i = 0; i < n->n; i++) {
        buf_release(&n->pair[i]->key);
        buf_release(&n->pair[i]->value);
        free(n->pair[i]);
    }
    free(n->pair);
    map_release(&n->by_key);
    buf_release(&n->name);
    free(n);
}

void positions_release(struct positions *p)
{
    const struct map_slot *slot;
    size_t at = 0;

    while ((slot = map_next(&p->by_name, &at)) != NULL) {
        named_free(slot->value);
    }
    map_release(&p->by_name);
    *p = (struct positions){0};
}

static struct named *named_of(struct positions *p, struct slice name)
{
    if (p->last != NULL && slice_eq(buf_slice(&p->last->name), name)) {
        return p->last;
    }
    struct named *n = map_get(&p->by_name, name);
    if (n == NULL) {
        n = mem_new(sizeof *n);
        buf_append_slice(&n->name, name);
        map_init(&n->by_key);
        (void)map_put(&p->by_name, name, n);
    }
    p->last = n;
    return n;
}

static struct pair *pair_of(struct named *n, struct slice key)
{
    struct pair *p;

    if (n->hint >= n->n) {
        n->hint = 0;
    }
    if (n->n > 0 && slice_eq(buf_slice(&n->pair[n->hint]->key), key)) {
        return n->pair[n->hint++];
    }
    p = map_get(&n->by_key, key);
    if (p == NULL) {
        p = mem_new(sizeof *p);
        buf_append_slice(&p->key, key);
        (void)map_put(&n->by_key, key, p);
        n->pair = mem_resize(n->pair, (n->n + 1) * sizeof(struct pair *));
        n->pair[n->n++] = p;
    }
    return p;
}

static void merge(struct positions *p, struct slice name, struct slice pos)
{
    struct named *n = named_of(p, name);
    struct slice key;
    struct slice value;

    while (pos_next(&pos, &key, &value)) {
        struct pair *pair = pair_of(n, key);
        buf_clear(&pair->value);
        buf_append_slice(&pair->value, value);
    }
}

int positions_read(struct positions *p, struct segment *seg, uint64_t to,
                   struct err *e)
{
    struct batch b;

    if (p->serial != seg->head.serial) {
        positions_release(p);
        positions_init(p);
        p->serial = seg->head.serial;
        p->byte = FORMAT_SEGMENT;
    }
    if (segment_map(seg, to, e) < 0) {
        return -1;
    }
    while (p->byte < to) {
        if (batch_read(seg->map + p->byte, to - p->byte, p->byte, seg->head.tag,
                       &b) != 1) {
            return segment_damage(seg, p->byte, "no batch begins here", e);
        }
        if (b.pos.n > 0) {
            merge(p, b.name, b.pos);
        }
        p->byte = b.next;
    }
    return 0;
}

static void text_of(const struct named *n, struct buf *out)
{
    for (size_t i = 0; i < n->n; i++) {
        pos_put(out, buf_slice(&n->pair[i]->key),
                buf_slice(&n->pair[i]->value));
    }
    pos_seal(out);
}

void positions_text(const struct positions *p, struct slice name,
                    struct buf *out)
{
    const struct named *n = map_get(&p->by_name, name);

    if (n != NULL) {
        struct buf text;
        buf_init(&text);
        text_of(n, &text);
        buf_append_slice(out, buf_slice(&text));
        buf_release(&text);
    }
}

void positions_snapshot(const struct positions *p,
                        const struct segment_head *head, uint64_t time_ms,
                        struct buf *out)
{
    const struct map_slot *slot;
    struct buf text;
    struct buf batch;
    size_t at = 0;

    buf_init(&text);
    buf_init(&batch);
    while ((slot = map_next(&p->by_name, &at)) != NULL) {
        const struct batch place = {
            .at = out->n,
            .base = head->base,
            .time_ms = time_ms,
            .synced = out->n,
            .flags = BATCH_SNAPSHOT,
        };
        buf_clear(&text);
        text_of(slot->value, &text);
        batch_begin(&batch, (struct slice){slot->key, slot->n},
                    buf_slice(&text));
        batch_finish(&batch);
        batch_seal(&batch, &place, head->tag);
        buf_append_slice(out, buf_slice(&batch));
    }
    buf_release(&text);
    buf_release(&batch);
}
