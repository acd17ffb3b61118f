/* All watches of a store are of one group, and share one handle. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "kafka/watch.h"
#include "topic/remote.h"

struct remote_watch {
    struct topic_watch base;
    struct kafka_watch *kafka; /* the store's */
    size_t topic;
};

static struct kafka_watch *kafka_of(const struct topic_watch *base)
{
    return ((const struct remote_watch *)base)->kafka;
}

struct topic_watch *remote_watch_open(struct topic_store *store,
                                      const char *group, const char *topic,
                                      struct err *e)
{
    struct remote_store *s = (struct remote_store *)store;
    char *real_group = remote_name(s, group);

    if (s->watch == NULL) {
        s->watch = kafka_watch_open(s->client, real_group, e);
    }
    free(real_group);
    if (s->watch == NULL) {
        return NULL;
    }
    char *real = remote_name(s, topic);
    size_t number;
    const int rc = kafka_watch_add(s->watch, real, &number, e);
    free(real);
    if (rc < 0) {
        return NULL;
    }
    struct remote_watch *w = mem_new(sizeof *w);
    w->kafka = s->watch;
    w->topic = number;
    return &w->base;
}

void remote_watch_close(struct topic_watch *base)
{
    free((struct remote_watch *)base);
}

const uint64_t *remote_watch_read(struct topic_watch *base,
                                  uint32_t *partitions, struct err *e)
{
    struct remote_watch *w = (struct remote_watch *)base;

    return kafka_watch_poll(w->kafka, e) == 0
               ? kafka_watch_next(w->kafka, w->topic, partitions)
               : NULL;
}

int remote_watch_fd(const struct topic_watch *base)
{
    return kafka_watch_fd(kafka_of(base));
}

int remote_watch_due(const struct topic_watch *base)
{
    return kafka_watch_due(kafka_of(base));
}
