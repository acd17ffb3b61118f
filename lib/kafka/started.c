#include "kafka/started.h"

#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "kafka/admin.h"
#include "kafka/producer.h"
#include "kafka/reader.h"

enum { LOOK_MS = 1000 };

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

static int compare(const struct kafka_claims *cs, struct slice key,
                   struct buf *name, struct err *e)
{
    for (size_t i = 0; i < cs->n; i++) {
        name_of(&cs->v[i], name);
        if (!cs->v[i].stored && slice_eq(key, buf_slice(name))) {
            return err_set(e, STATUS_CONFIG,
                           "the position of %s is gone (expired, or deleted), "
                           "and this is no first start: set one with dpp-topic "
                           "reset, or begin anew with --new-position",
                           cs->v[i].key);
        }
    }
    return 0;
}

static int read_through(struct kafka_reader *r, const struct kafka_claims *cs,
                        struct buf *name, struct err *e)
{
    struct kafka_reader_record record;
    int rc = 0;

    while (rc == 0 && !kafka_reader_ended(r)) {
        struct pollfd fd;
        while ((rc = kafka_reader_next(r, &record, e)) == 1) {
            if (compare(cs, record.record.key, name, e) < 0) {
                return -1;
            }
        }
        if (rc == 0 && !kafka_reader_ended(r)) {
            (void)poll(&fd, (nfds_t)kafka_reader_fds(r, &fd, 1), LOOK_MS);
            kafka_reader_woken(r);
            rc = kafka_reader_unbalanced(r, e);
        }
    }
    return rc;
}

int kafka_started_check(const struct kafka_claims *cs,
                        const struct kafka_client *client, struct err *e)
{
    const char *const topics[] = {kafka_cursors};
    const char *unknown;
    bool all = true;
    struct buf name;

    for (size_t i = 0; i < cs->n; i++) {
        all &= cs->v[i].stored;
    }
    if (all) {
        return 0;
    }
    struct kafka_reader *r = kafka_reader_open(
        client,
        &(struct kafka_reader_conf){.topics = topics,
                                    .n = 1,
                                    .partition_max = UINT32_MAX,
                                    .stop_at_end = true},
        &unknown, e);
    if (r == NULL) {
        return -1;
    }
    buf_init(&name);
    int rc = kafka_reader_assign(r, &name, e);
    if (rc == 0) {
        rc = kafka_reader_start(r, (struct slice){"", 0}, e);
    }
    if (rc == 0) {
        rc = read_through(r, cs, &name, e);
    }
    buf_release(&name);
    kafka_reader_close(r);
    return rc;
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
            rc = kafka_producer_send(p, kafka_cursors, &record, NULL, e);
        }
    }
    buf_release(&name);
    return rc == 0 ? 0 : -1;
}
