#include "topic/local.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "vault/ref.h"

static int use_keys(struct log *log, const struct topic_store_conf *conf,
                    struct err *e)
{
    int rc = conf->secret != NULL ? log_key_read(log, conf->secret, e) : 0;

    for (size_t i = 0; rc == 0 && i < conf->property.n; i++) {
        const char *text = conf->property.v[i];
        const char *ref = ref_after(text, "key=");
        rc = ref == NULL ? err_set(e, STATUS_USAGE,
                                   "-X %.*s: a log has one property: key=REF",
                                   (int)strcspn(text, "="), text)
                         : log_key_read(log, ref, e);
    }
    return rc;
}

static struct topic_store *
open_store(const char *dir, const struct topic_store_conf *conf, struct err *e)
{
    struct log *log = log_open(dir, e);

    if (log == NULL) {
        return NULL;
    }
    if (use_keys(log, conf, e) < 0) {
        log_close(log);
        return NULL;
    }
    struct local_store *s = mem_new(sizeof *s);
    s->log = log;
    return &s->base;
}

static void close_store(struct topic_store *base)
{
    struct local_store *s = (struct local_store *)base;

    log_close(s->log);
    free(s);
}

int local_unknown(const struct topic_store *s, const char *topic, struct err *e)
{
    return err_set(e, STATUS_UNREACHABLE,
                   "no topic \"%s\" in %s; make it with: dpp-topic -b %s "
                   "create %s",
                   topic, s->name, s->name, topic);
}

int local_load(struct topic_store *base, const char *topic, struct log_topic *t,
               struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    const int rc = log_topic_load(s->log, topic, t, e);

    return rc == 0 ? local_unknown(base, topic, e) : rc < 0 ? -1 : 0;
}

int local_resolve(struct log_reader *log, const struct log_stat *stat,
                  const struct start *from, uint64_t *offset, struct err *e)
{
    switch (from->from) {
    case START_BEGINNING:
        *offset = stat->begin;
        return 0;
    case START_END:
        *offset = stat->end;
        return 0;
    case START_OFFSET:
        *offset = from->value;
        return 0;
    case START_BACK:
        *offset = stat->end - stat->begin > from->value
                      ? stat->end - from->value
                      : stat->begin;
        return 0;
    case START_TIME:
        return log_reader_find_time(log, from->value, offset, e);
    }
    return 0;
}

/* --- admin ---------------------------------------------------------------- */

static int show(struct topic_store *base, const char *topic,
                struct topic_info *info, struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct log_topic t;
    struct log_stat stat;

    if (local_load(base, topic, &t, e) < 0 ||
        log_topic_stat(s->log, topic, &stat, e) < 0) {
        return -1;
    }
    *info = (struct topic_info){
        .conf = {.partitions = t.partitions,
                 .retain_bytes = t.retain_bytes,
                 .retain_ms = t.retain_ms,
                 .group_expiry_ms = t.group_expiry_ms},
        .begin = stat.begin,
        .end = stat.end,
        .bytes = stat.bytes,
        .segments = stat.segments,
    };
    memcpy(info->id, t.id, sizeof info->id);
    return 0;
}

static int list(struct topic_store *base, topic_show_fn *fn, void *arg,
                struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct log_names names = {0};
    struct topic_info info;
    int rc = log_topic_list(s->log, &names, e);

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        rc = show(base, names.v[i], &info, e);
        if (rc == 0) {
            fn(arg, names.v[i], &info);
        }
    }
    log_names_release(&names);
    return rc;
}

static int create(struct topic_store *base, const char *topic,
                  const struct topic_conf *conf, struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct log_topic t = {.partitions = (uint32_t)conf->partitions,
                          .retain_bytes = conf->retain_bytes,
                          .retain_ms = conf->retain_ms,
                          .group_expiry_ms = conf->group_expiry_ms};

    if (conf->replicas > 1 || conf->min_in_sync > 1) {
        return err_set(e, STATUS_USAGE,
                       "%s keeps one copy of a topic: --replicas and "
                       "--min-insync are for brokers (-b kafka://HOST:PORT)",
                       base->name);
    }
    return log_topic_create(s->log, topic, &t, e);
}

static int show_group(struct local_store *s, const char *topic,
                      const struct log_topic *t, uint64_t end,
                      struct topic_group_pos *pos, topic_group_fn *fn,
                      void *arg, struct err *e)
{
    struct log_group *g = log_group_open(s->log, pos->group, topic, e);
    int rc = g == NULL ? -1 : 0;

    for (uint32_t p = 0; rc == 0 && p < t->partitions; p++) {
        pos->partition = p;
        pos->end = end;
        pos->has_offset = log_group_read(g, p, &pos->offset, e);
        if (pos->has_offset < 0) {
            rc = -1;
        } else {
            fn(arg, pos);
        }
    }
    if (g != NULL) {
        log_group_close(g);
    }
    return rc;
}

static int groups(struct topic_store *base, const char *topic,
                  topic_group_fn *fn, void *arg, struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct log_names names = {0};
    struct log_topic t;
    struct log_stat stat;

    if (local_load(base, topic, &t, e) < 0 ||
        log_topic_stat(s->log, topic, &stat, e) < 0) {
        return -1;
    }
    int rc = log_group_list(s->log, topic, &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        struct topic_group_pos pos = {.group = names.v[i]};
        rc = show_group(s, topic, &t, stat.end, &pos, fn, arg, e);
    }
    log_names_release(&names);
    return rc;
}

static int reset(struct topic_store *base, const char *topic, const char *group,
                 const char *from, uint64_t *offset, struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct start start;
    struct log_topic t;
    struct log_stat stat;

    if (start_parse(&start, from, e) < 0 ||
        local_load(base, topic, &t, e) < 0 ||
        log_topic_stat(s->log, topic, &stat, e) < 0) {
        return -1;
    }
    struct log_reader *r = log_reader_open(s->log, topic, e);
    if (r == NULL) {
        return -1;
    }
    int rc = local_resolve(r, &stat, &start, offset, e);
    log_reader_close(r);
    if (rc == 0 && (*offset < stat.begin || *offset > stat.end)) {
        rc = err_set(e, STATUS_USAGE,
                     "-o %s: the topic %s holds offsets %llu to %llu", from,
                     topic, (unsigned long long)stat.begin,
                     (unsigned long long)stat.end);
    }
    if (rc < 0) {
        return -1;
    }
    struct log_group_pos *v = mem_alloc(t.partitions * sizeof *v);
    for (uint32_t p = 0; p < t.partitions; p++) {
        v[p] = (struct log_group_pos){p, *offset};
    }
    rc = log_group_reset(s->log, group, topic, v, t.partitions, e);
    free(v);
    return rc;
}

static int verify(struct topic_store *base, const char *topic,
                  topic_fault_fn *fn, void *arg, uint64_t *records,
                  struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct log_topic t;

    return local_load(base, topic, &t, e) < 0
               ? -1
               : log_topic_verify(s->log, topic, fn, arg, records, e);
}

static int remove_topic(struct topic_store *base, const char *topic,
                        struct err *e)
{
    struct local_store *s = (struct local_store *)base;
    struct log_topic t;

    return local_load(base, topic, &t, e) < 0
               ? -1
               : log_topic_remove(s->log, topic, e);
}

const struct topic_backend topic_log = {
    .scheme = "log:",
    .open = open_store,
    .close = close_store,
    .writer_open = local_writer_open,
    .writer_close = local_writer_close,
    .own = local_writer_own,
    .add = local_writer_add,
    .add_line = local_writer_add_line,
    .cut = local_writer_cut,
    .commit = local_writer_commit,
    .drop = local_writer_drop,
    .ticket = local_writer_ticket,
    .synced = local_writer_synced,
    .writer_fd = local_writer_fd,
    .sync = local_writer_sync,
    .reader_open = local_reader_open,
    .reader_close = local_reader_close,
    .assign = local_reader_assign,
    .start = local_reader_start,
    .next = local_reader_next,
    .ended = local_reader_ended,
    .position = local_reader_position,
    .store = local_reader_store,
    .unbalanced = local_reader_unbalanced,
    .lag = local_reader_lag,
    .fds = local_reader_fds,
    .woken = local_reader_woken,
    .watch_open = local_watch_open,
    .watch_close = local_watch_close,
    .watch_read = local_watch_read,
    .watch_fd = local_watch_fd,
    .watch_due = local_watch_due,
    .list = list,
    .create = create,
    .show = show,
    .groups = groups,
    .reset = reset,
    .verify = verify,
    .remove = remove_topic,
};
