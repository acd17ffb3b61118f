#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "topic/local.h"

struct gathered {
    uint32_t partition;
    size_t at;
    size_t n;
};

struct local_writer {
    struct topic_writer base;
    struct log_writer *log;
    uint32_t partitions;
    uint32_t keyless; /* partition of events without a key, per batch */
    struct buf bytes;
    struct gathered *v;
    struct log_entry *entry;
    size_t n;
    size_t cap;
    bool was_cut;
    size_t cut; /* entries before the last cut */
};

struct topic_writer *local_writer_open(struct topic_store *store,
                                       const char *topic, struct err *e)
{
    struct local_store *s = (struct local_store *)store;
    struct log_topic t = {.partitions = 1};
    const int found = log_topic_load(s->log, topic, &t, e);

    if (found < 0) {
        return NULL;
    }
    if (found == 0 && log_topic_create(s->log, topic, &t, e) < 0 &&
        log_topic_load(s->log, topic, &t, e) != 1) { /* made meanwhile? */
        return NULL;
    }
    struct log_writer *log = log_writer_open(s->log, topic, e);
    if (log == NULL) {
        return NULL;
    }
    struct local_writer *w = mem_new(sizeof *w);
    w->log = log;
    w->partitions = t.partitions;
    w->keyless = (uint32_t)rand_below(t.partitions);
    return &w->base;
}

void local_writer_close(struct topic_writer *base)
{
    struct local_writer *w = (struct local_writer *)base;

    log_writer_close(w->log);
    buf_release(&w->bytes);
    free(w->v);
    free(w->entry);
    free(w);
}

int local_writer_own(struct topic_writer *base, const char *run,
                     struct slice name, struct slice keys, struct buf *pos,
                     struct err *e)
{
    struct local_writer *w = (struct local_writer *)base;

    return log_writer_own(w->log, run, name, keys, pos, e);
}

void local_writer_add(struct topic_writer *base, const struct slice part[2],
                      struct slice key)
{
    struct local_writer *w = (struct local_writer *)base;

    if (w->n == w->cap) {
        w->cap = w->cap > 0 ? w->cap * 2 : 256;
        w->v = mem_resize(w->v, w->cap * sizeof *w->v);
        w->entry = mem_resize(w->entry, w->cap * sizeof *w->entry);
    }
    w->v[w->n++] = (struct gathered){
        .partition = w->partitions == 1 ? 0
                     : key.p == NULL    ? w->keyless
                                        : topic_partition(key, w->partitions),
        .at = w->bytes.n,
        .n = part[0].n + part[1].n,
    };
    buf_append_slice(&w->bytes, part[0]);
    buf_append_slice(&w->bytes, part[1]);
}

size_t local_writer_cut(struct topic_writer *base)
{
    struct local_writer *w = (struct local_writer *)base;

    w->was_cut = true;
    w->cut = w->n;
    return w->bytes.n;
}

/* The first n are written: move the rest to the front. */
static void forget(struct local_writer *w, size_t n)
{
    const size_t bytes = n < w->n ? w->v[n].at : w->bytes.n;

    for (size_t i = n; i < w->n; i++) {
        w->v[i - n] = w->v[i];
        w->v[i - n].at -= bytes;
    }
    w->n -= n;
    buf_consume(&w->bytes, bytes);
    buf_shrink(&w->bytes, (size_t)1 << 20);
    w->was_cut = false;
    w->keyless = (w->keyless + 1) % w->partitions;
}

int local_writer_commit(struct topic_writer *base, struct slice name,
                        struct slice pos, struct err *e)
{
    struct local_writer *w = (struct local_writer *)base;
    const size_t n = w->was_cut ? w->cut : w->n;

    if (n == 0 && pos.n == 0) {
        w->was_cut = false;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        w->entry[i] = (struct log_entry){
            .partition = w->v[i].partition,
            .part = {{w->bytes.p + w->v[i].at, w->v[i].n}, {"", 0}},
        };
    }
    const int rc = log_writer_append(w->log, w->entry, n, name, pos, e);
    if (rc == 0) {
        forget(w, n);
    }
    return rc;
}

void local_writer_drop(struct topic_writer *base)
{
    struct local_writer *w = (struct local_writer *)base;

    forget(w, w->n);
}

uint64_t local_writer_ticket(const struct topic_writer *base)
{
    return log_writer_appended(((const struct local_writer *)base)->log);
}

void local_writer_place(const struct topic_writer *base, size_t i,
                        uint32_t *partition, uint64_t *offset)
{
    const struct local_writer *w = (const struct local_writer *)base;

    *partition = w->entry[i].partition;
    *offset = log_writer_base(w->log) + i;
}

int local_writer_synced(struct topic_writer *base, uint64_t *ticket,
                        struct err *e)
{
    return log_writer_synced(((struct local_writer *)base)->log, ticket, e);
}

int local_writer_fd(const struct topic_writer *base)
{
    return log_writer_fd(((const struct local_writer *)base)->log);
}

int local_writer_sync(struct topic_writer *base, struct err *e)
{
    return log_writer_sync(((struct local_writer *)base)->log, e);
}
