/* Groups: a fair share for one, two and three members, death frees partitions
 * at once, positions never go back and belong to their topic. */
#include "log_test.h"

enum { PARTS = 7 };

struct member {
    struct log_group *group;
    bool owned[PARTS];
    uint32_t surplus;
};

static unsigned owns(const struct member *m)
{
    unsigned n = 0;

    for (int p = 0; p < PARTS; p++) {
        n += m->owned[p];
    }
    return n;
}

static void join(struct member *m, struct log *log)
{
    *m = (struct member){0};
    MUST((m->group = log_group_open(log, "g", "t", &must_err)) != NULL);
}

/* As a consumer does each second: take, give the surplus back. */
static void balance(struct member *m)
{
    MUST(log_group_balance(m->group, m->owned, &m->surplus, &must_err) >= 0);
    for (uint32_t p = 0; p < PARTS && m->surplus > 0; p++) {
        if (m->owned[p]) {
            MUST(log_group_release(m->group, p, &must_err) == 0);
            m->owned[p] = false;
            m->surplus--;
        }
    }
}

static bool exclusive(const struct member *m, int n)
{
    for (int p = 0; p < PARTS; p++) {
        int owners = 0;
        for (int i = 0; i < n; i++) {
            owners += m[i].owned[p];
        }
        if (owners != 1) {
            return false;
        }
    }
    return true;
}

static void settle(struct member *m, int n)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++) {
            balance(&m[i]);
        }
    }
}

static void test_balance(struct log *log)
{
    struct member m[3];

    join(&m[0], log);
    settle(m, 1);
    unit_check(owns(&m[0]) == PARTS, "one member has all partitions");
    join(&m[1], log);
    settle(m, 2);
    unit_check(owns(&m[0]) == 4 && owns(&m[1]) == 3 && exclusive(m, 2),
               "two share them");
    join(&m[2], log);
    settle(m, 3);
    unit_check(owns(&m[0]) == 3 && owns(&m[1]) == 2 && owns(&m[2]) == 2 &&
                   exclusive(m, 3),
               "three share them (%u %u %u)", owns(&m[0]), owns(&m[1]),
               owns(&m[2]));
    log_group_close(m[0].group);
    m[0] = m[2];
    settle(m, 2);
    unit_check(owns(&m[0]) + owns(&m[1]) == PARTS && exclusive(m, 2),
               "when one leaves, the others have its partitions (%u %u)",
               owns(&m[0]), owns(&m[1]));
    log_group_close(m[0].group);
    log_group_close(m[1].group);
}

/* A member that takes its share, says so, and waits to be killed. */
static pid_t start_member(struct log *log, unsigned want)
{
    int fd[2];
    char byte;

    MUST(pipe(fd) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        struct member m;
        join(&m, log);
        while (owns(&m) < want) {
            balance(&m);
        }
        (void)!write(fd[1], "", 1);
        for (;;) {
            (void)pause();
        }
    }
    MUST(pid > 0 && read(fd[0], &byte, 1) == 1);
    (void)close(fd[0]);
    (void)close(fd[1]);
    return pid;
}

static void test_death(struct log *log)
{
    struct log_group_pos pos = {0, 5};
    struct member m;
    struct err e = {0};
    int status;
    const pid_t pid = start_member(log, PARTS);
    char text[32];

    join(&m, log);
    balance(&m);
    unit_check(owns(&m) == 0, "what a living member owns is not taken");
    log_group_close(m.group);
    (void)snprintf(text, sizeof text, "process %d", (int)pid);
    unit_check(log_group_reset(log, "g", "t", &pos, 1, &e) < 0 &&
                   e.status == STATUS_RETRY && strstr(e.text, text) != NULL,
               "nor is its group reset: %s", e.text);
    join(&m, log);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    balance(&m);
    unit_check(owns(&m) == PARTS, "its death frees all of it at once");
    log_group_close(m.group);
}

static bool reads(struct log_group *g, uint32_t p, int rc, uint64_t want)
{
    uint64_t offset = 0;

    return log_group_read(g, p, &offset, &must_err) == rc &&
           (rc == 0 || offset == want);
}

static void test_positions(struct log *log)
{
    struct log_group *a = log_group_open(log, "p", "t", &must_err);
    struct log_group *b = log_group_open(log, "p", "t", &must_err);
    struct log_group_pos pos[2] = {{1, 10}, {6, 20}};
    struct log_names names;

    MUST(a != NULL && b != NULL);
    unit_check(log_group_epoch(a) == 1 && reads(a, 1, 0, 0),
               "a new group has epoch 1 and no position");
    MUST(log_group_list(log, "t", &names, &must_err) == 0);
    unit_check(names.n == 1 && strcmp(names.v[0], "g") == 0,
               "a look at it does not make it");
    log_names_release(&names);
    MUST(log_group_commit(a, pos, 2, &must_err) == 0);
    unit_check(reads(a, 1, 1, 10) && reads(b, 6, 1, 20) && reads(b, 0, 0, 0),
               "another member sees what was stored");
    pos[0].offset = 9;
    MUST(log_group_commit(b, pos, 1, &must_err) == 0);
    unit_check(reads(a, 1, 1, 10), "a position never goes back");
    log_group_close(a);
    log_group_close(b);
    pos[0].offset = 3;
    MUST(log_group_reset(log, "p", "t", pos, 1, &must_err) == 0);
    MUST((a = log_group_open(log, "p", "t", &must_err)) != NULL);
    unit_check(log_group_epoch(a) == 2 && reads(a, 1, 1, 3) &&
                   reads(a, 6, 1, 20),
               "but for a reset, which raises the epoch");
    log_group_close(a);
}

/* The newer slot torn, then both. */
static void test_damage(struct log *log)
{
    struct log_group_pos pos = {0, 50};
    struct log_group *g = log_group_open(log, "d", "t", &must_err);
    struct err e = {0};

    for (; pos.offset <= 60; pos.offset++) {
        MUST(log_group_commit(g, &pos, 1, &must_err) == 0);
    }
    MUST(reads(g, 0, 1, 60));
    const int fd = open("group/groups/d/t", O_RDWR);
    char slots[2][512];
    MUST(fd >= 0 && pread(fd, slots, sizeof slots, 0) == sizeof slots);
    const int newer = slots[0][8] > slots[1][8] ? 0 : 1;
    bool lag = true;
    for (int i = 0; i < 64 + 8 * PARTS; i++) {
        const char c = (char)(slots[newer][i] ^ 4);
        MUST(pwrite(fd, &c, 1, newer * 512 + i) == 1);
        lag = lag && reads(g, 0, 1, 59);
        MUST(pwrite(fd, &slots[newer][i], 1, newer * 512 + i) == 1);
    }
    unit_check(lag, "a damaged slot: the one before counts, for every byte");
    MUST(pwrite(fd, "xx", 2, 30) == 2 && pwrite(fd, "xx", 2, 512 + 30) == 2);
    uint64_t offset;
    unit_check(log_group_read(g, 0, &offset, &e) < 0 &&
                   e.status == STATUS_CONFIG,
               "both damaged is 78: %s", e.text);
    log_group_close(g);
    pos.offset = 7;
    MUST(log_group_reset(log, "d", "t", &pos, 1, &must_err) == 0);
    MUST((g = log_group_open(log, "d", "t", &must_err)) != NULL);
    unit_check(reads(g, 0, 1, 7) && log_group_epoch(g) > 1,
               "a reset makes it good");
    log_group_close(g);
    (void)close(fd);
}

static void test_new_topic(struct log *log)
{
    struct log_topic t = {.partitions = PARTS};
    const struct log_group_pos pos = {0, 77};
    struct log_group *g = log_group_open(log, "n", "t", &must_err);

    MUST(g != NULL && log_group_commit(g, &pos, 1, &must_err) == 0);
    log_group_close(g);
    /* As a topic that was made anew by hand, its groups left there. */
    tree_copy("group/groups", "group.kept");
    MUST(log_topic_remove(log, "t", &must_err) == 0);
    unit_check(access("group/groups/n/t", F_OK) < 0,
               "a removed topic takes its positions along");
    tree_copy("group.kept", "group/groups");
    MUST(log_topic_create(log, "t", &t, &must_err) == 0);
    MUST((g = log_group_open(log, "n", "t", &must_err)) != NULL);
    unit_check(reads(g, 0, 0, 0) && log_group_epoch(g) == 2,
               "positions of an older topic of that name do not count");
    MUST(log_group_commit(g, &pos, 1, &must_err) == 0);
    unit_check(reads(g, 0, 1, 77), "until new ones are stored");
    log_group_close(g);
    tree_remove("group.kept");
}

int main(void)
{
    msg_init("log_group");
    struct log *log = store_new("group", PARTS);

    test_balance(log);
    test_death(log);
    test_positions(log);
    test_damage(log);
    test_new_topic(log);
    log_close(log);
    return unit_end();
}
