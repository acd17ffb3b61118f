#include "deliver/store.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "deliver/deferral.h"
#include "deliver/held.h"
#include "deliver/journal.h"
#include "deliver/lane.h"
#include "deliver/parked.h"
#include "record/event.h"

enum {
    JOB_COST = 64,
    DAY_MS = 24 * 3600 * 1000,
    COMPACT_MIN = 8 << 20, /* bytes; below, garbage is not worth it */
    COPY_CHUNK = 1 << 20,
};

/* A deferred event that is not durable yet. */
struct waiting {
    struct job *job;
    struct parked *parked;
    uint64_t offset;
};

struct store {
    struct journal *journal;
    struct parked_keys keys;
    struct held held;
    struct lanes *hashes;
    struct waiting *waiting; /* a queue */
    size_t first;
    size_t count;
    size_t cap;
    size_t bytes; /* of the jobs in it */
    size_t sent;  /* heads that are taken out */
    uint64_t success_ms;
    uint64_t stored_success_ms;
    uint64_t compact_at; /* bytes of the journal */
    struct buf key;      /* room for one with escapes */
};

/* --- records ----------------------------------------------------------------
 */

static uint64_t add(struct store *s, const struct deferral *d)
{
    char head[DEFERRAL_HEAD];

    return journal_add(s->journal, deferral_head(d, head), d->line);
}

static struct deferral deferral_of(const struct parked_event *ev)
{
    return (struct deferral){.kind = DEFERRAL_EVENT,
                             .tries = ev->tries,
                             .age_ms = ev->age_ms,
                             .tried_ms = ev->tried_ms};
}

static void add_success(struct store *s)
{
    (void)add(s, &(struct deferral){.kind = DEFERRAL_SUCCESS,
                                    .success_ms = s->success_ms});
    s->stored_success_ms = s->success_ms;
}

/* --- reading it at the start ------------------------------------------------
 */

struct where {
    uint64_t offset;
    struct parked *parked; /* NULL: done */
};

struct loading {
    struct store *store;
    struct where *where; /* by offset */
    size_t n;
    size_t cap;
};

static int load_event(struct loading *l, uint64_t offset,
                      const struct deferral *d, struct err *e)
{
    struct store *s = l->store;
    struct event event;
    bool reordered;

    if (event_parse(&event, d->line, &reordered, e) < 0) {
        return err_wrap(e, "retry store, record %llu",
                        (unsigned long long)offset);
    }
    const struct parked_event ev = {.offset = offset,
                                    .identity =
                                        lane_identity(s->hashes, &event),
                                    .tries = (uint32_t)d->tries,
                                    .age_ms = d->age_ms,
                                    .tried_ms = d->tried_ms,
                                    .size = (uint32_t)d->line.n};
    const struct slice key = event_key(&event, &s->key);
    struct parked *p = parked_key(&s->keys, key, lane_hash(s->hashes, key));
    parked_add(&s->keys, p, &ev);
    held_add(&s->held, ev.identity);
    if (l->n == l->cap) {
        l->cap = l->cap > 0 ? l->cap * 2 : 1024;
        l->where = mem_resize(l->where, l->cap * sizeof *l->where);
    }
    l->where[l->n++] = (struct where){offset, p};
    return 0;
}

/* The place of a key whose head lies at this offset, or NULL. */
static struct where *find_head(const struct loading *l, uint64_t offset)
{
    size_t from = 0;
    size_t to = l->n;

    while (from < to) {
        const size_t mid = from + (to - from) / 2;
        if (l->where[mid].offset < offset) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    struct where *w = &l->where[from];
    return from < l->n && w->offset == offset && w->parked != NULL &&
                   parked_head(w->parked)->offset == offset
               ? w
               : NULL;
}

static void load_outcome(struct loading *l, uint64_t offset,
                         const struct deferral *d)
{
    struct where *w = find_head(l, d->offset);

    if (w == NULL) { /* worth a word, not a stop: it means one more try */
        msg_warn("retry store: record %llu speaks of %llu, which is not there",
                 (unsigned long long)offset, (unsigned long long)d->offset);
    } else if (d->kind == DEFERRAL_DONE) {
        held_remove(&l->store->held, parked_head(w->parked)->identity);
        (void)parked_pop(&l->store->keys, w->parked);
        w->parked = NULL;
    } else {
        struct parked_event *ev = parked_head(w->parked);
        ev->tries = (uint32_t)d->tries;
        ev->age_ms = d->age_ms;
        ev->tried_ms = d->tried_ms;
    }
}

static int load(void *arg, uint64_t offset, struct slice record, struct err *e)
{
    struct loading *l = arg;
    struct deferral d;

    if (!deferral_parse(&d, record)) {
        return err_set(e, STATUS_IO, "retry store: record %llu is none",
                       (unsigned long long)offset);
    }
    if (d.success_ms > l->store->success_ms) {
        l->store->success_ms = d.success_ms;
    }
    if (d.kind == DEFERRAL_EVENT) {
        return load_event(l, offset, &d, e);
    }
    if (d.kind == DEFERRAL_DONE || d.kind == DEFERRAL_TRIED) {
        load_outcome(l, offset, &d);
    }
    return 0;
}

struct store *store_open(const char *dir, const char *key, struct lanes *hashes,
                         struct err *e)
{
    struct store *s = mem_new(sizeof *s);
    struct loading l = {.store = s};

    parked_init(&s->keys);
    s->hashes = hashes;
    s->compact_at = COMPACT_MIN;
    s->journal = journal_open(dir, key, e);
    const int rc =
        s->journal == NULL ? -1 : journal_walk(s->journal, load, &l, e);
    free(l.where);
    if (rc < 0) {
        store_close(s);
        return NULL;
    }
    s->stored_success_ms = s->success_ms;
    for (struct parked *p = s->keys.all; p != NULL; p = p->next) {
        due_put(&s->keys.due, &p->due, 0);
    }
    return s;
}

void store_close(struct store *s)
{
    struct err e;

    if (s == NULL) {
        return;
    }
    if (s->journal != NULL) {
        if (s->success_ms > s->stored_success_ms && s->keys.events > 0) {
            add_success(s);
        }
        (void)journal_flush(s->journal, &e);
        journal_close(s->journal);
    }
    while (s->count > 0) {
        free(s->waiting[s->first++].job);
        s->count--;
    }
    parked_release(&s->keys);
    held_release(&s->held);
    buf_release(&s->key);
    free(s->waiting);
    free(s);
}

size_t store_events(const struct store *s)
{
    return s->keys.events;
}

size_t store_keys(const struct store *s)
{
    return s->keys.keys;
}

size_t store_waiting(const struct store *s)
{
    return s->bytes;
}

struct parked *store_find(struct store *s, struct slice key)
{
    return parked_find(&s->keys, key);
}

bool store_holds(struct store *s, uint64_t identity)
{
    return held_ask(&s->held, identity);
}

/* --- deferring --------------------------------------------------------------
 */

static void queue(struct store *s, const struct waiting *w)
{
    if (s->first + s->count == s->cap && s->first > s->count) {
        memmove(s->waiting, s->waiting + s->first,
                s->count * sizeof *s->waiting);
        s->first = 0;
    } else if (s->first + s->count == s->cap) {
        s->cap = s->cap > 0 ? s->cap * 2 : 256;
        s->waiting = mem_resize(s->waiting, s->cap * sizeof *s->waiting);
    }
    s->waiting[s->first + s->count++] = *w;
    s->bytes += w->job->n + JOB_COST;
}

void store_put(struct store *s, struct slice key, uint64_t hash,
               struct job *job, uint32_t tries, uint64_t due_us)
{
    const struct slice line = {job->line, job->n};
    struct parked *p = parked_key(&s->keys, key, hash);
    struct parked_event ev = {
        .tries = tries, .tried_ms = clock_wall_ms(), .size = (uint32_t)line.n};

    struct deferral d = deferral_of(&ev);

    d.line = line;
    ev.offset = add(s, &d);
    if (p->n == 0) {
        p->due_us = due_us;
    }
    parked_add(&s->keys, p, &ev);
    queue(s, &(struct waiting){job, p, ev.offset});
}

int store_durable(struct store *s, struct job **list, struct err *e)
{
    struct job **end = list;
    uint64_t durable;

    *list = NULL;
    if (journal_durable(s->journal, &durable, e) < 0) {
        return -1;
    }
    while (s->count > 0 && s->waiting[s->first].offset < durable) {
        const struct waiting *w = &s->waiting[s->first++];
        s->count--;
        s->bytes -= w->job->n + JOB_COST;
        if (parked_head(w->parked)->offset == w->offset) {
            due_put(&s->keys.due, &w->parked->due, w->parked->due_us);
        }
        w->job->next = NULL;
        *end = w->job;
        end = &w->job->next;
    }
    if (s->count == 0) {
        s->first = 0;
    }
    return 0;
}

int store_fd(const struct store *s)
{
    return s->count > 0 ? journal_fd(s->journal) : -1;
}

/* --- delivering from it -----------------------------------------------------
 */

struct parked *store_next(struct store *s, uint64_t now_us)
{
    struct due *d = due_first(&s->keys.due);

    if (d == NULL || d->at > now_us) {
        return NULL;
    }
    due_remove(&s->keys.due, d);
    s->sent++;
    return (struct parked *)d;
}

uint64_t store_due(const struct store *s)
{
    const struct due *d = due_first(&s->keys.due);

    return d != NULL ? d->at : UINT64_MAX;
}

static int read_event(struct store *s, uint64_t offset, struct slice *line,
                      struct err *e)
{
    struct slice record;
    struct deferral d;

    if (journal_read(s->journal, offset, &record, e) < 0) {
        return -1;
    }
    if (!deferral_parse(&d, record) || d.kind != DEFERRAL_EVENT) {
        return err_set(e, STATUS_IO, "retry store: record %llu is no event",
                       (unsigned long long)offset);
    }
    *line = d.line;
    return 0;
}

int store_read(struct store *s, struct parked *p, struct slice *line,
               struct err *e)
{
    return read_event(s, parked_head(p)->offset, line, e);
}

bool store_others(const struct store *s, const struct parked *p)
{
    return s->success_ms > p->v[p->first].tried_ms;
}

void store_success(struct store *s, uint64_t wall_ms)
{
    s->success_ms = wall_ms;
}

void store_failed(struct store *s, struct parked *p, uint64_t wall_ms,
                  uint32_t *tries, uint64_t *age_ms)
{
    struct parked_event *ev = parked_head(p);

    if (store_others(s, p) && wall_ms > ev->tried_ms) {
        /* a step of the wall clock costs a day at most */
        const uint64_t passed = wall_ms - ev->tried_ms;
        ev->age_ms += passed < DAY_MS ? passed : DAY_MS;
    }
    ev->tried_ms = wall_ms;
    *tries = ++ev->tries;
    *age_ms = ev->age_ms;
    (void)add(s, &(struct deferral){.kind = DEFERRAL_TRIED,
                                    .offset = ev->offset,
                                    .tries = ev->tries,
                                    .age_ms = ev->age_ms,
                                    .tried_ms = ev->tried_ms,
                                    .success_ms = s->success_ms});
    s->stored_success_ms = s->success_ms;
}

void store_again(struct store *s, struct parked *p, uint64_t due_us)
{
    s->sent--;
    due_put(&s->keys.due, &p->due, due_us);
}

void store_done(struct store *s, struct parked *p)
{
    s->sent--;
    (void)add(s, &(struct deferral){.kind = DEFERRAL_DONE,
                                    .offset = parked_head(p)->offset});
    held_remove(&s->held, parked_head(p)->identity);
    if (parked_pop(&s->keys, p)) {
        return;
    }
    p->due_us = 0;
    if (s->count == 0 || parked_head(p)->offset < s->waiting[s->first].offset) {
        due_put(&s->keys.due, &p->due, 0); /* else when it is durable */
    }
}

/* --- writing ----------------------------------------------------------------
 */

/* Read one by one, written by the chunk: the journal keeps a copy, because the
 * reader's memory is good for one record. */
static int copy_key(struct store *s, struct parked *p, uint64_t *moved,
                    size_t *gathered, struct err *e)
{
    struct slice line;
    struct buf copy;
    int rc = 0;

    buf_init(&copy);
    for (size_t i = 0; rc == 0 && i < p->n; i++) {
        const struct parked_event *ev = &p->v[(p->first + i) & (p->cap - 1)];
        rc = read_event(s, ev->offset, &line, e);
        if (rc == 0) {
            const struct deferral d = deferral_of(ev);
            char head[DEFERRAL_HEAD];
            buf_clear(&copy);
            buf_append_slice(&copy, deferral_head(&d, head));
            buf_append_slice(&copy, line);
            moved[i] = journal_add(s->journal, buf_slice(&copy),
                                   (struct slice){"", 0});
            *gathered += copy.n;
        }
        if (rc == 0 && *gathered > COPY_CHUNK) {
            *gathered = 0;
            rc = journal_flush(s->journal, e);
        }
    }
    buf_release(&copy);
    return rc;
}

/* The live records into a new generation. If that fails for want of space the
 * old one stays in force, and nothing has changed. */
static int compact(struct store *s, struct err *e)
{
    uint64_t *moved = mem_alloc((s->keys.events + 1) * sizeof *moved);
    size_t gathered = 0;
    size_t at = 0;
    int rc = journal_renew(s->journal, e);

    for (struct parked *p = s->keys.all; rc == 0 && p != NULL; p = p->next) {
        rc = copy_key(s, p, moved + at, &gathered, e);
        at += p->n;
    }
    if (rc == 0) {
        add_success(s);
        rc = journal_seal(s->journal, e);
    }
    if (rc == 0) {
        at = 0;
        for (struct parked *p = s->keys.all; p != NULL; p = p->next) {
            for (size_t i = 0; i < p->n; i++) {
                p->v[(p->first + i) & (p->cap - 1)].offset = moved[at++];
            }
        }
    } else {
        journal_drop(s->journal);
    }
    free(moved);
    return rc;
}

int store_flush(struct store *s, struct err *e)
{
    const int rc = journal_flush(s->journal, e);
    const uint64_t bytes = journal_bytes(s->journal);

    if (rc == 0 && s->count == 0 && s->sent == 0 && bytes > s->compact_at &&
        bytes / 4 > s->keys.bytes) {
        struct err why = {0};
        s->compact_at = COMPACT_MIN;
        if (compact(s, &why) != 0) {
            s->compact_at = 2 * bytes;
            msg_warn("retry store: not compacted, it goes on as it is (%s)",
                     why.text[0] != '\0' ? why.text : "no space");
        }
    }
    return rc;
}
