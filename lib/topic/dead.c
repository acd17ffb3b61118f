#include "topic/dead.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/msg.h"
#include "record/event.h"
#include "topic/admin.h"
#include "topic/topic.h"

/* The letters of one topic. */
struct shelf {
    struct topic_writer *writer; /* NULL: not made yet */
    struct buf waiting;          /* lines */
    size_t cut;                  /* bytes of it that are to be written */
};

struct dead_letters {
    struct topic_store *store;
    char *topic; /* NULL: by origin */
    char *fallback;
    const char *stage;
    struct map shelves; /* topic -> struct shelf */
    bool pending;       /* some are to be written */
    bool cuts;          /* only those before the last cut are */
};

struct dead_letters *dead_open(struct topic_store *store, const char *topic,
                               const char *stage_name, const char *fallback)
{
    struct dead_letters *d = mem_new(sizeof *d);

    d->store = store;
    d->topic = topic != NULL ? mem_strdup(topic) : NULL;
    d->fallback = mem_strdup(fallback);
    d->stage = stage_name;
    map_init(&d->shelves);
    return d;
}

void dead_close(struct dead_letters *d)
{
    const struct map_slot *slot;
    size_t at = 0;

    if (d == NULL) {
        return;
    }
    while ((slot = map_next(&d->shelves, &at)) != NULL) {
        struct shelf *shelf = slot->value;
        if (shelf->writer != NULL) {
            topic_writer_close(shelf->writer);
        }
        buf_release(&shelf->waiting);
        free(shelf);
    }
    map_release(&d->shelves);
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

static struct shelf *shelf_for(struct dead_letters *d, const struct event *ev)
{
    struct buf name;

    buf_init(&name);
    choose(d, ev, &name);
    struct shelf *shelf = map_get(&d->shelves, buf_slice(&name));
    if (shelf == NULL) {
        shelf = mem_new(sizeof *shelf);
        (void)map_put(&d->shelves, buf_slice(&name), shelf);
        msg_warn("events go to the dead letters, topic %s in %s",
                 buf_cstr(&name), topic_store_name(d->store));
    }
    buf_release(&name);
    return shelf;
}

/* The first bad event must not stop the stream: its topic is made, whatever
 * the store. 0; 1 the disk is too full for that; -1. */
static int open_writer(struct dead_letters *d, struct slice name,
                       struct shelf *shelf, struct err *e)
{
    char *topic = mem_strndup(name.p, name.n);

    static const struct topic_conf conf = {.partitions = 1};

    shelf->writer = topic_writer_open(d->store, topic, e);
    if (shelf->writer == NULL && e->status == STATUS_UNREACHABLE &&
        topic_create(d->store, topic, &conf, e) == 0) {
        shelf->writer = topic_writer_open(d->store, topic, e);
    }
    free(topic);
    return shelf->writer != NULL ? 0 : err_is_full(e) ? 1 : -1;
}

static int add(struct topic_writer *w, struct slice line, struct err *e)
{
    bool reordered;
    struct event dead;

    if (event_parse(&dead, line, &reordered, e) < 0) {
        return err_wrap(e, "a dead letter of our own");
    }
    topic_writer_add(w, &dead);
    return 0;
}

void dead_cut(struct dead_letters *d)
{
    const struct map_slot *slot;
    size_t at = 0;

    d->cuts = true;
    while ((slot = map_next(&d->shelves, &at)) != NULL) {
        struct shelf *shelf = slot->value;
        shelf->cut = shelf->waiting.n;
        d->pending |= shelf->cut > 0;
    }
}

static int write_shelf(struct dead_letters *d, const struct map_slot *slot,
                       struct err *e)
{
    static const struct slice none = {"", 0};
    struct shelf *shelf = slot->value;
    const char *lf;

    if (shelf->writer == NULL) {
        const struct slice name = {slot->key, slot->n};
        const int rc = open_writer(d, name, shelf, e);
        if (rc != 0) {
            return rc;
        }
    }
    const size_t n = d->cuts ? shelf->cut : shelf->waiting.n;
    const char *end = shelf->waiting.p + n;
    for (const char *p = shelf->waiting.p; p < end; p = lf + 1) {
        lf = memchr(p, '\n', (size_t)(end - p));
        if (add(shelf->writer, (struct slice){p, (size_t)(lf - p)}, e) < 0) {
            return -1;
        }
    }
    buf_consume(&shelf->waiting, n);
    shelf->cut = 0;
    return topic_writer_commit(shelf->writer, none, none, e);
}

int dead_put(struct dead_letters *d, const struct event *ev, struct slice why,
             struct err *e)
{
    if (d->topic != NULL && strcmp(d->topic, "none") == 0) {
        return err_set(e, STATUS_STREAM,
                       "event %.*s: %.*s (stopped, because of -d none)",
                       ev->id.n < 80 ? (int)ev->id.n : 80, ev->id.p,
                       why.n < 200 ? (int)why.n : 200, why.p);
    }
    struct shelf *shelf = shelf_for(d, ev);
    msg_debug("dead: event %.*s: %.*s", (int)ev->id.n, ev->id.p, (int)why.n,
              why.p);
    d->pending |= !d->cuts;
    event_write_dead(&shelf->waiting, ev, why, d->stage);
    buf_putc(&shelf->waiting, '\n');
    return 0;
}

int dead_sync(struct dead_letters *d, struct err *e)
{
    const struct map_slot *slot;
    size_t at = 0;

    if (!d->pending) {
        return 0;
    }
    while ((slot = map_next(&d->shelves, &at)) != NULL) {
        const int rc = write_shelf(d, slot, e);
        if (rc != 0) {
            return rc;
        }
    }
    at = 0;
    while ((slot = map_next(&d->shelves, &at)) != NULL) {
        const struct shelf *shelf = slot->value;
        if (topic_writer_sync(shelf->writer, e) < 0) {
            return -1;
        }
    }
    d->pending = false;
    return 0;
}
