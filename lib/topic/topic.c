#include "topic/topic.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "topic/backend.h"
#include "vault/safe.h"

static const struct topic_backend *const backends[] = {&topic_log,
                                                       &topic_remote};

struct topic_store *topic_store_open(const struct topic_store_conf *conf,
                                     struct err *e)
{
    const char *broker = conf->broker;
    char *dir = NULL;
    char *name;

    if (conf->must_lock && safe_init(true, e) < 0) {
        return NULL;
    }
    if (broker == NULL || broker[0] == '\0') {
        broker = getenv("DPP_BROKER");
    }
    if (broker == NULL || broker[0] == '\0') {
        dir = state_dir();
        name = mem_printf("log:%s", dir);
    } else {
        name = mem_strdup(broker);
    }
    free(dir);
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        const size_t n = strlen(backends[i]->scheme);
        if (strncmp(name, backends[i]->scheme, n) == 0 && name[n] != '\0') {
            struct topic_store *s = backends[i]->open(name + n, conf, e);
            if (s == NULL) {
                free(name);
                return NULL;
            }
            s->backend = backends[i];
            s->name = name;
            return s;
        }
    }
    err_set(e, STATUS_USAGE,
            "broker \"%s\": not log:DIR, nor kafka://HOST:PORT", name);
    free(name);
    return NULL;
}

void topic_store_close(struct topic_store *s)
{
    if (s != NULL) {
        free(s->name);
        s->backend->close(s);
    }
}

const char *topic_store_name(const struct topic_store *s)
{
    return s->name;
}

int topic_name_check(const char *name, struct err *e)
{
    const size_t n = strlen(name);
    size_t ok = 0;

    while (isalnum((unsigned char)name[ok]) ||
           (name[ok] != '\0' && strchr("._-", name[ok]) != NULL)) {
        ok++;
    }
    if (n == 0 || n > 200 || ok != n || name[0] == '.') {
        return err_set(e, STATUS_USAGE,
                       "\"%.200s\" is no topic name: 1 to 200 letters, "
                       "digits, \".\", \"_\" and \"-\", not \".\" first",
                       name);
    }
    return 0;
}

uint32_t topic_partition(struct slice key, uint32_t partitions)
{
    /* MurmurHash2 (Austin Appleby) with the seed of Kafka's clients
     * (org.apache.kafka.common.utils.Utils.murmur2). */
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28cU ^ (uint32_t)key.n;
    const unsigned char *p = (const unsigned char *)key.p;
    size_t n = key.n;

    for (; n >= 4; n -= 4, p += 4) {
        uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
                     (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h = h * m ^ k;
    }
    for (size_t i = n; i > 0; i--) {
        h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
    }
    if (n > 0) {
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return (h & 0x7fffffff) % partitions;
}

/* --- writing ------------------------------------------------------------ */

struct topic_writer *topic_writer_open(struct topic_store *s, const char *topic,
                                       struct err *e)
{
    if (topic_name_check(topic, e) < 0) {
        return NULL;
    }
    struct topic_writer *w = s->backend->writer_open(s, topic, e);
    if (w != NULL) {
        w->backend = s->backend;
    }
    return w;
}

void topic_writer_close(struct topic_writer *w)
{
    if (w != NULL) {
        places_release(&w->places);
        w->backend->writer_close(w);
    }
}

int topic_writer_own(struct topic_writer *w, const char *run, struct slice name,
                     struct slice keys, struct buf *pos, struct err *e)
{
    return w->backend->own(w, run, name, keys, pos, e);
}

int topic_writer_disown(struct topic_writer *w, struct err *e)
{
    return w->backend->disown != NULL ? w->backend->disown(w, e) : 0;
}

void topic_writer_add(struct topic_writer *w, const struct event *ev)
{
    w->backend->add(w, ev);
}

void topic_writer_add_line(struct topic_writer *w, struct slice line,
                           struct slice key)
{
    w->backend->add_line(w, line, key);
}

size_t topic_writer_cut(struct topic_writer *w)
{
    return w->backend->cut(w);
}

int topic_writer_commit(struct topic_writer *w, struct slice name,
                        struct slice pos, struct err *e)
{
    return w->backend->commit(w, name, pos, e);
}

void topic_writer_drop(struct topic_writer *w)
{
    w->backend->drop(w);
}

uint64_t topic_writer_ticket(const struct topic_writer *w)
{
    return w->backend->ticket(w);
}

int topic_writer_synced(struct topic_writer *w, uint64_t *ticket, struct err *e)
{
    if (w->backend->synced(w, ticket, e) < 0) {
        return -1;
    }
    w->synced = *ticket;
    return 0;
}

void topic_writer_flow(struct topic_writer *w)
{
    w->flows = true;
}

void topic_writer_track(struct topic_writer *w)
{
    w->is_tracked = true;
}

bool topic_writer_placed(struct topic_writer *w, struct place *place)
{
    return places_next(&w->places, w->synced, place);
}

int topic_writer_fd(const struct topic_writer *w)
{
    return w->backend->writer_fd(w);
}

int topic_writer_due(const struct topic_writer *w)
{
    return w->backend->writer_due != NULL ? w->backend->writer_due(w) : -1;
}

void topic_writer_hurry(struct topic_writer *w)
{
    if (w->backend->hurry != NULL) {
        w->backend->hurry(w);
    }
}

int topic_writer_sync(struct topic_writer *w, struct err *e)
{
    return w->backend->sync(w, e);
}

/* --- reading ------------------------------------------------------------ */

struct topic_reader *topic_reader_open(struct topic_store *s,
                                       const struct topic_reader_conf *conf,
                                       struct err *e)
{
    for (size_t i = 0; i < conf->n; i++) {
        if (topic_name_check(conf->topics[i], e) < 0) {
            return NULL;
        }
    }
    struct topic_reader *r = s->backend->reader_open(s, conf, e);
    if (r != NULL) {
        r->backend = s->backend;
    }
    return r;
}

void topic_reader_close(struct topic_reader *r)
{
    if (r != NULL) {
        r->backend->reader_close(r);
    }
}

int topic_reader_assign(struct topic_reader *r, struct buf *keys, struct err *e)
{
    return r->backend->assign(r, keys, e);
}

int topic_reader_start(struct topic_reader *r, struct slice pos, struct err *e)
{
    return r->backend->start(r, pos, e);
}

int topic_reader_next(struct topic_reader *r, struct topic_record *rec,
                      struct err *e)
{
    return r->backend->next(r, rec, e);
}

bool topic_reader_ended(const struct topic_reader *r)
{
    return r->backend->ended(r);
}

void topic_reader_position(struct topic_reader *r, struct buf *pos)
{
    r->backend->position(r, pos);
}

int topic_reader_commit(struct topic_reader *r, struct slice pos, struct err *e)
{
    return r->backend->store(r, pos, e);
}

int topic_reader_unbalanced(struct topic_reader *r, struct err *e)
{
    return r->backend->unbalanced(r, e);
}

int topic_reader_due(const struct topic_reader *r)
{
    return r->backend->reader_due != NULL ? r->backend->reader_due(r) : -1;
}

uint64_t topic_reader_lag(const struct topic_reader *r)
{
    return r->backend->lag(r);
}

size_t topic_reader_fds(const struct topic_reader *r, struct pollfd *fds,
                        size_t max)
{
    return r->backend->fds(r, fds, max);
}

void topic_reader_woken(struct topic_reader *r)
{
    r->backend->woken(r);
}
