/* Who is woken when a sync ends. The numbers of sleepers are counted, so
 * nothing here depends on how fast anybody is. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "log/state.h"
#include "unit.h"

enum { EACH = 3, LONG_MS = 60000, STEPS = 10000 };

static struct state *state;
static _Atomic int asleep;
static _Atomic int woken_this;
static _Atomic int woken_next;

static void *wait_for(uint32_t turn, _Atomic int *woken)
{
    const uint32_t seen = atomic_load(&state->syncs);

    atomic_fetch_add(&asleep, 1);
    state_sleep(state, seen, turn, LONG_MS);
    atomic_fetch_add(woken, 1);
    return NULL;
}

static void *this_one(void *arg)
{
    (void)arg;
    return wait_for(1, &woken_this);
}

static void *next_one(void *arg)
{
    (void)arg;
    return wait_for(2, &woken_next);
}

static bool reaches(_Atomic int *count, int want)
{
    for (int i = 0; i < STEPS && atomic_load(count) < want; i++) {
        (void)usleep(1000);
    }
    return atomic_load(count) == want;
}

/* All sleepers hang on the futex: their calls show in /proc. */
static bool all_hang(void)
{
    char count[128];

    (void)snprintf(count, sizeof count,
                   "cat /proc/%d/task/*/syscall | grep -c '^%d '",
                   (int)getpid(), (int)SYS_futex);
    for (int i = 0; i < STEPS; i++) {
        FILE *f = popen(count, "r");
        int n = 0;
        const bool read = f != NULL && fscanf(f, "%d", &n) == 1;
        if (f != NULL) {
            (void)pclose(f);
        }
        if (read && n >= 2 * EACH) {
            return true;
        }
        (void)usleep(1000);
    }
    return false;
}

int main(void)
{
    char path[] = "/tmp/log_turns.XXXXXX";
    pthread_t t[2 * EACH];
    struct err e;

    (void)close(mkstemp(path));
    state = state_map(path, &e);
    (void)unlink(path);
    if (!unit_check(state != NULL, "a page that processes share")) {
        return unit_end();
    }
    for (int i = 0; i < EACH; i++) {
        (void)pthread_create(&t[i], NULL, this_one, NULL);
        (void)pthread_create(&t[EACH + i], NULL, next_one, NULL);
    }
    (void)reaches(&asleep, 2 * EACH);
    unit_check(all_hang(), "some wait for this sync and some for the next");
    state_wake(state);
    unit_check(reaches(&woken_this, EACH), "its end wakes all who wait for it");
    unit_check(reaches(&woken_next, 1), "and one of the others, to lead");
    state_pass(state, 2);
    unit_check(reaches(&woken_next, 2), "who may choose another one instead");
    state_wake(state);
    unit_check(reaches(&woken_next, EACH), "the next end wakes the rest");
    for (int i = 0; i < 2 * EACH; i++) {
        (void)pthread_join(t[i], NULL);
    }
    const uint32_t seen = atomic_load(&state->syncs);
    state_sleep(state, seen - 1, seen + 1, LONG_MS);
    unit_check(true, "nobody sleeps through an end that is over");
    state_sleep(state, seen, seen + 1, 1);
    unit_check(true, "a sleep ends by itself");
    state_unmap(state);
    return unit_end();
}
