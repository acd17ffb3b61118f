/* When to commit, and when to answer.
 *
 * A sync costs much the same for one request and for a hundred, and while one
 * is under way another append would not become durable by it. So what comes
 * meanwhile is gathered, and when the sync ends there are two ways:
 *
 *     at once    commit what is gathered, and answer those that are durable
 *                while the disk works: two halves of the clients take turns.
 *                Less than half of all that are here waits for more, for half
 *                the time that the sync took;
 *     together   answer first, and give those clients a moment (a quarter of
 *                the time that the sync took) to come back and share the next
 *                sync: half as many syncs.
 *
 * Together is right where a sync takes longer than the work of one round; a
 * round is answering and reading again, about twice the answering. A client
 * that is alone never waits, for nothing is gathered when its sync ends.
 *
 * To answer costs three times what it costs to read the next request. All at
 * one go, and all clients come back at the same time and stay in step, the disk
 * idle while they are answered and we while it works. So some are answered,
 * then the connections looked at, then the next. */
#include "listen/shelves.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "listen/desk.h"
#include "topic/topic.h"
#include "topic/watch.h"

/* Small events may still fit while large ones do not: only after ROOM_US
 * without a refusal there is room again. */
enum {
    BATCH = 1 << 20,
    TOPICS = 16,
    ROOM_US = 10000000,
    GATHER_US = 1000,
    ANSWERS = 24, /* at one go */
    REST_US = 200,
};

struct shelf {
    const char *topic;
    struct topic_writer *writer;
    size_t gathered;    /* bytes that are not committed */
    uint64_t synced;    /* ticket */
    uint64_t since_us;  /* of the last commit */
    uint64_t until_us;  /* gather until then, or until … */
    size_t wanted;      /* … so many requests are there; 0: half of all */
    uint64_t answer_us; /* spent so far on those that are durable */
    uint64_t round_us;  /* to answer the last ones and read the next */
    bool news;          /* more is durable: answer */

    struct topic_watch *watch; /* of the group, or NULL */
    size_t gathered_n;         /* requests */
    size_t committed_n;        /* of the last commit */
    size_t waiting_n;          /* committed and not answered */
    uint64_t **passed;         /* where the group goes on, per partition */
    uint32_t partitions;
};

struct shelves {
    struct topic_store *topics;
    const char *group; /* or NULL */
    struct shelf shelf[TOPICS];
    size_t n;
    bool first_look;  /* at the connections, before any rest */
    uint64_t full_us; /* when there was no room last; 0: there is */
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

/* It stays where it is. */
static uint64_t *passed_of(struct shelf *f, uint32_t partition)
{
    while (partition >= f->partitions) {
        f->passed =
            mem_resize(f->passed, (f->partitions + 1) * sizeof(uint64_t *));
        f->passed[f->partitions++] = mem_new(sizeof(uint64_t));
    }
    return f->passed[partition];
}

static int read_group(struct shelf *f, struct err *e)
{
    uint32_t n = f->partitions;
    const uint64_t *next = topic_watch_read(f->watch, &n, e);

    for (uint32_t p = 0; next != NULL && p < n; p++) {
        *passed_of(f, p) = next[p]; /* a reset leads back */
    }
    return next != NULL ? 0 : -1;
}

static int watch_group(struct shelves *s, struct shelf *f, struct err *e)
{
    f->watch = topic_watch_open(s->topics, s->group, f->topic, e);
    if (f->watch == NULL) {
        return -1;
    }
    topic_writer_track(f->writer);
    return read_group(f, e);
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
    struct shelf *f = &s->shelf[s->n++];
    *f = (struct shelf){.topic = topic, .writer = w};
    return s->group != NULL ? watch_group(s, f, e) : 0;
}

struct shelves *shelves_open(const struct topic_store_conf *broker,
                             const struct routes *rs, const char *group,
                             struct err *e)
{
    struct shelves *s = mem_new(sizeof *s);

    s->group = group;

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
        topic_watch_close(s->shelf[i].watch);
        for (uint32_t p = 0; p < s->shelf[i].partitions; p++) {
            free(s->shelf[i].passed[p]);
        }
        free(s->shelf[i].passed);
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

    f->committed_n = f->gathered_n;
    f->gathered = 0;
    f->gathered_n = 0;
    if (rc == 0) {
        f->waiting_n += f->committed_n;
        f->since_us = clock_mono_us();
        if (s->full_us > 0 && clock_mono_us() - s->full_us > ROOM_US) {
            s->full_us = 0;
            msg_info("topic %s: there is room again", f->topic);
        }
        return 0;
    }
    topic_writer_drop(f->writer);
    desk_failed(d, f, before);
    if (rc < 0) {
        return -1;
    }
    if (s->full_us == 0) {
        msg_warn("topic %s: %s; answering 503 until there is room", f->topic,
                 e->text[0] != '\0' ? e->text
                                    : "the brokers are behind by all that may "
                                      "be under way");
    }
    s->full_us = clock_mono_us();
    return 0;
}

static bool is_syncing(const struct shelf *f)
{
    return topic_writer_ticket(f->writer) > f->synced;
}

static bool is_due(const struct shelf *f)
{
    const size_t all = f->waiting_n + f->gathered_n;
    const size_t wanted = f->wanted > 0 ? f->wanted : all / 2;

    return !is_syncing(f) &&
           (f->gathered_n >= wanted || clock_mono_us() >= f->until_us);
}

/* All that is queued, to the shelves. */
static int gather(struct shelves *s, struct desk *d, struct err *e)
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
        f->gathered_n++;
        if (f->gathered >= BATCH && commit(s, f, d, e) < 0) {
            return -1;
        }
    }
    buf_shrink(&s->line, BATCH);
    return 0;
}

static const uint64_t *place(void *owner, uint64_t *offset)
{
    static const uint64_t never;
    struct shelf *f = owner;
    struct place at;

    *offset = UINT64_MAX;
    if (!topic_writer_placed(f->writer, &at)) {
        return &never;
    }
    *offset = at.offset;
    return passed_of(f, at.partition);
}

/* At most max of those that are durable; there may be more of them then. */
static void answer(struct shelves *s, struct shelf *f, struct desk *d,
                   size_t max)
{
    const uint64_t start = clock_mono_us();
    const size_t n = f->watch != NULL ? desk_place(d, f, f->synced, place)
                                      : desk_done(d, f, f->synced, max);

    f->waiting_n -= n;
    f->news = f->watch == NULL && n == max;
    f->answer_us += clock_mono_us() - start;
    if (!f->news) {
        f->round_us = 2 * f->answer_us;
        f->answer_us = 0;
    }
    s->first_look = f->watch == NULL;
}

/* What is durable is answered even if the next commit fails. */
int shelves_take(struct shelves *s, struct desk *d, bool at_once, struct err *e)
{
    int rc = gather(s, d, e);
    bool later = false;

    for (size_t i = 0; i < s->n; i++) {
        struct shelf *f = &s->shelf[i];
        if (rc == 0 && f->gathered > 0 && (at_once || is_due(f))) {
            rc = commit(s, f, d, e);
        }
        if (f->news) {
            answer(s, f, d, at_once || rc < 0 ? SIZE_MAX : ANSWERS);
        }
        later |= f->news || (f->gathered > 0 && !is_syncing(f));
    }
    return rc < 0 ? -1 : later;
}

unsigned shelves_rest(struct shelves *s)
{
    unsigned rest = 0;

    if (s->first_look) {
        s->first_look = false;
        return 0;
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct shelf *f = &s->shelf[i];
        const uint64_t now = clock_mono_us();
        if (f->news) {
            return 0;
        }
        if (is_syncing(f)) {
            rest = rest == 0 ? REST_US : rest;
        } else if (f->gathered_n > 0 && now < f->until_us) {
            const uint64_t left = f->until_us - now;
            rest = left < REST_US / 2 ? (unsigned)left : REST_US / 2;
        } else {
            return 0;
        }
    }
    return rest;
}

static int synced(struct shelf *f, struct err *e)
{
    const uint64_t before = f->synced;

    if (topic_writer_synced(f->writer, &f->synced, e) < 0) {
        return -1;
    }
    if (f->synced == before) {
        return 0;
    }
    const uint64_t now = clock_mono_us();
    const uint64_t took = now - f->since_us;
    const bool together = took / 4 > f->round_us;
    const uint64_t wait = took / (together ? 4 : 2);
    f->until_us = now + (wait < GATHER_US ? wait : GATHER_US);
    f->wanted = together ? f->committed_n + f->gathered_n : 0;
    f->news = true;
    return 0;
}

static int durable(struct shelves *s, const struct pollfd *fds, size_t n,
                   struct err *e)
{
    for (size_t i = 0; i < s->n && i < n; i++) {
        if (fds[i].revents != 0 && synced(&s->shelf[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Where it is time to, for somebody who waits, or there are news. */
static int look_at_group(struct shelves *s, struct desk *d,
                         const struct pollfd *fds, size_t n, struct err *e)
{
    const bool waits = desk_waits(d);
    bool news = false;

    for (size_t i = 0; i < s->n; i++) {
        struct shelf *f = &s->shelf[i];
        const bool told = s->n + i < n && fds[s->n + i].revents != 0;
        if (told || (waits && topic_watch_due(f->watch) == 0)) {
            news = true;
            if (read_group(f, e) < 0) {
                return -1;
            }
        }
    }
    if (news) {
        desk_passed(d);
    }
    return 0;
}

int shelves_woken(struct shelves *s, struct desk *d, const struct pollfd *fds,
                  size_t n, struct err *e)
{
    if (durable(s, fds, n, e) < 0) {
        return -1;
    }
    return s->group != NULL ? look_at_group(s, d, fds, n, e) : 0;
}

static void lower(int *timeout_ms, int to)
{
    if (to >= 0 && (*timeout_ms < 0 || *timeout_ms > to)) {
        *timeout_ms = to;
    }
}

size_t shelves_fds(const struct shelves *s, const struct desk *d,
                   struct pollfd *fds, size_t max, int *timeout_ms)
{
    const bool waits = s->group != NULL && desk_waits(d);
    size_t n = 0;

    for (size_t i = 0; i < s->n && n < max; i++) {
        fds[n++] =
            (struct pollfd){topic_writer_fd(s->shelf[i].writer), POLLIN, 0};
    }
    for (size_t i = 0; s->group != NULL && i < s->n && n < max; i++) {
        fds[n++] =
            (struct pollfd){topic_watch_fd(s->shelf[i].watch), POLLIN, 0};
        lower(timeout_ms, waits ? topic_watch_due(s->shelf[i].watch) : -1);
    }
    return n;
}
