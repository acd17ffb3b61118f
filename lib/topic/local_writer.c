#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "record/event.h"
#include "topic/gather.h"
#include "topic/local.h"

struct local_writer {
    struct topic_writer base;
    struct log_writer *log;
    uint32_t partitions;
    uint32_t keyless; /* partition of events without a key, per batch */
    struct gather gather;
    struct log_entry *entry; /* room for a commit */
    size_t cap;
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
    gather_release(&w->gather);
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

static void add(struct local_writer *w, const struct slice part[2],
                struct slice key)
{
    gather_add(&w->gather, part,
               w->partitions == 1 ? 0
               : key.p == NULL    ? w->keyless
                                  : topic_partition(key, w->partitions));
}

void local_writer_add(struct topic_writer *base, const struct event *ev)
{
    struct slice part[2];
    struct buf room;

    event_without_origin(ev, part);
    buf_init(&room);
    add((struct local_writer *)base, part, event_key(ev, &room));
    buf_release(&room);
}

void local_writer_add_line(struct topic_writer *base, struct slice line,
                           struct slice key)
{
    const struct slice part[2] = {line, {line.p, 0}};

    add((struct local_writer *)base, part, key);
}

size_t local_writer_cut(struct topic_writer *base)
{
    return gather_cut(&((struct local_writer *)base)->gather);
}

static void keep_places(struct local_writer *w, size_t n)
{
    const uint64_t first = log_writer_base(w->log);

    for (size_t i = 0; i < n; i++) {
        places_put(&w->base.places,
                   (struct place){.ticket = log_writer_appended(w->log),
                                  .offset = first + i,
                                  .partition = w->entry[i].partition});
    }
}

static void done(struct local_writer *w, size_t n)
{
    gather_done(&w->gather, n);
    w->keyless = (w->keyless + 1) % w->partitions;
}

int local_writer_commit(struct topic_writer *base, struct slice name,
                        struct slice pos, struct err *e)
{
    struct local_writer *w = (struct local_writer *)base;
    const size_t n = gather_ready(&w->gather);

    if (n == 0 && pos.n == 0) {
        gather_done(&w->gather, 0);
        return 0;
    }
    if (n > w->cap) {
        w->cap = w->gather.cap;
        w->entry = mem_resize(w->entry, w->cap * sizeof *w->entry);
    }
    for (size_t i = 0; i < n; i++) {
        w->entry[i] = (struct log_entry){
            .partition = w->gather.v[i].partition,
            .part = {gather_line(&w->gather, i), {"", 0}},
        };
    }
    const int rc = log_writer_append(w->log, w->entry, n, name, pos, e);
    if (rc == 0) {
        keep_places(w, w->base.is_tracked ? n : 0);
        done(w, n);
    } else if (rc == 1) {
        (void)err_set(e, STATUS_IO, "the disk is full");
    }
    return rc;
}

void local_writer_drop(struct topic_writer *base)
{
    struct local_writer *w = (struct local_writer *)base;

    done(w, w->gather.n);
}

uint64_t local_writer_ticket(const struct topic_writer *base)
{
    return log_writer_appended(((const struct local_writer *)base)->log);
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
