#include "kafka/watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "kafka/handle.h"

enum { ANSWER_MS = 1000, AGAIN_MS = 250, LOOK_MS = 100, MS = 1000 };

struct watched {
    char *topic;
    uint64_t *next;
    uint32_t partitions;
};

/* The question belongs to the thread while state is ASKED, else to us. */
enum state { FREE, ASKED, ANSWERED, ENDING };

struct kafka_watch {
    struct kafka_handle h;
    char *name; /* "group G" */
    struct watched *v;
    size_t n;
    bool asking;
    uint64_t next_us; /* when to ask again */
    uint64_t answers; /* that were good */
    pthread_t thread;
    bool running;
    pthread_mutex_t m;
    pthread_cond_t changed;
    enum state state;
    rd_kafka_topic_partition_list_t *question;
    rd_kafka_resp_err_t err;
};

/* --- the thread -----------------------------------------------------------
 */

static void *answer(void *arg)
{
    struct kafka_watch *w = arg;

    (void)pthread_mutex_lock(&w->m);
    for (;;) {
        while (w->state != ASKED && w->state != ENDING) {
            (void)pthread_cond_wait(&w->changed, &w->m);
        }
        if (w->state == ENDING) {
            break;
        }
        (void)pthread_mutex_unlock(&w->m);
        const rd_kafka_resp_err_t err =
            rd_kafka_committed(w->h.rk, w->question, ANSWER_MS);
        (void)pthread_mutex_lock(&w->m);
        w->err = err;
        if (w->state == ASKED) {
            w->state = ANSWERED;
        }
        (void)eventfd_write(w->h.fd, 1);
    }
    (void)pthread_mutex_unlock(&w->m);
    return NULL;
}

static void set_state(struct kafka_watch *w, enum state state)
{
    (void)pthread_mutex_lock(&w->m);
    w->state = state;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->m);
}

static enum state state_of(struct kafka_watch *w)
{
    (void)pthread_mutex_lock(&w->m);
    const enum state state = w->state;
    (void)pthread_mutex_unlock(&w->m);
    return state;
}

/* --- open, close ----------------------------------------------------------
 */

struct kafka_watch *kafka_watch_open(const struct kafka_client *client,
                                     const char *group, struct err *e)
{
    /* a transaction that is open is not waited for: its offsets are not there
     * yet */
    const struct kafka_setting extra[] = {
        {"group.id", group},
        {"isolation.level", "read_uncommitted"},
        {NULL, NULL},
    };
    struct kafka_watch *w = mem_new(sizeof *w);

    w->name = mem_printf("group %s", group);
    (void)pthread_mutex_init(&w->m, NULL);
    (void)pthread_cond_init(&w->changed, NULL);
    if (kafka_handle_open(&w->h, client, RD_KAFKA_CONSUMER, 0, extra, e) < 0) {
        goto fail;
    }
    w->h.away = true; /* who writes to the topic says so, once is enough */
    if (pthread_create(&w->thread, NULL, answer, w) != 0) {
        (void)err_set(e, STATUS_SYSTEM, "no thread can be made");
        goto fail;
    }
    w->running = true;
    return w;
fail:
    kafka_watch_close(w);
    return NULL;
}

void kafka_watch_close(struct kafka_watch *w)
{
    if (w == NULL) {
        return;
    }
    if (w->running) {
        set_state(w, ENDING);
        (void)pthread_join(w->thread, NULL);
    }
    if (w->question != NULL) {
        rd_kafka_topic_partition_list_destroy(w->question);
    }
    kafka_handle_close(&w->h);
    for (size_t i = 0; i < w->n; i++) {
        free(w->v[i].topic);
        free(w->v[i].next);
    }
    free(w->v);
    free(w->name);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->m);
    free(w);
}

/* --- questions ------------------------------------------------------------
 */

static void ask(struct kafka_watch *w)
{
    w->question = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < w->n; i++) {
        rd_kafka_topic_partition_list_add_range(w->question, w->v[i].topic, 0,
                                                (int)w->v[i].partitions - 1);
    }
    w->asking = true;
    set_state(w, ASKED);
}

static uint64_t *next_of(const struct kafka_watch *w,
                         const rd_kafka_topic_partition_t *p)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->v[i].topic, p->topic) == 0) {
            return &w->v[i].next[p->partition];
        }
    }
    return NULL;
}

/* What is no offset is none; of a partition that has trouble the old one
 * stays. */
static rd_kafka_resp_err_t take(struct kafka_watch *w)
{
    rd_kafka_resp_err_t err = w->err;

    for (int i = 0; w->err == 0 && i < w->question->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &w->question->elems[i];
        if (p->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            *next_of(w, p) = p->offset >= 0 ? (uint64_t)p->offset : 0;
        } else {
            err = p->err;
        }
    }
    rd_kafka_topic_partition_list_destroy(w->question);
    w->question = NULL;
    w->asking = false;
    w->answers += err == RD_KAFKA_RESP_ERR_NO_ERROR;
    set_state(w, FREE);
    return err;
}

/* What comes besides answers: a refusal is no answer. */
static int look(struct kafka_watch *w, struct err *e)
{
    rd_kafka_event_t *ev;
    int rc = 0;

    while (rc == 0 && (ev = rd_kafka_queue_poll(w->h.queue, 0)) != NULL) {
        const rd_kafka_resp_err_t err = rd_kafka_event_error(ev);
        rc = err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
                 ? kafka_fail(e, err, w->name)
                 : kafka_handle_event(&w->h, ev, e);
        rd_kafka_event_destroy(ev);
    }
    return rc;
}

int kafka_watch_poll(struct kafka_watch *w, struct err *e)
{
    kafka_handle_woken(&w->h);
    if (look(w, e) < 0) {
        return -1;
    }
    if (state_of(w) == ANSWERED) {
        const rd_kafka_resp_err_t err = take(w);
        const unsigned rest_ms = err == 0 ? KAFKA_WATCH_MS : AGAIN_MS;
        w->next_us = clock_mono_us() + (uint64_t)rest_ms * MS;
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            (void)kafka_fail(e, err, w->name);
            msg_debug("%s", e->text);
            return e->status == STATUS_REFUSED ? -1 : 0;
        }
    }
    if (kafka_watch_due(w) == 0) {
        ask(w);
    }
    return 0;
}

/* --- topics ---------------------------------------------------------------
 */

static void grow(struct watched *t, uint32_t n)
{
    if (n > t->partitions) {
        t->next = mem_resize(t->next, n * sizeof *t->next);
        memset(t->next + t->partitions, 0,
               (n - t->partitions) * sizeof *t->next);
        t->partitions = n;
    }
}

int kafka_watch_add(struct kafka_watch *w, const char *topic, size_t *number,
                    struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)KAFKA_START_MS * MS;
    const uint64_t before = w->answers;

    w->v = mem_resize(w->v, (w->n + 1) * sizeof *w->v);
    w->v[w->n] = (struct watched){.topic = mem_strdup(topic)};
    grow(&w->v[w->n], 1);
    *number = w->n++;
    w->next_us = 0;
    while (w->answers == before) {
        struct pollfd fd = {w->h.fd, POLLIN, 0};
        if (kafka_watch_poll(w, e) < 0) {
            return -1;
        }
        if (clock_mono_us() >= until) {
            return kafka_fail(e, w->err, w->name);
        }
        (void)poll(&fd, 1, LOOK_MS);
    }
    return 0;
}

const uint64_t *kafka_watch_next(struct kafka_watch *w, size_t topic,
                                 uint32_t *partitions)
{
    struct watched *t = &w->v[topic];

    grow(t, *partitions);
    *partitions = t->partitions;
    return t->next;
}

int kafka_watch_fd(const struct kafka_watch *w)
{
    return w->h.fd;
}

int kafka_watch_due(const struct kafka_watch *w)
{
    const uint64_t now = clock_mono_us();

    return w->asking          ? -1
           : w->next_us > now ? (int)((w->next_us - now) / MS) + 1
                              : 0;
}
