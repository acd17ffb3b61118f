#include "listen/shelves.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "listen/desk.h"
#include "topic/topic.h"

/* Small events may still fit while large ones do not: only after ROOM_US
 * without a refusal there is room again. */
enum { BATCH = 1 << 20, TOPICS = 16, ROOM_US = 10000000 };

struct shelf {
    const char *topic;
    struct topic_writer *writer;
    size_t gathered; /* bytes that are not committed */
};

struct shelves {
    struct topic_store *topics;
    struct shelf shelf[TOPICS];
    size_t n;
    uint64_t full_us; /* when the disk was full last; 0: it is not */
    struct buf line;
};

static struct shelf *find(struct shelves *s, const char *topic)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->shelf[i].topic, topic) == 0) {
            return &s->shelf[i];
        }
    }
    return NULL;
}

static int open_shelf(struct shelves *s, const char *topic, struct err *e)
{
    if (find(s, topic) != NULL) {
        return 0;
    }
    if (s->n == TOPICS) {
        return err_set(e, STATUS_CONFIG, "more than %d topics", TOPICS);
    }
    struct topic_writer *w = topic_writer_open(s->topics, topic, e);
    if (w == NULL) {
        return -1;
    }
    s->shelf[s->n++] = (struct shelf){.topic = topic, .writer = w};
    return 0;
}

struct shelves *shelves_open(const char *broker, const struct routes *rs,
                             struct err *e)
{
    struct shelves *s = mem_new(sizeof *s);

    buf_init(&s->line);
    s->topics = topic_store_open(broker, e);
    for (size_t i = 0; s->topics != NULL && i < rs->n; i++) {
        if (open_shelf(s, rs->route[i].topic, e) < 0) {
            shelves_close(s);
            return NULL;
        }
    }
    if (s->topics == NULL) {
        shelves_close(s);
        return NULL;
    }
    return s;
}

void shelves_close(struct shelves *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        topic_writer_close(s->shelf[i].writer);
    }
    topic_store_close(s->topics);
    buf_release(&s->line);
    free(s);
}

static int commit(struct shelves *s, struct shelf *f, struct desk *d,
                  struct err *e)
{
    const struct slice none = {"", 0};
    const uint64_t before = topic_writer_ticket(f->writer);
    const int rc = topic_writer_commit(f->writer, none, none, e);

    f->gathered = 0;
    if (rc == 0) {
        if (s->full_us > 0 && clock_mono_us() - s->full_us > ROOM_US) {
            s->full_us = 0;
            msg_info("topic %s: the disk has room again", f->topic);
        }
        return 0;
    }
    topic_writer_drop(f->writer);
    desk_failed(d, f, before);
    if (rc < 0) {
        return -1;
    }
    if (s->full_us == 0) {
        msg_warn("topic %s: the disk is full; answering 503 until there is "
                 "room",
                 f->topic);
    }
    s->full_us = clock_mono_us();
    return 0;
}

int shelves_take(struct shelves *s, struct desk *d, struct err *e)
{
    const struct route *r;

    while ((r = desk_next(d)) != NULL) {
        struct shelf *f = find(s, r->topic);
        struct slice key;
        buf_clear(&s->line);
        desk_write(d, &s->line, &key);
        topic_writer_add_line(f->writer, buf_slice(&s->line), key);
        desk_took(d, f, topic_writer_ticket(f->writer) + 1);
        f->gathered += s->line.n;
        if (f->gathered >= BATCH && commit(s, f, d, e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->shelf[i].gathered > 0 && commit(s, &s->shelf[i], d, e) < 0) {
            return -1;
        }
    }
    buf_shrink(&s->line, BATCH);
    return 0;
}

int shelves_synced(struct shelves *s, struct desk *d, struct err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        uint64_t ticket;
        if (topic_writer_synced(s->shelf[i].writer, &ticket, e) < 0) {
            return -1;
        }
        desk_done(d, &s->shelf[i], ticket);
    }
    return 0;
}

size_t shelves_fds(const struct shelves *s, struct pollfd *fds, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n && n < max; i++) {
        fds[n++] =
            (struct pollfd){topic_writer_fd(s->shelf[i].writer), POLLIN, 0};
    }
    return n;
}
