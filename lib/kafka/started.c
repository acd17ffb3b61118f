#include "kafka/started.h"

#include "base/err.h"
#include "kafka/admin.h"
#include "kafka/producer.h"
#include "kafka/reader.h"
#include "kafka/through.h"

int kafka_started_prepare(struct kafka_admin *admin, struct err *e)
{
    static const struct kafka_topic_conf conf = {.partitions = 1,
                                                 .is_compacted = true};
    uint32_t partitions;
    uint32_t replicas;
    const int there =
        kafka_admin_topic(admin, kafka_cursors, &partitions, &replicas, e);

    if (there != 0) {
        return there < 0 ? -1 : 0;
    }
    if (kafka_admin_create(admin, kafka_cursors, &conf, e) == 0) {
        return 0;
    }
    /* made meanwhile? */
    struct err ignored;
    return kafka_admin_topic(admin, kafka_cursors, &partitions, &replicas,
                             &ignored) == 1
               ? 0
               : -1;
}

/* The name of a claim's record. */
static void name_of(const struct kafka_claim *c, struct buf *name)
{
    buf_clear(name);
    buf_printf(name, "%s %s", c->group, c->key);
}

struct search {
    const struct kafka_claims *claims;
    struct buf name;
};

/* -1: a key without a position that was started before. */
static int compare(void *arg, const struct kafka_reader_record *r,
                   struct err *e)
{
    struct search *s = arg;

    for (size_t i = 0; i < s->claims->n; i++) {
        const struct kafka_claim *c = &s->claims->v[i];
        name_of(c, &s->name);
        if (!c->stored && slice_eq(r->record.key, buf_slice(&s->name))) {
            return err_set(e, STATUS_CONFIG,
                           "the position of %s is gone (expired, or deleted), "
                           "and this is no first start: set one with dpp-topic "
                           "reset, or begin anew with --new-position",
                           c->key);
        }
    }
    return 0;
}

int kafka_started_check(const struct kafka_claims *cs,
                        const struct kafka_client *client, struct err *e)
{
    struct search s = {.claims = cs};
    bool all = true;

    for (size_t i = 0; i < cs->n; i++) {
        all &= cs->v[i].stored;
    }
    if (all) {
        return 0;
    }
    buf_init(&s.name);
    const int rc = kafka_through(client, kafka_cursors, compare, &s, e);
    buf_release(&s.name);
    return rc == 0 ? 0 : -1;
}

int kafka_started_mark(const struct kafka_claims *cs, struct kafka_producer *p,
                       struct err *e)
{
    uint32_t partitions;
    struct buf name;
    int rc = 0;

    if (kafka_producer_topic(p, kafka_cursors, &partitions, e) < 0) {
        return -1;
    }
    buf_init(&name);
    for (size_t i = 0; rc == 0 && i < cs->n; i++) {
        if (!cs->v[i].stored) {
            name_of(&cs->v[i], &name);
            const struct kafka_record record = {.key = buf_slice(&name),
                                                .value = SLICE("started"),
                                                .time_ms = -1};
            rc = kafka_producer_send(p, kafka_producer_find(p, kafka_cursors),
                                     &record, -1, NULL, e);
        }
    }
    buf_release(&name);
    return rc == 0 ? 0 : -1;
}
