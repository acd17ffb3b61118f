#include "deliver/lane.h"

#include <stdlib.h>

#include "base/mem.h"
#include "record/event.h"

enum { JOB_COST = sizeof(struct job) + 32 };

void lane_init(struct lanes *l)
{
    *l = (struct lanes){0};
    map_init(&l->by_key);
}

static void free_lane(struct lane *lane)
{
    struct job *next;

    for (struct job *j = lane->first; j != NULL; j = next) {
        next = j->next;
        free(j);
    }
    free((void *)(uintptr_t)lane->key.p);
    free(lane);
}

/* Lanes that are sent belong to whoever holds their requests; here all are
 * found, because each is in the map, ready, or waiting. */
void lane_release(struct lanes *l)
{
    struct lane *next;
    const struct map_slot *slot;
    size_t at = 0;

    for (struct lane *lane = l->ready; lane != NULL; lane = next) {
        next = lane->next;
        if (lane->key.p == NULL) {
            free_lane(lane);
        }
    }
    for (size_t i = 1; i <= l->waiting.n; i++) {
        struct lane *lane = (struct lane *)l->waiting.v[i];
        if (lane->key.p == NULL) {
            free_lane(lane);
        }
    }
    while ((slot = map_next(&l->by_key, &at)) != NULL) {
        free_lane(slot->value);
    }
    map_release(&l->by_key);
    due_release(&l->waiting);
    free(l->spare);
}

struct job *lane_job(struct slice line, uint64_t mark)
{
    struct job *j = mem_alloc(sizeof *j + line.n);

    j->next = NULL;
    j->mark = mark;
    j->n = line.n;
    memcpy(j->line, line.p, line.n);
    return j;
}

uint64_t lane_identity(const struct lanes *l, const struct event *ev)
{
    const uint64_t *seed = l->by_key.seed;
    const struct slice from = ev->dpporigin;
    const uint64_t part[3] = {
        siphash24(seed, ev->source.p, ev->source.n),
        siphash24(seed, ev->id.p, ev->id.n),
        from.p != NULL ? siphash24(seed, from.p, from.n) : 0,
    };

    return siphash24(seed, part, sizeof part);
}

uint64_t lane_hash(struct lanes *l, struct slice key)
{
    return key.p != NULL ? siphash24(l->by_key.seed, key.p, key.n) | 1
                         : (l->anonymous += 2);
}

static void push_ready(struct lanes *l, struct lane *lane)
{
    lane->state = LANE_READY;
    lane->next = NULL;
    lane->before = l->ready_end;
    if (l->ready_end != NULL) {
        l->ready_end->next = lane;
    } else {
        l->ready = lane;
    }
    l->ready_end = lane;
}

static void drop_ready(struct lanes *l, struct lane *lane)
{
    *(lane->before != NULL ? &lane->before->next : &l->ready) = lane->next;
    *(lane->next != NULL ? &lane->next->before : &l->ready_end) = lane->before;
}

/* A key may hold any byte. */
static struct slice copy_key(struct slice key)
{
    char *p = mem_alloc(key.n + 1);

    memcpy(p, key.p, key.n);
    return (struct slice){p, key.n};
}

static struct lane *new_lane(struct lanes *l, struct slice key)
{
    struct lane *lane = l->spare;

    l->spare = NULL;
    if (lane == NULL) {
        lane = mem_alloc(sizeof *lane);
    }
    *lane = (struct lane){.hash = lane_hash(l, key)};
    if (key.p != NULL) {
        lane->key = copy_key(key);
        (void)map_put(&l->by_key, key, lane);
    }
    push_ready(l, lane);
    return lane;
}

struct lane *lane_add(struct lanes *l, struct slice key, struct job *j)
{
    struct lane *lane = key.p != NULL ? map_get(&l->by_key, key) : NULL;

    if (lane == NULL) {
        lane = new_lane(l, key);
    }
    *(lane->first != NULL ? &lane->last->next : &lane->first) = j;
    lane->last = j;
    lane->n++;
    l->jobs++;
    l->bytes += j->n + JOB_COST;
    return lane;
}

struct lane *lane_next(struct lanes *l)
{
    struct lane *lane = l->ready;

    if (lane == NULL) {
        return NULL;
    }
    drop_ready(l, lane);
    lane->state = LANE_SENT;
    return lane;
}

/* It is in no row and has no jobs. */
static void end_lane(struct lanes *l, struct lane *lane)
{
    if (lane->key.p != NULL) {
        (void)map_remove(&l->by_key, lane->key);
        free((void *)(uintptr_t)lane->key.p);
    }
    free(l->spare);
    l->spare = lane;
}

struct job *lane_done(struct lanes *l, struct lane *lane)
{
    struct job *j = lane->first;

    lane->first = j->next;
    lane->n--;
    lane->tries = 0;
    l->jobs--;
    l->bytes -= j->n + JOB_COST;
    if (lane->first != NULL) {
        push_ready(l, lane);
    } else {
        end_lane(l, lane);
    }
    return j;
}

void lane_again(struct lanes *l, struct lane *lane)
{
    push_ready(l, lane);
}

void lane_wait(struct lanes *l, struct lane *lane, uint64_t until_us)
{
    lane->state = LANE_WAITING;
    due_put(&l->waiting, &lane->due, until_us);
}

void lane_wake(struct lanes *l, uint64_t now_us)
{
    struct due *d;

    while ((d = due_first(&l->waiting)) != NULL && d->at <= now_us) {
        due_remove(&l->waiting, d);
        push_ready(l, (struct lane *)d);
    }
}

struct job *lane_empty(struct lanes *l, struct lane *lane)
{
    struct job *first = lane->first;

    if (lane->state == LANE_READY) {
        drop_ready(l, lane);
    }
    due_remove(&l->waiting, &lane->due);
    for (const struct job *j = first; j != NULL; j = j->next) {
        l->jobs--;
        l->bytes -= j->n + JOB_COST;
    }
    lane->first = NULL;
    end_lane(l, lane);
    return first;
}

struct lane *lane_any(const struct lanes *l)
{
    return l->ready != NULL ? l->ready : (struct lane *)due_first(&l->waiting);
}
