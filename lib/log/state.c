#include "log/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/err.h"

enum { PAGE = 4096 };

static const char MAGIC[8] = "dppst1\n";

_Static_assert(sizeof(struct state) <= 512, "one sector, never torn");

struct state *state_map(const char *path, struct err *e)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0) {
        err_errno(e, errno == EACCES ? STATUS_REFUSED : STATUS_IO, "%s", path);
        return NULL;
    }
    /* Blocks of its own: a store into a hole on a full disk is SIGBUS. */
    if (fstat(fd, &st) < 0 ||
        (st.st_size < PAGE && (errno = posix_fallocate(fd, 0, PAGE)) != 0)) {
        err_errno(e, STATUS_IO, "%s", path);
        (void)close(fd);
        return NULL;
    }
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (p == MAP_FAILED) {
        err_errno(e, STATUS_SYSTEM, "%s: mmap", path);
        return NULL;
    }
    return p;
}

void state_unmap(struct state *s)
{
    if (s != NULL) {
        (void)munmap(s, PAGE);
    }
}

/* Without a boot id (no /proc) every start counts as a new boot. */
static bool boot_id(char out[40])
{
    const int fd =
        open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(out, 0, 40);
    if (fd < 0) {
        return false;
    }
    const ssize_t n = read(fd, out, 36);
    (void)close(fd);
    return n == 36;
}

bool state_valid(struct state *s, const char topic[33])
{
    char boot[40];
    struct mark m;

    return boot_id(boot) && memcmp(s->magic, MAGIC, sizeof MAGIC) == 0 &&
           memcmp(s->boot, boot, sizeof boot) == 0 &&
           memcmp(s->topic, topic, sizeof s->topic) == 0 &&
           cell_read(&s->appended, &m) && cell_read(&s->synced, &m);
}

void state_reset(struct state *s, const char topic[33])
{
    memset(s, 0, sizeof *s);
    memcpy(s->magic, MAGIC, sizeof MAGIC);
    memcpy(s->topic, topic, sizeof s->topic);
}

void state_bless(struct state *s)
{
    char boot[40];

    atomic_thread_fence(memory_order_seq_cst);
    (void)boot_id(boot);
    memcpy(s->boot, boot, sizeof boot);
}

static uint32_t check_of(const struct mark *m)
{
    return crc32c(0, m, offsetof(struct mark, check));
}

bool cell_read(struct cell *c, struct mark *m)
{
    for (;;) {
        const uint64_t n =
            atomic_load_explicit(&c->count, memory_order_acquire);
        memcpy(m, &c->slot[n & 1], sizeof *m);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&c->count, memory_order_relaxed) == n) {
            return m->check == check_of(m);
        }
    }
}

void cell_write(struct cell *c, const struct mark *m)
{
    const uint64_t n = atomic_load_explicit(&c->count, memory_order_relaxed);
    struct mark *slot = &c->slot[(n + 1) & 1];

    /* The last raise is seen before this slot, its predecessor's, changes. */
    atomic_thread_fence(memory_order_release);
    memcpy(slot, m, sizeof *m);
    slot->check = check_of(m);
    atomic_store_explicit(&c->count, n + 1, memory_order_release);
}

/* Those who wait for one sync share a bit. Two numbers that share one are 32
 * syncs apart; whoever is woken by mistake looks and sleeps again. */
static uint32_t bit(uint32_t turn)
{
    return (uint32_t)1 << (turn & 31);
}

void state_sleep(struct state *s, uint32_t seen, uint32_t turn, unsigned ms)
{
    const uint64_t end = clock_mono_us() + (uint64_t)ms * 1000;
    const struct timespec t = {(time_t)(end / 1000000),
                               (long)(end % 1000000) * 1000};

    (void)syscall(SYS_futex, &s->syncs, FUTEX_WAIT_BITSET, seen, &t, NULL,
                  bit(turn));
}

static void wake(struct state *s, int n, uint32_t turn)
{
    (void)syscall(SYS_futex, &s->syncs, FUTEX_WAKE_BITSET, n, NULL, NULL,
                  bit(turn));
}

void state_wake(struct state *s)
{
    const uint32_t ended = atomic_fetch_add(&s->syncs, 1) + 1;

    wake(s, 1, ended + 1);
    wake(s, INT_MAX, ended);
}

void state_pass(struct state *s, uint32_t turn)
{
    wake(s, 1, turn);
}
