/* Writing to topics of a cluster.
 *
 * Commits are numbered; each is a batch of records, and durable when the
 * brokers have reported the last of them. Batches become durable in any order,
 * but are told in theirs. A record waits in the outbox for its commit: if we
 * die before, it never was, and comes once. Only where it would not come again
 * is it sent at once, as long as there is room.
 *
 * Exactly once, a commit is part of a transaction, with its position, and
 * durable with that. All writers of a store write in the same transaction, so
 * dead letters stand or fall with the position that passes them. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/exact.h"
#include "kafka/outbox.h"
#include "kafka/producer.h"
#include "record/event.h"
#include "topic/remote.h"

enum { BATCHES = 4096, WAIT_MS = 100 };

static const uint32_t HASHES = UINT32_C(1) << 31; /* of topic_partition() */

struct remote_writer {
    struct topic_writer base;
    struct remote_store *store;
    char *name;  /* of the topic, here */
    char *topic; /* in the cluster */
    struct kafka_scratch scratch;
    struct kafka_outbox outbox;
    struct err bad; /* of a line that cannot be sent, or none */
    struct buf key;
    struct rd_kafka_topic_s *place;
    size_t sent; /* bytes, for the next commit, without the outbox */
    struct kafka_batch batch[BATCHES]; /* of the commits done + 1 to last, and
                                          of the next */
    uint64_t number[BATCHES];          /* or of their transactions */
    uint32_t partitions;               /* of the topic; 0: no producer yet */
    uint64_t last;
    uint64_t done;
};

static struct kafka_producer *producer_of(const struct remote_writer *w)
{
    return w->store->exact != NULL ? kafka_exact_producer(w->store->exact)
                                   : w->store->producer;
}

static int attach(struct remote_writer *w, struct err *e)
{
    if (w->partitions > 0) {
        return 0;
    }
    if (kafka_producer_topic(producer_of(w), w->topic, &w->partitions, e) < 0) {
        return -1;
    }
    w->place = kafka_producer_find(producer_of(w), w->topic);
    return w->partitions > 0 ? 0 : remote_unknown(&w->store->base, w->name, e);
}

/* Exactly once there is no producer before the claim. */
static int prepare(struct remote_writer *w, struct err *e)
{
    struct remote_store *s = w->store;

    if (s->exact != NULL) {
        const int rc = kafka_exact_check(s->exact, w->topic, e);
        return rc == 0 ? remote_unknown(&s->base, w->name, e) : rc;
    }
    if (s->producer == NULL) {
        s->producer = kafka_producer_open(s->client, NULL, e);
    }
    return s->producer == NULL ? -1 : attach(w, e);
}

struct topic_writer *remote_writer_open(struct topic_store *store,
                                        const char *topic, struct err *e)
{
    struct remote_writer *w = mem_new(sizeof *w);

    w->store = (struct remote_store *)store;
    w->name = mem_strdup(topic);
    w->topic = remote_name(w->store, topic);
    if (prepare(w, e) < 0) {
        remote_writer_close(&w->base);
        return NULL;
    }
    return &w->base;
}

void remote_writer_close(struct topic_writer *base)
{
    struct remote_writer *w = (struct remote_writer *)base;

    for (size_t i = 0; i < BATCHES; i++) {
        free(w->batch[i].sent); /* reports are not taken any more */
    }
    kafka_outbox_release(&w->outbox);
    kafka_scratch_release(&w->scratch);
    buf_release(&w->key);
    free(w->name);
    free(w->topic);
    free(w);
}

int remote_writer_own(struct topic_writer *base, const char *run,
                      struct slice name, struct slice keys, struct buf *pos,
                      struct err *e)
{
    const struct remote_store *s = ((struct remote_writer *)base)->store;
    struct buf group;

    (void)run; /* owners go by their transactional.id */
    if (s->exact == NULL) {
        return 0; /* at least once: the source keeps the position */
    }
    buf_init(&group);
    buf_printf(&group, "%s%.*s", s->space, (int)name.n, name.p);
    const int rc = kafka_exact_claim(s->exact, buf_slice(&group), keys, pos, e);
    buf_release(&group);
    return rc;
}

int remote_writer_disown(struct topic_writer *base, struct err *e)
{
    struct remote_writer *w = (struct remote_writer *)base;

    return w->store->exact != NULL ? kafka_exact_release(w->store->exact, e)
                                   : 0;
}

static struct kafka_batch *next_batch(struct remote_writer *w)
{
    return &w->batch[(w->last + 1) % BATCHES];
}

/* Its number is given. */
static void close_batch(struct remote_writer *w)
{
    w->last++;
    w->sent = 0;
    *next_batch(w) = (struct kafka_batch){.left = 0};
}

static bool sends_now(const struct remote_writer *w)
{
    return w->base.flows && w->store->exact == NULL && w->outbox.n == 0;
}

/* False: no room. */
static bool send(struct remote_writer *w, const struct kafka_record *r,
                 int64_t hash)
{
    const int rc =
        kafka_producer_send(producer_of(w), w->place, r,
                            hash < 0 ? -1 : (int32_t)(hash % w->partitions),
                            next_batch(w), &w->bad);

    w->sent += rc == 0 ? r->key.n + r->value.n : 0;
    return rc != 1;
}

/* A record that has to stay without a key, though its event has one, goes
 * where that belongs: the whole of the key's hash is a remainder here, too. */
void remote_writer_add(struct topic_writer *base, const struct event *ev)
{
    struct remote_writer *w = (struct remote_writer *)base;
    struct kafka_record r;
    int64_t hash = -1;

    kafka_record_encode(&w->scratch, ev, w->store->mode, &r);
    if (r.key.p == NULL) {
        const struct slice key = event_key(ev, &w->key);
        hash = key.p != NULL ? (int64_t)topic_partition(key, HASHES) : -1;
    }
    if (!sends_now(w) || !send(w, &r, hash)) {
        kafka_outbox_add(&w->outbox, &r, hash);
    }
}

void remote_writer_add_line(struct topic_writer *base, struct slice line,
                            struct slice key)
{
    struct remote_writer *w = (struct remote_writer *)base;
    struct event ev;
    bool reordered;

    (void)key; /* the record's key is made with the record */
    if (event_parse(&ev, line, &reordered, &w->bad) == 0) {
        remote_writer_add(base, &ev);
    }
}

size_t remote_writer_cut(struct topic_writer *base)
{
    struct remote_writer *w = (struct remote_writer *)base;

    return w->sent + kafka_outbox_cut(&w->outbox);
}

static int send_all(struct remote_writer *w, struct err *e)
{
    struct kafka_batch *b = next_batch(w);

    if (w->base.is_tracked && b->sent == NULL) {
        b->sent = mem_new(kafka_outbox_ready(&w->outbox) * sizeof *b->sent);
    }
    return kafka_outbox_send(&w->outbox, producer_of(w), w->place,
                             w->partitions, b, e);
}

int remote_writer_commit(struct topic_writer *base, struct slice name,
                         struct slice pos, struct err *e)
{
    struct remote_writer *w = (struct remote_writer *)base;
    struct kafka_exact *x = w->store->exact;
    const size_t n = kafka_outbox_ready(&w->outbox);
    const size_t size = w->outbox.size;

    e->text[0] = '\0'; /* no room is no trouble here */
    if (w->last - w->done == BATCHES - 1) {
        return 1;
    }
    if (w->bad.status != 0) {
        *e = w->bad;
        return -1;
    }
    int rc = x != NULL ? kafka_exact_begin(x, e) : 0;
    if (rc != 0) {
        return rc;
    }
    rc = attach(w, e) < 0 ? -1 : send_all(w, e);
    if (rc != 0) {
        return rc;
    }
    close_batch(w);
    if (x == NULL) {
        return 0;
    }
    w->number[w->last % BATCHES] = kafka_exact_add(x, n, size - w->outbox.size);
    /* dead letters have no name: what passes them comes next */
    return name.n > 0 ? kafka_exact_position(x, pos, e) : 0;
}

/* What is sent cannot be called back, and promises nothing. */
void remote_writer_drop(struct topic_writer *base)
{
    struct remote_writer *w = (struct remote_writer *)base;
    struct kafka_batch *b = next_batch(w);

    kafka_outbox_drop(&w->outbox);
    if (b->n > 0) {
        b->n = 0;
        close_batch(w);
    } else if (b->sent != NULL) {
        free(b->sent);
        b->sent = NULL;
    }
}

uint64_t remote_writer_ticket(const struct topic_writer *base)
{
    return ((const struct remote_writer *)base)->last;
}

static bool is_safe(const struct remote_writer *w, uint64_t ticket,
                    uint64_t committed)
{
    return w->store->exact != NULL ? w->number[ticket % BATCHES] <= committed
                                   : w->batch[ticket % BATCHES].left == 0;
}

static void keep_places(struct remote_writer *w, uint64_t ticket)
{
    struct kafka_batch *b = &w->batch[ticket % BATCHES];

    for (size_t i = 0; b->sent != NULL && i < b->n; i++) {
        const struct kafka_sent *s = &b->sent[i];
        places_put(&w->base.places,
                   (struct place){.ticket = ticket,
                                  .offset = s->offset >= 0 ? (uint64_t)s->offset
                                                           : UINT64_MAX,
                                  .partition = (uint32_t)s->partition});
    }
    free(b->sent);
    b->sent = NULL;
}

int remote_writer_synced(struct topic_writer *base, uint64_t *ticket,
                         struct err *e)
{
    struct remote_writer *w = (struct remote_writer *)base;
    const uint64_t before = w->done;
    uint64_t committed = 0;

    if (w->store->exact != NULL
            ? kafka_exact_poll(w->store->exact, &committed, e) < 0
            : kafka_producer_poll(w->store->producer, e) < 0) {
        return -1;
    }
    while (w->done < w->last && is_safe(w, w->done + 1, committed)) {
        w->done++;
        keep_places(w, w->done);
    }
    if (w->store->exact == NULL && before < w->last) {
        kafka_producer_watch(w->store->producer, w->done == before);
    }
    *ticket = w->done;
    return 0;
}

int remote_writer_fd(const struct topic_writer *base)
{
    const struct kafka_producer *p =
        producer_of((const struct remote_writer *)base);

    return p != NULL ? kafka_producer_fd(p) : -1;
}

int remote_writer_due(const struct topic_writer *base)
{
    const struct remote_writer *w = (const struct remote_writer *)base;

    return w->store->exact != NULL ? kafka_exact_due(w->store->exact)
                                   : kafka_producer_due(w->store->producer);
}

void remote_writer_hurry(struct topic_writer *base)
{
    struct remote_writer *w = (struct remote_writer *)base;

    if (w->store->exact != NULL) {
        kafka_exact_hurry(w->store->exact);
    }
}

int remote_writer_sync(struct topic_writer *base, struct err *e)
{
    struct remote_writer *w = (struct remote_writer *)base;
    uint64_t done;

    if (w->store->exact != NULL) {
        return 0; /* with the position, which cannot overtake it */
    }
    for (;;) {
        if (remote_writer_synced(base, &done, e) < 0) {
            return -1;
        }
        if (done == w->last) {
            return 0;
        }
        kafka_producer_wait(w->store->producer, WAIT_MS);
    }
}
