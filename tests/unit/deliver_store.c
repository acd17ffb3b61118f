/* The retry store under kill -9: a child defers and delivers, is killed at
 * random and started again. What the store called durable must be delivered,
 * each key in its order, and no more than one event of a key twice for each
 * kill. */
#include "deliver/store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "deliver/held.h"
#include "deliver/lane.h"
#include "record/event.h"
#include "unit.h"

enum {
    KEYS = 16,
    ROUNDS = 40,
    EVENTS = 24000, /* of all keys; 1 KiB each, so that it is compacted */
    PAD = 1000,
    WAITING = 200 * 1024, /* bytes that are not durable */
};

/* What the child tells: all that it did, in order. */
struct note {
    char what; /* 'd' durable, 'x' delivered */
    uint32_t key;
    uint32_t n;
};

static struct {
    uint32_t durable[KEYS];   /* the highest number that is durable */
    uint32_t delivered[KEYS]; /* the highest number delivered */
    uint64_t repeated;
    uint64_t disorder;
} seen;

static struct slice line_of(struct buf *b, uint32_t key, uint32_t n)
{
    static char pad[PAD + 1];

    memset(pad, 'x', PAD);
    buf_clear(b);
    buf_printf(b,
               "{\"specversion\":\"1.0\",\"id\":\"%u-%u\",\"source\":\"/t\","
               "\"type\":\"t\",\"partitionkey\":\"key\\u0020%u\",\"data\":"
               "{\"pad\":\"%s\"}}",
               key, n, key, pad);
    return buf_slice(b);
}

static void tell(int fd, char what, struct slice line)
{
    struct note note = {.what = what};
    const char *id = memmem(line.p, line.n, "\"id\":\"", 6);

    if (id == NULL || sscanf(id + 6, "%u-%u", &note.key, &note.n) != 2 ||
        write(fd, &note, sizeof note) != (ssize_t)sizeof note) {
        _exit(2);
    }
}

static void put_some(struct store *s, struct lanes *lanes, uint32_t next[KEYS])
{
    struct buf b;
    char name[16];

    buf_init(&b);
    for (uint64_t i = rand_below(40); i > 0; i--) {
        const uint32_t k = (uint32_t)rand_below(KEYS);
        if (next[k] > EVENTS / KEYS) {
            continue;
        }
        (void)snprintf(name, sizeof name, "key %u", k);
        struct job *j = lane_job(line_of(&b, k, next[k]++), 0);
        store_put(s, slice_of(name), lane_hash(lanes, slice_of(name)), j,
                  rand_below(2) > 0, rand_below(3));
    }
    buf_release(&b);
}

static void deliver_some(struct store *s, int fd, struct err *e)
{
    struct parked *p;
    struct slice line;
    uint32_t tries;
    uint64_t age;

    for (uint64_t i = rand_below(50);
         i > 0 && (p = store_next(s, UINT64_MAX)) != NULL; i--) {
        if (store_read(s, p, &line, e) < 0) {
            (void)fprintf(stderr, "%s\n", e->text);
            _exit(3);
        }
        if (rand_below(4) == 0) {
            store_failed(s, p, clock_wall_ms(), &tries, &age);
            store_again(s, p, rand_below(10));
            continue;
        }
        tell(fd, 'x', line);
        store_done(s, p);
    }
}

/* Until all is put and delivered, or until it is killed. */
static void child(const char *dir, int fd, uint32_t next[KEYS])
{
    struct lanes lanes;
    struct job *j;
    struct err e = {0};
    bool more = true;

    lane_init(&lanes);
    struct store *s = store_open(dir, NULL, &lanes, &e);
    while (s != NULL && (more || store_events(s) > 0)) {
        more = false;
        for (int k = 0; k < KEYS; k++) {
            more = more || next[k] <= EVENTS / KEYS;
        }
        if (store_waiting(s) < WAITING) {
            put_some(s, &lanes, next);
        }
        deliver_some(s, fd, &e);
        if (store_flush(s, &e) < 0 || store_durable(s, &j, &e) < 0) {
            break;
        }
        while (j != NULL) {
            struct job *after = j->next;
            tell(fd, 'd', (struct slice){j->line, j->n});
            free(j);
            j = after;
        }
    }
    if (e.status != 0) {
        (void)fprintf(stderr, "%s\n", e.text);
        _exit(4);
    }
    store_close(s);
    lane_release(&lanes);
    _exit(0);
}

static void take(const struct note *n)
{
    if (n->what == 'd') {
        if (n->n > seen.durable[n->key]) {
            seen.durable[n->key] = n->n;
        }
    } else if (n->n == seen.delivered[n->key] + 1) {
        seen.delivered[n->key] = n->n;
    } else if (n->n > seen.delivered[n->key]) {
        seen.disorder++;
    } else {
        seen.repeated++;
    }
}

/* One life of the child, killed when it has told so many notes; true if it came
 * to its end. What was not durable is put again, as a source would send it
 * again. */
static bool live(const char *dir, uint64_t notes)
{
    int fd[2];
    uint32_t next[KEYS];
    struct note note;
    int status;

    for (int k = 0; k < KEYS; k++) {
        next[k] = (seen.durable[k] > seen.delivered[k] ? seen.durable[k]
                                                       : seen.delivered[k]) +
                  1;
    }
    if (pipe(fd) < 0) {
        exit(71);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(fd[0]);
        child(dir, fd[1], next);
    }
    (void)close(fd[1]);
    for (uint64_t n = 0;
         read(fd[0], &note, sizeof note) == (ssize_t)sizeof note; n++) {
        take(&note);
        if (n == notes) {
            (void)kill(pid, SIGKILL);
        }
    }
    (void)close(fd[0]);
    (void)waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        unit_check(false, "the child ends with %d", WEXITSTATUS(status));
        exit(1);
    }
    return WIFEXITED(status);
}

static void second_owner(const char *dir)
{
    struct lanes lanes;
    struct err e;
    char pid[32];

    lane_init(&lanes);
    struct store *a = store_open(dir, NULL, &lanes, &e);
    struct store *b = store_open(dir, NULL, &lanes, &e);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    unit_check(a != NULL && b == NULL && e.status == STATUS_RETRY &&
                   strstr(e.text, pid) != NULL,
               "a second owner gets 75 and the pid of the first");
    store_close(a);
    a = store_open(dir, NULL, &lanes, &e);
    unit_check(a != NULL, "the lock goes with the owner");
    store_close(a);
    lane_release(&lanes);
}

/* The age runs only between tries with a success of others in between. */
static void ages(const char *dir)
{
    struct lanes lanes;
    struct err e;
    struct job *j = NULL;
    struct buf b;
    uint32_t tries;
    uint64_t age = 0;
    const uint64_t now = clock_wall_ms() + 1000000;

    lane_init(&lanes);
    buf_init(&b);
    struct store *s = store_open(dir, NULL, &lanes, &e);
    store_put(s, SLICE("k"), 1, lane_job(line_of(&b, 1, 1), 7), 1, 50);
    while (j == NULL && store_flush(s, &e) == 0 &&
           store_durable(s, &j, &e) == 0) {
    }
    unit_check(j != NULL && j->mark == 7 && j->next == NULL,
               "a job comes back when it is durable");
    free(j);
    unit_check(store_next(s, 49) == NULL, "nothing is due too early");
    struct parked *p = store_next(s, 50);
    store_failed(s, p, now, &tries, &age);
    unit_check(tries == 2 && age == 0, "an outage ages nobody");
    store_success(s, now + 10);
    store_failed(s, p, now + 100, &tries, &age);
    unit_check(tries == 3 && age == 100, "failing while others succeed does");
    store_again(s, p, 1000);
    store_close(s);
    s = store_open(dir, NULL, &lanes, &e);
    p = store_next(s, 0);
    unit_check(p != NULL, "at each start every key is due at once");
    store_failed(s, p, now + 200, &tries, &age);
    unit_check(tries == 4 && age == 100, "tries and age outlive the process");
    store_done(s, p);
    store_close(s);
    s = store_open(dir, NULL, &lanes, &e);
    unit_check(store_events(s) == 0, "so does the end of an event");
    store_close(s);
    buf_release(&b);
    lane_release(&lanes);
}

/* What a source sends again is found, as long as it is there. */
static void comes_again(const char *dir)
{
    struct lanes lanes;
    struct event ev;
    struct err e;
    struct buf b;
    struct job *j = NULL;
    bool reordered;

    lane_init(&lanes);
    buf_init(&b);
    const struct slice line = line_of(&b, 1, 1);
    (void)event_parse(&ev, line, &reordered, &e);
    const uint64_t identity = lane_identity(&lanes, &ev);
    struct store *s = store_open(dir, NULL, &lanes, &e);
    store_put(s, SLICE("key 1"), 1, lane_job(line, 1), 0, 0);
    while (j == NULL && store_flush(s, &e) == 0 &&
           store_durable(s, &j, &e) == 0) {
    }
    free(j);
    unit_check(!store_holds(s, identity), "an event that is new is new");
    store_close(s);
    s = store_open(dir, NULL, &lanes, &e);
    unit_check(store_find(s, SLICE("key 1")) != NULL &&
                   store_holds(s, identity) && store_holds(s, identity) &&
                   !store_holds(s, identity + 1),
               "one that was there at the start is found");
    store_done(s, store_next(s, 0));
    unit_check(!store_holds(s, identity), "until it is delivered");
    store_close(s);
    buf_release(&b);
    lane_release(&lanes);
}

static void held_set(void)
{
    enum { N = 20000 };
    struct held h = {0};
    bool good = true;

    for (uint64_t i = 0; i < N; i++) {
        held_add(&h, i * 4096); /* they collide */
    }
    for (uint64_t i = 0; i < N; i += 2) {
        held_remove(&h, i * 4096);
        held_remove(&h, i * 4096);
    }
    for (uint64_t i = 0; i < N; i++) {
        good = good && held_ask(&h, i * 4096) == (i % 2 == 1);
    }
    unit_check(good && h.n == N / 2, "a set with many collisions is right");
    for (uint64_t i = 0; i < HELD_WINDOW; i++) {
        (void)held_ask(&h, i);
    }
    unit_check(h.v == NULL, "and is dropped behind the window");
    held_release(&h);
}

int main(void)
{
    char dir[] = "/tmp/dpp-store.XXXXXX";
    bool good = true;
    int kills = 0;

    if (getenv("TMPDIR") != NULL && chdir(getenv("TMPDIR")) == 0) {
        memmove(dir, "./dpp-store.XXXXXX", sizeof "./dpp-store.XXXXXX");
    }
    if (mkdtemp(dir) == NULL) {
        return 71;
    }
    char *one = mem_printf("%s/one", dir);
    char *two = mem_printf("%s/two", dir);
    second_owner(one);
    ages(one);
    comes_again(one);
    held_set();
    /* two notes an event: the last round comes well before the last event */
    while (kills < ROUNDS && !live(two, rand_below(2 * EVENTS / ROUNDS))) {
        kills++;
    }
    while (!live(two, UINT64_MAX)) {
    }
    for (int k = 0; k < KEYS; k++) {
        good = good && seen.delivered[k] == EVENTS / KEYS;
    }
    unit_check(kills == ROUNDS, "the child was killed %d times", kills);
    unit_check(good, "after that nothing is lost");
    unit_check(seen.disorder == 0, "no key got out of order");
    /* put and not durable, and delivered without its X: at most that */
    unit_check(seen.repeated <= (uint64_t)kills * (WAITING / PAD + 40 + 50),
               "%llu deliveries were repeated",
               (unsigned long long)seen.repeated);
    char *rm = mem_printf("rm -rf '%s'", dir);
    good = system(rm) == 0;
    free(rm);
    free(one);
    free(two);
    return unit_end();
}
