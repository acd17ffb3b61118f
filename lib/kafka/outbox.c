#include "kafka/outbox.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/producer.h"

enum { KEEP = 1 << 20 };

static const size_t null = SIZE_MAX;

struct kafka_waiting {
    size_t at; /* of the key, in bytes; then the value */
    size_t key;
    size_t value; /* their lengths, or null */
    size_t size;  /* with the headers */
    int64_t time_ms;
    int64_t hash; /* for the partition, or -1: the key chooses it */
    struct rd_kafka_headers_s *headers; /* NULL: sent */
};

/* --- in ----------------------------------------------------------------- */

static size_t put(struct buf *b, struct slice s)
{
    buf_append_slice(b, s);
    return s.p != NULL ? s.n : null;
}

static size_t size_of(const struct kafka_record *r)
{
    size_t n = r->key.n + r->value.n;

    for (size_t i = 0; i < r->n; i++) {
        n += r->headers[i].name.n + r->headers[i].value.n;
    }
    return n;
}

void kafka_outbox_add(struct kafka_outbox *o, const struct kafka_record *r,
                      int64_t hash)
{
    if (o->n == o->cap) {
        o->cap = o->cap > 0 ? o->cap * 2 : 256;
        o->v = mem_resize(o->v, o->cap * sizeof *o->v);
    }
    struct kafka_waiting *w = &o->v[o->n++];
    w->at = o->bytes.n;
    w->key = put(&o->bytes, r->key);
    w->value = put(&o->bytes, r->value);
    w->size = size_of(r);
    w->time_ms = r->time_ms;
    w->hash = hash;
    w->headers = kafka_headers_of(r);
    o->size += w->size;
}

size_t kafka_outbox_cut(struct kafka_outbox *o)
{
    o->was_cut = true;
    o->cut = o->n;
    return o->size;
}

/* --- out ---------------------------------------------------------------- */

/* The first n are gone. */
static void done(struct kafka_outbox *o, size_t n)
{
    const size_t bytes = n < o->n ? o->v[n].at : o->bytes.n;
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        size += o->v[i].size;
    }
    for (size_t i = n; i < o->n; i++) {
        o->v[i - n] = o->v[i];
        o->v[i - n].at -= bytes;
    }
    o->n -= n;
    o->size -= size;
    o->sent = 0;
    o->was_cut = false;
    buf_consume(&o->bytes, bytes);
    buf_shrink(&o->bytes, KEEP);
}

size_t kafka_outbox_ready(const struct kafka_outbox *o)
{
    return o->was_cut ? o->cut : o->n;
}

static struct slice part(const char *p, size_t n)
{
    return n == null ? (struct slice){NULL, 0} : (struct slice){p, n};
}

static struct kafka_parcel parcel_of(const struct kafka_outbox *o,
                                     const struct kafka_waiting *w,
                                     int64_t now_ms)
{
    const char *p = o->bytes.p + w->at;

    return (struct kafka_parcel){
        .key = part(p, w->key),
        .value = part(p + (w->key != null ? w->key : 0), w->value),
        .time_ms = w->time_ms > 0 ? w->time_ms : now_ms,
        .headers = w->headers,
    };
}

int kafka_outbox_send(struct kafka_outbox *o, struct kafka_producer *p,
                      struct rd_kafka_topic_s *t, uint32_t partitions,
                      struct kafka_batch *b, struct err *e)
{
    const size_t n = kafka_outbox_ready(o);
    const int64_t now_ms = (int64_t)clock_wall_ms();

    for (; o->sent < n; o->sent++) {
        struct kafka_waiting *w = &o->v[o->sent];
        struct kafka_parcel parcel = parcel_of(o, w, now_ms);
        parcel.partition = w->hash < 0 ? -1 : (int32_t)(w->hash % partitions);
        const int rc = kafka_producer_send_parcel(p, t, &parcel, b, e);
        if (rc != 0) {
            return rc;
        }
        w->headers = NULL;
    }
    done(o, n);
    return 0;
}

void kafka_outbox_drop(struct kafka_outbox *o)
{
    for (size_t i = o->sent; i < o->n; i++) {
        kafka_headers_free(o->v[i].headers);
    }
    done(o, o->n);
}

void kafka_outbox_release(struct kafka_outbox *o)
{
    kafka_outbox_drop(o);
    buf_release(&o->bytes);
    free(o->v);
    *o = (struct kafka_outbox){.n = 0};
}
