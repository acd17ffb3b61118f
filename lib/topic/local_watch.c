#include <stdlib.h>

#include "base/mem.h"
#include "log/watch.h"
#include "topic/local.h"

struct local_watch {
    struct topic_watch base;
    struct log_watch *log;
};

struct topic_watch *local_watch_open(struct topic_store *store,
                                     const char *group, const char *topic,
                                     struct err *e)
{
    struct local_store *s = (struct local_store *)store;
    struct log_watch *log = log_watch_open(s->log, group, topic, e);

    if (log == NULL) {
        return NULL;
    }
    struct local_watch *w = mem_new(sizeof *w);
    w->log = log;
    return &w->base;
}

void local_watch_close(struct topic_watch *base)
{
    struct local_watch *w = (struct local_watch *)base;

    log_watch_close(w->log);
    free(w);
}

const uint64_t *local_watch_read(struct topic_watch *base, uint32_t *partitions,
                                 struct err *e)
{
    return log_watch_read(((struct local_watch *)base)->log, partitions, e);
}

int local_watch_fd(const struct topic_watch *base)
{
    return log_watch_fd(((const struct local_watch *)base)->log);
}

int local_watch_due(const struct topic_watch *base)
{
    return log_watch_due(((const struct local_watch *)base)->log);
}
