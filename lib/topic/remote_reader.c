#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/reader.h"
#include "topic/remote.h"

struct remote_reader {
    struct topic_reader base;
    const struct remote_store *store;
    struct kafka_reader *kafka;
    char **topics; /* by their names in the cluster */
    size_t n;
    char *group;
    struct kafka_scratch scratch;
    struct buf line;
};

static struct kafka_reader *kafka_of(const struct topic_reader *base)
{
    return ((const struct remote_reader *)base)->kafka;
}

/* Topics and group by their names in the cluster. */
static void rename_all(struct remote_reader *r,
                       const struct topic_reader_conf *conf)
{
    r->topics = mem_new(conf->n * sizeof *r->topics);
    for (size_t i = 0; i < conf->n; i++) {
        r->topics[r->n++] = remote_name(r->store, conf->topics[i]);
    }
    r->group = conf->group != NULL ? remote_name(r->store, conf->group) : NULL;
}

struct topic_reader *remote_reader_open(struct topic_store *store,
                                        const struct topic_reader_conf *conf,
                                        struct err *e)
{
    struct remote_reader *r = mem_new(sizeof *r);
    const char *unknown = NULL;

    r->store = (struct remote_store *)store;
    kafka_scratch_init(&r->scratch);
    rename_all(r, conf);
    struct kafka_reader_conf kafka = {
        .topics = (const char *const *)r->topics,
        .n = r->n,
        .group = r->group,
        .space = strlen(r->store->space),
        .partition_min = conf->partition_min,
        .partition_max = conf->partition_max,
        .stop_at_end = conf->stop_at_end,
    };
    if (start_parse(&kafka.start, conf->from, e) == 0) {
        r->kafka = kafka_reader_open(r->store->client, &kafka, &unknown, e);
    }
    if (unknown != NULL) {
        (void)remote_unknown(store, remote_own_name(r->store, unknown), e);
    }
    if (r->kafka == NULL) {
        remote_reader_close(&r->base);
        return NULL;
    }
    return &r->base;
}

void remote_reader_close(struct topic_reader *base)
{
    struct remote_reader *r = (struct remote_reader *)base;

    kafka_reader_close(r->kafka);
    kafka_scratch_release(&r->scratch);
    buf_release(&r->line);
    for (size_t i = 0; i < r->n; i++) {
        free(r->topics[i]);
    }
    free(r->topics);
    free(r->group);
    free(r);
}

int remote_reader_assign(struct topic_reader *base, struct buf *keys,
                         struct err *e)
{
    return kafka_reader_assign(kafka_of(base), keys, e);
}

int remote_reader_start(struct topic_reader *base, struct slice pos,
                        struct err *e)
{
    return kafka_reader_start(kafka_of(base), pos, e);
}

int remote_reader_next(struct topic_reader *base, struct topic_record *out,
                       struct err *e)
{
    struct remote_reader *r = (struct remote_reader *)base;
    struct kafka_reader_record k;
    const int rc = kafka_reader_next(r->kafka, &k, e);

    if (rc == 1) {
        const char *topic = remote_own_name(r->store, k.topic);
        buf_clear(&r->line);
        kafka_record_decode(&r->scratch, &k.record, topic, k.partition,
                            k.offset, &r->line);
        *out = (struct topic_record){topic, k.partition, k.offset,
                                     buf_slice(&r->line)};
    }
    return rc;
}

bool remote_reader_ended(const struct topic_reader *base)
{
    return kafka_reader_ended(kafka_of(base));
}

void remote_reader_position(struct topic_reader *base, struct buf *pos)
{
    kafka_reader_position(kafka_of(base), pos);
}

int remote_reader_store(struct topic_reader *base, struct slice pos,
                        struct err *e)
{
    return kafka_reader_commit(kafka_of(base), pos, e);
}

int remote_reader_unbalanced(struct topic_reader *base, struct err *e)
{
    return kafka_reader_unbalanced(kafka_of(base), e);
}

int remote_reader_due(const struct topic_reader *base)
{
    return kafka_reader_due(kafka_of(base));
}

uint64_t remote_reader_lag(const struct topic_reader *base)
{
    return kafka_reader_lag(kafka_of(base));
}

size_t remote_reader_fds(const struct topic_reader *base, struct pollfd *fds,
                         size_t max)
{
    return kafka_reader_fds(kafka_of(base), fds, max);
}

void remote_reader_woken(struct topic_reader *base)
{
    kafka_reader_woken(kafka_of(base));
}
