#include "kafka/producer.h"

#include <malloc.h>
#include <poll.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/msg.h"
#include "kafka/client.h"
#include "kafka/handle.h"
#include "kafka/record.h"
#include "kafka/stall.h"

enum {
    /* bytes under way; librdkafka's own queue is larger, so that it is never
     * full in the middle of a batch */
    UNDER_WAY = 32 << 20,
    RENEW_MS = 1000,
};

struct kafka_producer {
    struct kafka_handle h;
    bool transactional;
    uint64_t bytes; /* under way */
    struct kafka_stall stall;
    struct map topics; /* name -> rd_kafka_topic_t */
};

static int serve(void *, rd_kafka_event_t *, struct err *);

/* librdkafka takes nine small pieces of memory for a record, and gives them
 * back in the order it took them. glibc keeps pieces of this size apart,
 * unmerged, and hands out first what came back last: after a while each record
 * lies scattered over all the memory of what is under way, and everybody who
 * looks at it waits for that memory. Merged at once, it is taken and given
 * back in one sweep: a third less time for the whole process.
 *
 * And what one batch leaves is kept for the next, up to 32 MiB of it; glibc
 * would give it to the system and ask for it again, page by page. */
static void tune_allocator(void)
{
#ifdef M_MXFAST
    (void)mallopt(M_MXFAST, 0);
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
    (void)mallopt(M_TOP_PAD, 1 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
#endif
}

struct kafka_producer *kafka_producer_open(const struct kafka_client *client,
                                           const char *transactional,
                                           struct err *e)
{
    struct kafka_producer *p = mem_new(sizeof *p);
    const struct kafka_setting exact[] = {
        {"transactional.id", transactional},
        /* what follows a commit at once is refused until the brokers have
         * written it down */
        {"retry.backoff.ms", "20"},
        {NULL, NULL},
    };

    tune_allocator();
    map_init(&p->topics);
    p->transactional = transactional != NULL;
    if (kafka_handle_open(&p->h, client, RD_KAFKA_PRODUCER,
                          p->transactional ? 0 : RD_KAFKA_EVENT_DR,
                          p->transactional ? exact : NULL, e) < 0) {
        kafka_producer_close(p);
        return NULL;
    }
    p->h.serve = serve;
    p->h.arg = p;
    return p;
}

void kafka_producer_close(struct kafka_producer *p)
{
    const struct map_slot *slot;
    size_t at = 0;

    if (p == NULL) {
        return;
    }
    while ((slot = map_next(&p->topics, &at)) != NULL) {
        rd_kafka_topic_destroy(slot->value);
    }
    map_release(&p->topics);
    if (p->h.rk != NULL) { /* what is not safe now is the next run's */
        (void)rd_kafka_purge(p->h.rk, RD_KAFKA_PURGE_F_QUEUE |
                                          RD_KAFKA_PURGE_F_INFLIGHT);
    }
    kafka_handle_close(&p->h);
    free(p);
}

struct kafka_handle *kafka_producer_handle(struct kafka_producer *p)
{
    return &p->h;
}

int kafka_producer_fd(const struct kafka_producer *p)
{
    return p->h.fd;
}

int kafka_producer_topic(struct kafka_producer *p, const char *topic,
                         uint32_t *partitions, struct err *e)
{
    if (kafka_handle_partitions(&p->h, topic, partitions, KAFKA_START_MS, e) <
        0) {
        return -1;
    }
    if (*partitions == 0 || map_get(&p->topics, slice_of(topic)) != NULL) {
        return 0;
    }
    rd_kafka_topic_t *t = rd_kafka_topic_new(p->h.rk, topic, NULL);
    if (t == NULL) {
        return kafka_fail(e, rd_kafka_last_error(), topic);
    }
    (void)map_put(&p->topics, slice_of(topic), t);
    return 0;
}

/* --- sending --------------------------------------------------------------
 */

struct rd_kafka_headers_s *kafka_headers_of(const struct kafka_record *r)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(r->n);

    for (size_t i = 0; i < r->n; i++) {
        (void)rd_kafka_header_add(
            h, r->headers[i].name.p, (ssize_t)r->headers[i].name.n,
            r->headers[i].value.p, (ssize_t)r->headers[i].value.n);
    }
    return h;
}

void kafka_headers_free(struct rd_kafka_headers_s *h)
{
    rd_kafka_headers_destroy(h);
}

/* librdkafka tells NULL from empty by the pointer. */
static void *bytes_of(struct slice s)
{
    return s.p == NULL ? NULL : s.n == 0 ? (void *)"" : (void *)(uintptr_t)s.p;
}

static struct kafka_sent *sent_of(struct kafka_batch *b)
{
    if (b == NULL) {
        return NULL;
    }
    struct kafka_sent *s = b->sent != NULL ? &b->sent[b->n] : &b->any;

    s->batch = b;
    return s;
}

/* 1 for want of room, else -1. */
static int refused(rd_kafka_error_t *error, const rd_kafka_topic_t *t,
                   size_t size, struct err *e)
{
    const char *topic = rd_kafka_topic_name(t);
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);

    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_error_destroy(error);
        return 1;
    }
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        rd_kafka_error_destroy(error);
        return err_set(e, STATUS_CONFIG,
                       "topic %s: a record of %zu bytes is larger than what is "
                       "sent: raise -X message.max.bytes=, and "
                       "max.message.bytes of the topic",
                       topic, size);
    }
    return kafka_fail_error(e, error, topic);
}

struct rd_kafka_topic_s *kafka_producer_find(struct kafka_producer *p,
                                             const char *topic)
{
    return map_get(&p->topics, slice_of(topic));
}

int kafka_producer_send_parcel(struct kafka_producer *p, rd_kafka_topic_t *t,
                               const struct kafka_parcel *r,
                               struct kafka_batch *b, struct err *e)
{
    const rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = t},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {bytes_of(r->key), r->key.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {bytes_of(r->value), r->value.n}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = r->headers},
        /* 0 is now, for librdkafka */
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
         .u.i64 = r->time_ms > 0 ? r->time_ms : 0},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = sent_of(b)},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };

    if (p->bytes >= UNDER_WAY) {
        return 1;
    }
    rd_kafka_error_t *error =
        rd_kafka_produceva(p->h.rk, vus, sizeof vus / sizeof vus[0]);
    if (error != NULL) {
        return refused(error, t, r->key.n + r->value.n, e);
    }
    if (!p->transactional) {
        b->left++;
        b->n++;
        p->bytes += r->value.n + r->key.n;
    }
    return 0;
}

int kafka_producer_send(struct kafka_producer *p, rd_kafka_topic_t *t,
                        const struct kafka_record *r, int32_t partition,
                        struct kafka_batch *b, struct err *e)
{
    const struct kafka_parcel parcel = {r->key, r->value, r->time_ms, partition,
                                        kafka_headers_of(r)};
    const int rc = kafka_producer_send_parcel(p, t, &parcel, b, e);

    if (rc != 0) {
        kafka_headers_free(parcel.headers);
    }
    return rc;
}

/* --- reports --------------------------------------------------------------
 */

static int failed(const rd_kafka_message_t *m, struct err *e)
{
    const char *topic = rd_kafka_topic_name(m->rkt);

    if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return err_set(e, STATUS_CONFIG,
                       "topic %s: its brokers refuse a batch of this size: "
                       "raise max.message.bytes of the topic, or lower it "
                       "here with -X message.max.bytes=1000000",
                       topic);
    }
    (void)kafka_fail(e, m->err, topic);
    return err_wrap(e, "a record was not taken");
}

static int take_report(struct kafka_producer *p, const rd_kafka_message_t *m,
                       struct err *e)
{
    struct kafka_sent *s = m->_private;

    p->bytes -= m->len + m->key_len;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(m, e);
    }
    s->offset = m->offset;
    s->partition = m->partition;
    s->batch->left--;
    return 0;
}

static int take_reports(struct kafka_producer *p, rd_kafka_event_t *ev,
                        struct err *e)
{
    const rd_kafka_message_t *m;

    kafka_handle_alive(&p->h);
    while ((m = rd_kafka_event_message_next(ev)) != NULL) {
        if (take_report(p, m, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int serve(void *arg, rd_kafka_event_t *ev, struct err *e)
{
    struct kafka_producer *p = arg;

    return rd_kafka_event_type(ev) == RD_KAFKA_EVENT_DR
               ? take_reports(p, ev, e)
               : kafka_handle_event(&p->h, ev, e);
}

int kafka_producer_poll(struct kafka_producer *p, struct err *e)
{
    rd_kafka_event_t *ev;
    int rc = 0;

    kafka_handle_woken(&p->h);
    kafka_handle_renew(&p->h);
    while (rc == 0 && (ev = rd_kafka_queue_poll(p->h.queue, 0)) != NULL) {
        rc = serve(p, ev, e);
        rd_kafka_event_destroy(ev);
    }
    return rc;
}

void kafka_producer_watch(struct kafka_producer *p, bool stands)
{
    const bool told = p->stall.told;

    if (kafka_stall_is_long(&p->stall, stands && !p->h.away && !p->h.refused)) {
        kafka_stall_tell(&p->h, &p->topics);
    } else if (told && !p->stall.told) {
        msg_info("kafka://%s: acknowledges again",
                 kafka_client_servers(p->h.client));
    }
}

int kafka_producer_due(const struct kafka_producer *p)
{
    return p->bytes == 0  ? -1
           : p->h.refused ? RENEW_MS
                          : kafka_stall_due(&p->stall);
}

void kafka_producer_wait(struct kafka_producer *p, int timeout_ms)
{
    struct pollfd fd = {p->h.fd, POLLIN, 0};

    (void)poll(&fd, 1, timeout_ms);
}
