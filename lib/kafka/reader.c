#include "kafka/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "kafka/client.h"
#include "kafka/part.h"

enum { SEEK_MS = 10000 };

/* --- open, close ---------------------------------------------------------
 */

static int open_topics(struct kafka_reader *r,
                       const struct kafka_reader_conf *conf,
                       const char **unknown, struct err *e)
{
    r->v = mem_new(conf->n * sizeof *r->v);
    for (size_t i = 0; i < conf->n; i++) {
        struct kafka_topic *t = &r->v[r->n++];
        t->name = mem_strdup(conf->topics[i]);
        if (kafka_handle_partitions(&r->h, t->name, &t->partitions,
                                    KAFKA_START_MS, e) < 0) {
            return -1;
        }
        if (t->partitions == 0) {
            *unknown = conf->topics[i];
            return -1;
        }
        t->part = mem_new(t->partitions * sizeof *t->part);
    }
    return 0;
}

struct kafka_reader *kafka_reader_open(const struct kafka_client *client,
                                       const struct kafka_reader_conf *conf,
                                       const char **unknown, struct err *e)
{
    static const uint64_t one = 1;
    struct kafka_reader *r = mem_new(sizeof *r);
    char alone[RAND_HEX + 8] = "dpp-";

    rand_hex(alone + 4); /* the library wants a name even for nobody */
    const struct kafka_setting extra[] = {
        {"group.id", conf->group != NULL ? conf->group : alone},
        /* an end is known by an answer without records */
        {conf->stop_at_end ? "fetch.wait.max.ms" : NULL, "10"},
        {NULL, NULL},
    };
    *unknown = NULL;
    r->start = conf->start;
    r->space = conf->space;
    r->partition_min = conf->partition_min;
    r->partition_max = conf->partition_max;
    r->stop_at_end = conf->stop_at_end;
    r->group = conf->group != NULL ? mem_strdup(conf->group) : NULL;
    if (kafka_handle_open(&r->h, client, RD_KAFKA_CONSUMER,
                          RD_KAFKA_EVENT_REBALANCE |
                              RD_KAFKA_EVENT_OFFSET_COMMIT,
                          extra, e) < 0) {
        goto fail;
    }
    r->records = rd_kafka_queue_new(r->h.rk);
    rd_kafka_queue_io_event_enable(r->records, r->h.fd, &one, sizeof one);
    if (open_topics(r, conf, unknown, e) < 0 ||
        kafka_handle_cluster(&r->h, e) < 0) {
        goto fail;
    }
    return r;
fail:
    kafka_reader_close(r);
    return NULL;
}

/* All of it: the one that was given out last as well. */
static void free_batch(struct kafka_reader *r)
{
    for (size_t i = 0; i < r->got; i++) {
        rd_kafka_message_destroy(r->batch[i]);
    }
    r->at = r->got = r->stale = 0;
}

void kafka_reader_close(struct kafka_reader *r)
{
    if (r == NULL) {
        return;
    }
    kafka_group_leave(r);
    free_batch(r);
    /* an error in its queue may lock librdkafka 2.0.2 up as it ends */
    r->h.stuck |= r->damaged_us > 0;
    if (r->records != NULL) {
        rd_kafka_queue_destroy(r->records);
    }
    kafka_handle_close(&r->h);
    for (size_t i = 0; i < r->n; i++) {
        free(r->v[i].name);
        free(r->v[i].part);
    }
    free(r->v);
    free(r->group);
    free(r->headers);
    free(r);
}

/* --- partitions ----------------------------------------------------------
 */

struct kafka_part *kafka_part_find(struct kafka_reader *r, const char *topic,
                                   int32_t partition)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->v[i].name, topic) == 0) {
            return (uint32_t)partition < r->v[i].partitions
                       ? &r->v[i].part[partition]
                       : NULL;
        }
    }
    return NULL;
}

void kafka_part_route(struct kafka_reader *r, const char *topic,
                      int32_t partition)
{
    rd_kafka_queue_t *q =
        rd_kafka_queue_get_partition(r->h.rk, topic, partition);

    if (q != NULL) {
        rd_kafka_queue_forward(q, r->records);
        rd_kafka_queue_destroy(q);
    }
}

/* --- assignment ----------------------------------------------------------
 */

int kafka_reader_assign(struct kafka_reader *r, struct buf *keys, struct err *e)
{
    char key[KAFKA_KEY];

    if (r->group != NULL && !r->joined && kafka_group_join(r, e) < 0) {
        return -1;
    }
    if (r->group != NULL && kafka_group_settle(r, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < r->n; i++) {
        struct kafka_topic *t = &r->v[i];
        for (uint32_t p = 0; p < t->partitions; p++) {
            if (r->group == NULL) {
                t->part[p].owned =
                    p >= r->partition_min && p <= r->partition_max;
            }
            t->part[p].active = false;
            if (t->part[p].owned) {
                kafka_part_key(r, t, p, key);
                buf_printf(keys, "%s%s", keys->n > 0 ? " " : "", key);
            }
        }
    }
    return 0;
}

int kafka_reader_unbalanced(struct kafka_reader *r, struct err *e)
{
    if (kafka_group_serve(r, 0, e) < 0 || kafka_group_store(r, false, e) < 0) {
        return -1;
    }
    kafka_handle_renew(&r->h);
    if (kafka_trouble_watch(r, e) < 0) {
        return -1;
    }
    return r->grant != NULL || r->revoke != NULL;
}

/* --- where to start ------------------------------------------------------
 */

/* A member is assigned already, at the group's offsets: move it. */
static int move(struct kafka_reader *r, rd_kafka_topic_partition_list_t *list,
                struct err *e)
{
    rd_kafka_error_t *error = rd_kafka_seek_partitions(r->h.rk, list, SEEK_MS);

    if (error != NULL) {
        return kafka_fail_error(e, error, r->group);
    }
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_fail(e, list->elems[i].err, list->elems[i].topic);
        }
    }
    return 0;
}

static int begin_alone(struct kafka_reader *r,
                       rd_kafka_topic_partition_list_t *list, struct err *e)
{
    for (int i = 0; i < list->cnt; i++) {
        kafka_part_route(r, list->elems[i].topic, list->elems[i].partition);
    }
    const rd_kafka_resp_err_t err = rd_kafka_assign(r->h.rk, list);
    return err != RD_KAFKA_RESP_ERR_NO_ERROR ? kafka_fail(e, err, "partitions")
                                             : 0;
}

int kafka_reader_start(struct kafka_reader *r, struct slice pos, struct err *e)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(8);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        for (uint32_t p = 0; rc == 0 && p < r->v[i].partitions; p++) {
            if (r->v[i].part[p].owned) {
                rc = kafka_part_start(r, &r->v[i], p, pos, list, e);
            }
        }
    }
    if (rc == 0 && list->cnt > 0) {
        rc = r->group != NULL ? move(r, list, e) : begin_alone(r, list, e);
    }
    r->stale = r->got;
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* --- records -------------------------------------------------------------
 */

static void take_headers(struct kafka_reader *r, const rd_kafka_message_t *m,
                         struct kafka_record *out)
{
    rd_kafka_headers_t *h;

    out->headers = NULL;
    out->n = 0;
    if (rd_kafka_message_headers(m, &h) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    const size_t n = rd_kafka_header_cnt(h);
    if (n > r->headers_cap) {
        r->headers_cap = n * 2;
        r->headers =
            mem_resize(r->headers, r->headers_cap * sizeof *r->headers);
    }
    for (size_t i = 0; i < n; i++) {
        const char *name;
        const void *value;
        size_t size;
        (void)rd_kafka_header_get_all(h, i, &name, &value, &size);
        r->headers[i] =
            (struct header){slice_of(name), {value, value != NULL ? size : 0}};
    }
    out->headers = r->headers;
    out->n = n;
}

static void give_out(struct kafka_reader *r, const rd_kafka_message_t *m,
                     struct kafka_reader_record *out)
{
    rd_kafka_timestamp_type_t type;

    *out = (struct kafka_reader_record){
        .topic = rd_kafka_topic_name(m->rkt),
        .partition = (uint32_t)m->partition,
        .offset = (uint64_t)m->offset,
        .record = {.key = {m->key, m->key_len}, .value = {m->payload, m->len}},
    };
    const int64_t ms = rd_kafka_message_timestamp(m, &type);
    out->record.time_ms = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? ms : -1;
    take_headers(r, m, &out->record);
}

/* 1 to be given out, 0 not for us. */
static int look_at(struct kafka_reader *r, const rd_kafka_message_t *m,
                   struct err *e)
{
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_trouble_take(r, m, e);
    }
    struct kafka_part *part =
        kafka_part_find(r, rd_kafka_topic_name(m->rkt), m->partition);
    const uint64_t offset = (uint64_t)m->offset;
    if (part == NULL || !part->active) {
        return 0;
    }
    if (r->at > r->stale) {
        if (offset < part->pulled) { /* no checksum is over a batch's offset */
            kafka_trouble_backward(r, m);
            return 0;
        }
        part->pulled = offset + 1;
    }
    if (offset < part->next) {
        return 0;
    }
    if (r->stop_at_end && offset >= part->stop_at) {
        part->ended = true;
        return 0;
    }
    part->next = offset + 1;
    part->ended |= r->stop_at_end && part->next >= part->stop_at;
    return 1;
}

int kafka_reader_next(struct kafka_reader *r, struct kafka_reader_record *out,
                      struct err *e)
{
    while (r->damaged_us == 0) {
        if (r->at == r->got) {
            free_batch(r);
            const ssize_t n = rd_kafka_consume_batch_queue(
                r->records, 0, r->batch, KAFKA_BATCH);
            r->got = n > 0 ? (size_t)n : 0;
            if (r->got == 0) {
                r->empty_us = clock_mono_us();
                return 0;
            }
            kafka_handle_alive(&r->h);
        }
        const rd_kafka_message_t *m = r->batch[r->at++];
        const int rc = look_at(r, m, e);
        if (rc < 0) {
            return -1;
        }
        if (rc == 1) {
            give_out(r, m, out);
            return 1;
        }
    }
    return 0;
}

bool kafka_reader_ended(const struct kafka_reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (uint32_t p = 0; p < r->v[i].partitions; p++) {
            const struct kafka_part *part = &r->v[i].part[p];
            if (part->owned && !part->ended) {
                return false;
            }
        }
    }
    return r->stop_at_end && r->damaged_us == 0;
}

/* --- waiting -------------------------------------------------------------
 */

size_t kafka_reader_fds(const struct kafka_reader *r, struct pollfd *fds,
                        size_t max)
{
    if (max == 0) {
        return 0;
    }
    fds[0] = (struct pollfd){r->h.fd, POLLIN, 0};
    return 1;
}

int kafka_reader_due(const struct kafka_reader *r)
{
    return kafka_group_due(r);
}

void kafka_reader_woken(struct kafka_reader *r)
{
    kafka_handle_woken(&r->h);
}
