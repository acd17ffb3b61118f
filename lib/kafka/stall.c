#include "kafka/stall.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/msg.h"
#include "kafka/client.h"
#include "kafka/handle.h"

enum { LONG_MS = 10000, ASK_MS = 4000, MS = 1000 };

bool kafka_stall_is_long(struct kafka_stall *s, bool stands)
{
    const uint64_t now = clock_mono_us();

    if (!stands) {
        *s = (struct kafka_stall){0};
        return false;
    }
    s->since_us = s->since_us == 0 ? now : s->since_us;
    if (s->told || now < s->since_us + (uint64_t)LONG_MS * MS) {
        return false;
    }
    s->told = true;
    return true;
}

int kafka_stall_due(const struct kafka_stall *s)
{
    const uint64_t now = clock_mono_us();
    const uint64_t at = s->since_us + (uint64_t)LONG_MS * MS;

    if (s->told) {
        return -1;
    }
    return s->since_us == 0 ? LONG_MS
           : at <= now      ? 0
                            : (int)((at - now) / MS + 1);
}

/* --- why -----------------------------------------------------------------
 */

static bool is_in(const int32_t *list, int n, int32_t id)
{
    for (int i = 0; i < n; i++) {
        if (list[i] == id) {
            return true;
        }
    }
    return false;
}

/* The brokers that hold a copy that is not in sync. */
static void list_away(const struct rd_kafka_metadata_partition *p,
                      struct buf *out)
{
    for (int i = 0; i < p->replica_cnt; i++) {
        if (!is_in(p->isrs, p->isr_cnt, p->replicas[i]) || p->leader < 0) {
            buf_printf(out, "%s%d", out->n > 0 ? ", " : "", p->replicas[i]);
        }
    }
}

static bool is_short(const struct rd_kafka_metadata_partition *p)
{
    return p->leader < 0 || p->isr_cnt < p->replica_cnt;
}

/* The first partition that is short of brokers, and how many are. */
static int find_short(const struct rd_kafka_metadata *m, const char **topic,
                      const struct rd_kafka_metadata_partition **found)
{
    int n = 0;

    for (int i = 0; i < m->topic_cnt; i++) {
        for (int j = 0; j < m->topics[i].partition_cnt; j++) {
            const struct rd_kafka_metadata_partition *p =
                &m->topics[i].partitions[j];
            if (is_short(p) && n++ == 0) {
                *topic = m->topics[i].topic;
                *found = p;
            }
        }
    }
    return n;
}

static void tell_short(const char *topic,
                       const struct rd_kafka_metadata_partition *p, int n)
{
    struct buf away;
    char more[48] = "";

    buf_init(&away);
    list_away(p, &away);
    if (n > 1) {
        (void)snprintf(more, sizeof more, " (so it is with %d partitions)", n);
    }
    if (p->leader < 0) {
        msg_warn("%s/%d: nothing is acknowledged: no broker leads it; waiting "
                 "for one of those that have it, %s%s",
                 topic, p->id, buf_cstr(&away), more);
    } else {
        msg_warn("%s/%d: nothing is acknowledged: %d of %d copies in sync, and "
                 "min.insync.replicas may ask for more; waiting for broker "
                 "%s%s",
                 topic, p->id, p->isr_cnt, p->replica_cnt, buf_cstr(&away),
                 more);
    }
    buf_release(&away);
}

/* On connections of its own: on the others a request may wait behind one that
 * waits for copies. */
static const struct rd_kafka_metadata *ask(struct kafka_handle *h,
                                           const struct kafka_client *client,
                                           const struct map *topics)
{
    /* who does not answer is not waited for at the end either */
    static const struct kafka_setting hasty[] = {
        {"socket.timeout.ms", "2000"},
        {"api.version.request.timeout.ms", "2000"},
        {NULL, NULL},
    };
    const struct rd_kafka_metadata *m = NULL;
    const struct map_slot *slot;
    struct err ignored;
    size_t at = 0;

    if (kafka_handle_open(h, client, RD_KAFKA_PRODUCER, 0, hasty, &ignored) <
        0) {
        return NULL;
    }
    while ((slot = map_next(topics, &at)) != NULL) {
        rd_kafka_topic_t *t =
            rd_kafka_topic_new(h->rk, rd_kafka_topic_name(slot->value), NULL);
        if (t != NULL) {
            rd_kafka_topic_destroy(t);
        }
    }
    (void)rd_kafka_metadata(h->rk, 0, NULL, &m, ASK_MS);
    return m;
}

/* rd_kafka_query_watermark_offsets() of 2.0.2 never gives up. */
static bool is_deaf(struct kafka_handle *own, const char *topic, int32_t id)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, id)->offset = 0;
    const rd_kafka_resp_err_t err =
        rd_kafka_offsets_for_times(own->rk, list, ASK_MS);
    rd_kafka_topic_partition_list_destroy(list);
    return err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The first partition whose leader does not answer, though others do. */
static const struct rd_kafka_metadata_partition *
find_deaf(struct kafka_handle *own, const struct rd_kafka_metadata *m,
          const char **topic)
{
    for (int i = 0; i < m->topic_cnt; i++) {
        *topic = m->topics[i].topic;
        for (int j = 0; j < m->topics[i].partition_cnt; j++) {
            if (is_deaf(own, *topic, m->topics[i].partitions[j].id)) {
                return &m->topics[i].partitions[j];
            }
        }
    }
    return NULL;
}

void kafka_stall_tell(struct kafka_handle *h, const struct map *topics)
{
    const struct rd_kafka_metadata_partition *p = NULL;
    const char *topic = NULL;
    struct kafka_handle own;
    const struct rd_kafka_metadata *m = ask(&own, h->client, topics);
    const int n = m != NULL ? find_short(m, &topic, &p) : 0;

    if (n > 0) {
        tell_short(topic, p, n);
    } else if (m != NULL && (p = find_deaf(&own, m, &topic)) != NULL) {
        msg_warn("%s/%d: nothing is acknowledged: broker %d leads it, and does "
                 "not answer; waiting for it, or for another leader",
                 topic, p->id, p->leader);
    } else {
        msg_warn("kafka://%s: nothing is acknowledged; waiting%s%s",
                 kafka_client_servers(h->client),
                 h->reason[0] != '\0' ? ": " : "", h->reason);
    }
    if (m != NULL) {
        rd_kafka_metadata_destroy(m);
    }
    kafka_handle_close(&own);
}
