#include "kafka/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/handle.h"
#include "kafka/offsets.h"
#include "kafka/place.h"
#include "kafka/spread.h"

struct kafka_admin {
    struct kafka_handle h;
};

struct kafka_admin *kafka_admin_open(const struct kafka_client *client,
                                     struct err *e)
{
    /* a consumer's handle: a producer's crashes where the coordinator is not
     * ready (librdkafka issue 5040); it joins no group */
    static const struct kafka_setting extra[] = {{"group.id", "dpp-admin"},
                                                 {NULL, NULL}};
    struct kafka_admin *a = mem_new(sizeof *a);

    if (kafka_handle_open(&a->h, client, RD_KAFKA_CONSUMER, 0, extra, e) < 0) {
        free(a);
        return NULL;
    }
    return a;
}

void kafka_admin_close(struct kafka_admin *a)
{
    if (a != NULL) {
        kafka_handle_close(&a->h);
        free(a);
    }
}

const char *kafka_admin_cluster(struct kafka_admin *a, struct err *e)
{
    return a->h.cluster[0] != '\0' || kafka_handle_cluster(&a->h, e) == 0
               ? a->h.cluster
               : NULL;
}

/* --- asking ---------------------------------------------------------------
 */

/* What a question goes out with; its answer comes to the queue. */
struct question {
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_event_t *answer; /* or NULL */
};

static struct question question_new(struct kafka_admin *a,
                                    rd_kafka_admin_op_t op)
{
    const struct question q = {
        .queue = rd_kafka_queue_new(a->h.rk),
        .options = rd_kafka_AdminOptions_new(a->h.rk, op),
    };
    char why[200];

    (void)rd_kafka_AdminOptions_set_request_timeout(q.options, KAFKA_START_MS,
                                                    why, sizeof why);
    return q;
}

static void question_release(struct question *q)
{
    if (q->answer != NULL) {
        rd_kafka_event_destroy(q->answer);
    }
    rd_kafka_AdminOptions_destroy(q->options);
    rd_kafka_queue_destroy(q->queue);
}

static int await(struct kafka_admin *a, struct question *q, const char *what,
                 struct err *e)
{
    rd_kafka_event_t *other;

    while (q->answer == NULL) {
        q->answer = rd_kafka_queue_poll(q->queue, 100);
        while ((other = rd_kafka_queue_poll(a->h.queue, 0)) != NULL) {
            const int rc = kafka_handle_event(&a->h, other, e);
            rd_kafka_event_destroy(other);
            if (rc < 0) {
                return -1;
            }
        }
    }
    const rd_kafka_resp_err_t err = rd_kafka_event_error(q->answer);
    return err != RD_KAFKA_RESP_ERR_NO_ERROR ? kafka_fail(e, err, what) : 0;
}

/* --- topics ---------------------------------------------------------------
 */

static int each_topic(const struct rd_kafka_metadata *m, kafka_topic_fn *fn,
                      void *arg, struct err *e)
{
    for (int i = 0; i < m->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &m->topics[i];
        if (strncmp(t->topic, "__", 2) != 0 && t->partition_cnt > 0 &&
            fn(arg, t->topic, (uint32_t)t->partition_cnt,
               (uint32_t)t->partitions[0].replica_cnt, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int kafka_admin_topics(struct kafka_admin *a, kafka_topic_fn *fn, void *arg,
                       struct err *e)
{
    const struct rd_kafka_metadata *m;

    if (kafka_handle_cluster(&a->h, e) < 0) { /* with refusals told apart */
        return -1;
    }
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(a->h.rk, 1, NULL, &m, KAFKA_START_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(e, err, "topics");
    }
    const int rc = each_topic(m, fn, arg, e);
    rd_kafka_metadata_destroy(m);
    return rc;
}

struct wanted {
    const char *topic;
    uint32_t partitions;
    uint32_t replicas;
};

static int compare(void *arg, const char *topic, uint32_t partitions,
                   uint32_t replicas, struct err *e)
{
    struct wanted *w = arg;

    (void)e;
    if (strcmp(topic, w->topic) == 0) {
        w->partitions = partitions;
        w->replicas = replicas;
    }
    return 0;
}

int kafka_admin_topic(struct kafka_admin *a, const char *topic,
                      uint32_t *partitions, uint32_t *replicas, struct err *e)
{
    const struct rd_kafka_metadata *m;
    struct wanted w = {.topic = topic};

    if (kafka_handle_partitions(&a->h, topic, partitions, KAFKA_START_MS, e) <
        0) {
        return -1;
    }
    if (*partitions == 0) {
        return 0;
    }
    rd_kafka_topic_t *t = rd_kafka_topic_new(a->h.rk, topic, NULL);
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(a->h.rk, 0, t, &m, KAFKA_START_MS);
    rd_kafka_topic_destroy(t);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(e, err, topic);
    }
    (void)each_topic(m, compare, &w, e);
    rd_kafka_metadata_destroy(m);
    *replicas = w.replicas;
    return 1;
}

int kafka_admin_bounds(struct kafka_admin *a, const char *topic, uint32_t p,
                       uint64_t *begin, uint64_t *end, struct err *e)
{
    return kafka_place_bounds(&a->h, topic, p, begin, end, e);
}

int kafka_admin_find(struct kafka_admin *a, const char *topic, uint32_t p,
                     const struct start *from, uint64_t *offset, struct err *e)
{
    return kafka_place_find(&a->h, topic, p, from, offset, e);
}

static void set_number(rd_kafka_NewTopic_t *t, const char *name, uint64_t value)
{
    char text[32];

    if (value > 0) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        (void)rd_kafka_NewTopic_set_config(t, name, text);
    }
}

/* The one topic's result of an answer. */
static int judge(const rd_kafka_topic_result_t *result, const char *topic,
                 struct err *e)
{
    const rd_kafka_resp_err_t err = rd_kafka_topic_result_error(result);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return err_set(e, STATUS_CONFIG, "topic %s is there already", topic);
    }
    (void)kafka_fail(e, err, topic);
    return e->status != STATUS_RETRY
               ? -1 /* else it is what the request asks for */
               : err_set(e, STATUS_CONFIG, "topic %s: %s", topic,
                         rd_kafka_topic_result_error_string(result));
}

/* The end of a question that makes a topic, or removes one. */
static int conclude(struct kafka_admin *a, struct question *q,
                    const char *topic, bool there, struct err *e)
{
    const rd_kafka_topic_result_t **result = NULL;
    size_t n = 0;
    int rc = await(a, q, topic, e);

    if (rc == 0 && there) {
        result = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(q->answer), &n);
    } else if (rc == 0) {
        result = rd_kafka_DeleteTopics_result_topics(
            rd_kafka_event_DeleteTopics_result(q->answer), &n);
    }
    if (n == 1) {
        rc = judge(result[0], topic, e);
    }
    question_release(q);
    return rc == 0 ? kafka_spread_await(&a->h, topic, there, e) : -1;
}

int kafka_admin_create(struct kafka_admin *a, const char *topic,
                       const struct kafka_topic_conf *conf, struct err *e)
{
    char why[300];
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(
        topic, (int)conf->partitions,
        conf->replicas > 0 ? (int)conf->replicas : -1, why, sizeof why);

    if (t == NULL) {
        return err_set(e, STATUS_USAGE, "topic %s: %s", topic, why);
    }
    set_number(t, "min.insync.replicas", conf->min_in_sync);
    set_number(t, "retention.bytes", conf->retain_bytes);
    set_number(t, "retention.ms", conf->retain_ms);
    if (conf->is_compacted) {
        (void)rd_kafka_NewTopic_set_config(t, "cleanup.policy", "compact");
    }
    struct question q = question_new(a, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_operation_timeout(
        q.options, KAFKA_START_MS / 2, why, sizeof why);
    rd_kafka_CreateTopics(a->h.rk, &t, 1, q.options, q.queue);
    rd_kafka_NewTopic_destroy(t);
    return conclude(a, &q, topic, true, e);
}

int kafka_admin_remove(struct kafka_admin *a, const char *topic, struct err *e)
{
    rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(topic);
    struct question q = question_new(a, RD_KAFKA_ADMIN_OP_DELETETOPICS);

    rd_kafka_DeleteTopics(a->h.rk, &t, 1, q.options, q.queue);
    rd_kafka_DeleteTopic_destroy(t);
    return conclude(a, &q, topic, false, e);
}

/* --- settings -------------------------------------------------------------
 */

static void read_entry(const rd_kafka_ConfigEntry_t *entry,
                       struct kafka_topic_conf *conf)
{
    const char *name = rd_kafka_ConfigEntry_name(entry);
    const char *value = rd_kafka_ConfigEntry_value(entry);
    const long long n = value != NULL ? atoll(value) : 0;
    const uint64_t positive = n > 0 ? (uint64_t)n : 0;

    if (strcmp(name, "retention.ms") == 0) {
        conf->retain_ms = positive;
    } else if (strcmp(name, "retention.bytes") == 0) {
        conf->retain_bytes = positive;
    } else if (strcmp(name, "min.insync.replicas") == 0) {
        conf->min_in_sync = (uint32_t)positive;
    }
}

int kafka_admin_conf(struct kafka_admin *a, const char *topic,
                     struct kafka_topic_conf *conf, struct err *e)
{
    rd_kafka_ConfigResource_t *r =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    struct question q = question_new(a, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    size_t n = 0;
    size_t entries = 0;

    rd_kafka_DescribeConfigs(a->h.rk, &r, 1, q.options, q.queue);
    rd_kafka_ConfigResource_destroy(r);
    const int rc = await(a, &q, topic, e);
    if (rc == 0) {
        const rd_kafka_ConfigResource_t **result =
            rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(q.answer), &n);
        const rd_kafka_ConfigEntry_t **entry =
            n == 1 ? rd_kafka_ConfigResource_configs(result[0], &entries)
                   : NULL;
        for (size_t i = 0; i < entries; i++) {
            read_entry(entry[i], conf);
        }
    }
    question_release(&q);
    return rc;
}

/* --- groups ---------------------------------------------------------------
 */

int kafka_admin_groups(struct kafka_admin *a, kafka_group_fn *fn, void *arg,
                       struct err *e)
{
    struct question q = question_new(a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    size_t n = 0;

    rd_kafka_ListConsumerGroups(a->h.rk, q.options, q.queue);
    int rc = await(a, &q, "groups", e);
    if (rc == 0) {
        const rd_kafka_ConsumerGroupListing_t **list =
            rd_kafka_ListConsumerGroups_result_valid(
                rd_kafka_event_ListConsumerGroups_result(q.answer), &n);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = fn(arg, rd_kafka_ConsumerGroupListing_group_id(list[i]), e);
        }
    }
    question_release(&q);
    return rc;
}

int kafka_admin_offsets(struct kafka_admin *a, const char *group, bool stable,
                        kafka_offset_fn *fn, void *arg, struct err *e)
{
    return kafka_offsets_read(a->h.rk, group, stable, fn, arg, e);
}

static int judge_offsets(rd_kafka_event_t *ev, const char *group, struct err *e)
{
    size_t n = 0;
    const rd_kafka_group_result_t **result =
        rd_kafka_AlterConsumerGroupOffsets_result_groups(
            rd_kafka_event_AlterConsumerGroupOffsets_result(ev), &n);

    for (size_t i = 0; i < n; i++) {
        const rd_kafka_error_t *error = rd_kafka_group_result_error(result[i]);
        const rd_kafka_topic_partition_list_t *list =
            rd_kafka_group_result_partitions(result[i]);
        rd_kafka_resp_err_t err = error != NULL ? rd_kafka_error_code(error)
                                                : RD_KAFKA_RESP_ERR_NO_ERROR;
        for (int k = 0; err == 0 && list != NULL && k < list->cnt; k++) {
            err = list->elems[k].err;
        }
        if (err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
            err == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP) {
            return err_set(e, STATUS_RETRY,
                           "group %s has members: stop them first", group);
        }
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_fail(e, err, group);
        }
    }
    return 0;
}

int kafka_admin_set_offsets(struct kafka_admin *a, const char *group,
                            const char *topic, const uint64_t *offsets,
                            uint32_t n, const char *metadata, struct err *e)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)n);
    struct question q =
        question_new(a, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);

    for (uint32_t p = 0; p < n; p++) {
        rd_kafka_topic_partition_t *to =
            rd_kafka_topic_partition_list_add(list, topic, (int32_t)p);
        to->offset = (int64_t)offsets[p];
        to->metadata = mem_strdup(metadata);
        to->metadata_size = strlen(metadata);
    }
    rd_kafka_AlterConsumerGroupOffsets_t *g =
        rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AlterConsumerGroupOffsets(a->h.rk, &g, 1, q.options, q.queue);
    rd_kafka_AlterConsumerGroupOffsets_destroy(g);
    const int rc =
        await(a, &q, group, e) == 0 ? judge_offsets(q.answer, group, e) : -1;
    question_release(&q);
    return rc;
}
