#include "topic/admin.h"

#include "topic/backend.h"

int topic_list(struct topic_store *s, topic_show_fn *fn, void *arg,
               struct err *e)
{
    return s->backend->list(s, fn, arg, e);
}

int topic_create(struct topic_store *s, const char *topic,
                 const struct topic_conf *conf, struct err *e)
{
    return topic_name_check(topic, e) < 0
               ? -1
               : s->backend->create(s, topic, conf, e);
}

int topic_show(struct topic_store *s, const char *topic,
               struct topic_info *info, struct err *e)
{
    return topic_name_check(topic, e) < 0 ? -1
                                          : s->backend->show(s, topic, info, e);
}

int topic_groups(struct topic_store *s, const char *topic, topic_group_fn *fn,
                 void *arg, struct err *e)
{
    return topic_name_check(topic, e) < 0
               ? -1
               : s->backend->groups(s, topic, fn, arg, e);
}

int topic_reset(struct topic_store *s, const char *topic, const char *group,
                const char *from, uint64_t *offset, struct err *e)
{
    if (topic_name_check(topic, e) < 0 || topic_name_check(group, e) < 0) {
        return -1;
    }
    return s->backend->reset(s, topic, group, from, offset, e);
}

int topic_verify(struct topic_store *s, const char *topic, topic_fault_fn *fn,
                 void *arg, uint64_t *records, struct err *e)
{
    return topic_name_check(topic, e) < 0
               ? -1
               : s->backend->verify(s, topic, fn, arg, records, e);
}

int topic_remove(struct topic_store *s, const char *topic, struct err *e)
{
    return topic_name_check(topic, e) < 0 ? -1
                                          : s->backend->remove(s, topic, e);
}
