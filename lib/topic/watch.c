#include "topic/watch.h"

#include "topic/backend.h"

struct topic_watch *topic_watch_open(struct topic_store *s, const char *group,
                                     const char *topic, struct err *e)
{
    struct topic_watch *w = s->backend->watch_open(s, group, topic, e);

    if (w != NULL) {
        w->backend = s->backend;
    }
    return w;
}

void topic_watch_close(struct topic_watch *w)
{
    if (w != NULL) {
        w->backend->watch_close(w);
    }
}

const uint64_t *topic_watch_read(struct topic_watch *w, uint32_t *partitions,
                                 struct err *e)
{
    return w->backend->watch_read(w, partitions, e);
}

int topic_watch_fd(const struct topic_watch *w)
{
    return w->backend->watch_fd(w);
}

int topic_watch_due(const struct topic_watch *w)
{
    return w->backend->watch_due(w);
}
