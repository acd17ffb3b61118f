#include "topic/dead.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/msg.h"
#include "record/event.h"
#include "topic/topic.h"

struct dead_letters {
    struct topic_store *store;
    char *topic; /* NULL: by origin */
    char *fallback;
    const char *stage;
    struct map writers; /* topic -> struct topic_writer */
    struct buf line;
    bool pending;
};

struct dead_letters *dead_open(struct topic_store *store, const char *topic,
                               const char *stage_name, const char *fallback)
{
    struct dead_letters *d = mem_new(sizeof *d);

    d->store = store;
    d->topic = topic != NULL ? mem_strdup(topic) : NULL;
    d->fallback = mem_strdup(fallback);
    d->stage = stage_name;
    map_init(&d->writers);
    return d;
}

void dead_close(struct dead_letters *d)
{
    const struct map_slot *slot;
    size_t at = 0;

    if (d == NULL) {
        return;
    }
    while ((slot = map_next(&d->writers, &at)) != NULL) {
        topic_writer_close(slot->value);
    }
    map_release(&d->writers);
    buf_release(&d->line);
    free(d->topic);
    free(d->fallback);
    free(d);
}

/* Into name: "github" from "github/0/105", with ".dead" behind it once. */
static void choose(const struct dead_letters *d, const struct event *ev,
                   struct buf *name)
{
    static const char suffix[] = ".dead";

    if (d->topic != NULL) {
        buf_puts(name, d->topic);
        return;
    }
    const char *slash = ev->dpporigin.p != NULL
                            ? memchr(ev->dpporigin.p, '/', ev->dpporigin.n)
                            : NULL;
    if (slash != NULL) {
        buf_append(name, ev->dpporigin.p + 1,
                   (size_t)(slash - ev->dpporigin.p) - 1);
    } else {
        buf_puts(name, d->fallback);
    }
    if (name->n < sizeof suffix || memcmp(name->p + name->n - sizeof suffix + 1,
                                          suffix, sizeof suffix - 1) != 0) {
        buf_puts(name, suffix);
    }
}

static struct topic_writer *writer_for(struct dead_letters *d,
                                       const struct event *ev, struct err *e)
{
    struct buf name;

    buf_init(&name);
    choose(d, ev, &name);
    struct topic_writer *w = map_get(&d->writers, buf_slice(&name));
    if (w == NULL) {
        w = topic_writer_open(d->store, buf_cstr(&name), e);
        if (w != NULL) {
            (void)map_put(&d->writers, buf_slice(&name), w);
            msg_warn("events go to the dead letters, topic %s in %s",
                     buf_cstr(&name), topic_store_name(d->store));
        }
    }
    buf_release(&name);
    return w;
}

int dead_put(struct dead_letters *d, const struct event *ev, struct slice why,
             struct err *e)
{
    bool reordered;
    struct event dead;

    if (d->topic != NULL && strcmp(d->topic, "none") == 0) {
        return err_set(e, STATUS_STREAM,
                       "event %.*s: %.*s (stopped, because of -d none)",
                       ev->id.n < 80 ? (int)ev->id.n : 80, ev->id.p,
                       why.n < 200 ? (int)why.n : 200, why.p);
    }
    struct topic_writer *w = writer_for(d, ev, e);
    if (w == NULL) {
        return -1;
    }
    msg_debug("dead: event %.*s: %.*s", (int)ev->id.n, ev->id.p, (int)why.n,
              why.p);
    buf_clear(&d->line);
    event_write_dead(&d->line, ev, why, d->stage);
    if (event_parse(&dead, buf_slice(&d->line), &reordered, e) < 0) {
        return err_wrap(e, "a dead letter of our own");
    }
    topic_writer_add(w, &dead);
    d->pending = true;
    return 0;
}

int dead_sync(struct dead_letters *d, struct err *e)
{
    const struct map_slot *slot;
    size_t at = 0;

    if (!d->pending) {
        return 0;
    }
    while ((slot = map_next(&d->writers, &at)) != NULL) {
        const int rc = topic_writer_commit(slot->value, (struct slice){"", 0},
                                           (struct slice){"", 0}, e);
        if (rc != 0) {
            return rc;
        }
    }
    at = 0;
    while ((slot = map_next(&d->writers, &at)) != NULL) {
        if (topic_writer_sync(slot->value, e) < 0) {
            return -1;
        }
    }
    d->pending = false;
    return 0;
}
