/* Positions by name, and who may move them: across segments, reopening, the
 * loss of the state; retention never deletes what a live group has not read. */
#include "log_test.h"

#include <time.h>
#include <utime.h>

#include "base/clock.h"
#include "record/pos.h"

static void sealed(struct buf *pos, const char *key, uint64_t n)
{
    char value[24];

    (void)snprintf(value, sizeof value, "%" PRIu64, n);
    buf_clear(pos);
    pos_put(pos, slice_of(key), slice_of(value));
    pos_seal(pos);
}

static int append_pos(struct log_writer *w, const char *name, const char *key,
                      uint64_t n, bool with_record, struct err *e)
{
    char text[RECORD_MAX];
    struct log_entry entry = {0, {record_of(1, n, text), SLICE("")}};
    struct buf pos = {0};

    sealed(&pos, key, n);
    const int rc = log_writer_append(w, &entry, with_record ? 1 : 0,
                                     slice_of(name), buf_slice(&pos), e);
    buf_release(&pos);
    return rc;
}

static bool position_is(struct log_writer *w, const char *run, const char *name,
                        const char *key, const char *want)
{
    struct buf pos = {0};
    bool same = log_writer_own(w, run, slice_of(name), slice_of(key), &pos,
                               &must_err) == 0 &&
                pos_check(buf_slice(&pos), &must_err) == 0;
    struct slice v = pos_find(buf_slice(&pos), slice_of(key));

    same =
        same && (want == NULL ? v.p == NULL : v.p != NULL && slice_is(v, want));
    if (!same) {
        printf("# %s of %s: \"%.*s\", not %s\n", key, name, (int)pos.n, pos.p,
               want != NULL ? want : "none");
    }
    buf_release(&pos);
    return same;
}

static void test_fencing(struct log *log)
{
    struct log_writer *a = log_writer_open(log, "t", &must_err);
    struct log_writer *b = log_writer_open(log, "t", &must_err);
    struct err e = {0};

    MUST(a != NULL && b != NULL);
    unit_check(position_is(a, "run-a", "seg", "x/0", NULL),
               "a new name has no position");
    MUST(append_pos(a, "seg", "x/0", 7, true, &must_err) == 0);
    unit_check(position_is(b, "run-b", "seg", "x/0", "7"),
               "the next owner gets the position that was appended");
    unit_check(append_pos(a, "seg", "x/0", 8, true, &e) < 0 &&
                   e.status == STATUS_CONFIG,
               "the former owner is refused: %s", e.text);
    unit_check(append_pos(b, "seg", "x/0", 9, true, &must_err) == 0,
               "the new one is not");
    unit_check(append_pos(a, "other", "x/0", 1, true, &must_err) == 0,
               "nor is the former one under another name");
    unit_check(position_is(a, "run-a", "seg", "x/1", NULL) &&
                   append_pos(a, "seg", "x/1", 5, true, &must_err) == 0 &&
                   append_pos(b, "seg", "x/0", 10, true, &must_err) == 0,
               "two runs share a name by its keys");
    unit_check(append_pos(b, "seg", "x/1", 6, true, &e) < 0, "but not a key");
    log_writer_close(a);
    log_writer_close(b);
}

static void test_bad_position(struct log *log)
{
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct err e = {0};

    MUST(w != NULL);
    unit_check(log_writer_append(w, NULL, 0, SLICE("seg"),
                                 SLICE("x/0:1 sum:00000000"), &e) < 0 &&
                   e.status == STATUS_STREAM,
               "a position with a wrong sum is 65");
    log_writer_close(w);
}

/* Names a and b stop early; c goes on through many segments. */
static void test_segments(struct log *log)
{
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct log_stat st;

    MUST(w != NULL);
    MUST(append_pos(w, "early", "k", 41, false, &must_err) == 0);
    for (uint64_t n = 0; n < 3000; n++) {
        MUST(append_pos(w, "many", n % 2 != 0 ? "odd" : "even", n, true,
                        &must_err) == 0);
    }
    MUST(log_topic_stat(log, "t", &st, &must_err) == 0);
    unit_check(st.segments > 5 && position_is(w, "r", "early", "k", "41") &&
                   position_is(w, "r", "many", "odd", "2999") &&
                   position_is(w, "r", "many", "even", "2998"),
               "positions are carried through %u segments", st.segments);
    MUST(log_writer_sync(w, &must_err) == 0);
    log_writer_close(w);
    MUST((w = log_writer_open(log, "t", &must_err)) != NULL);
    unit_check(position_is(w, "r", "early", "k", "41") &&
                   position_is(w, "r", "many", "odd", "2999"),
               "and are found by the next process");
    log_writer_close(w);
    state_forget("fence");
    MUST((w = log_writer_open(log, "t", &must_err)) != NULL);
    unit_check(position_is(w, "r", "early", "k", "41") &&
                   position_is(w, "r", "many", "odd", "2999") &&
                   position_is(w, "r", "seg", "x/0", "10"),
               "and after the loss of the state");
    log_writer_close(w);
}

/* The sink waits for this before it says hi: 64 MiB of small batches. */
static void test_own_speed(void)
{
    struct log *log = store_new("speed", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct log_stat st = {0};
    uint64_t best = UINT64_MAX;
    uint64_t n = 0;
    bool right = true;

    MUST(w != NULL);
    do {
        for (int i = 0; i < 1000; i++) {
            MUST(append_pos(w, "segment", "github/0", n++, true, &must_err) ==
                 0);
        }
        MUST(log_topic_stat(log, "t", &st, &must_err) == 0);
    } while (n < 160000);
    MUST(log_writer_sync(w, &must_err) == 0);
    log_writer_close(w);
    for (int i = 0; i < 5; i++) {
        MUST((w = log_writer_open(log, "t", &must_err)) != NULL);
        const clock_t start = clock();
        struct buf pos = {0};
        MUST(log_writer_own(w, "r", SLICE("segment"), SLICE("github/0"), &pos,
                            &must_err) == 0);
        /* of the processor: how busy the machine is does not count */
        const uint64_t took =
            (uint64_t)(clock() - start) * 1000000 / CLOCKS_PER_SEC;
        best = took < best ? took : best;
        right = right && slice_is(pos_find(buf_slice(&pos), SLICE("github/0")),
                                  "159999");
        buf_release(&pos);
        log_writer_close(w);
    }
    unit_check(right && best < 100000,
               "the position behind %" PRIu64 " batches is found in %" PRIu64
               " us",
               n, best);
    log_close(log);
}

/* --- retention ----------------------------------------------------------- */

static void fill(struct log_writer *w, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) {
        MUST(append_one(w, 1, n, (uint32_t)(n % 2)) == 0);
    }
    MUST(log_writer_sync(w, &must_err) == 0);
}

static struct log_stat stat_of(struct log *log, const char *topic)
{
    struct log_stat st;

    MUST(log_topic_stat(log, topic, &st, &must_err) == 0);
    return st;
}

static void test_retention_size(void)
{
    struct log *log = store_new("retain", 1);
    struct log_topic t = {.partitions = 2, .retain_bytes = 256 << 10};
    struct log_group_pos pos[2] = {{0, 100}, {1, 101}};
    struct log_writer *w;
    struct log_reader *r;
    struct log_group *g;
    struct log_record rec;
    struct err e = {0};

    MUST(log_topic_create(log, "small", &t, &must_err) == 0);
    MUST((w = log_writer_open(log, "small", &must_err)) != NULL);
    MUST((g = log_group_open(log, "g", "small", &must_err)) != NULL);
    MUST(log_group_commit(g, pos, 2, &must_err) == 0);
    fill(w, 0, 3000);
    unit_check(stat_of(log, "small").begin == 0,
               "what a live group has not read stays");
    MUST((r = log_reader_open(log, "small", &must_err)) != NULL);
    MUST(log_reader_next(r, &rec, &must_err) == 1);
    pos[0].offset = 2999;
    MUST(log_group_commit(g, pos, 1, &must_err) == 0);
    fill(w, 3000, 3500);
    const uint64_t begin = stat_of(log, "small").begin;
    unit_check(begin <= 101, "by the slowest partition (%" PRIu64 ")", begin);
    pos[1].offset = 3000;
    MUST(log_group_commit(g, pos, 2, &must_err) == 0);
    fill(w, 3500, 4000);
    const struct log_stat st = stat_of(log, "small");
    unit_check(st.begin > 2000 && st.begin <= 3000 &&
                   st.bytes < (256 << 10) + 3 * 65536 + 500 * 400,
               "then the oldest go (%" PRIu64 " to %" PRIu64 ", %" PRIu64
               " bytes)",
               st.begin, st.end, st.bytes);
    uint64_t seen = 1;
    int rc;
    while ((rc = log_reader_next(r, &rec, &e)) == 1) {
        seen++;
    }
    unit_check(rc < 0 && e.status == STATUS_CONFIG &&
                   strstr(e.text, "expired") != NULL && seen > 1,
               "a reader ends its file, then it is told: %s", e.text);
    unit_check(log_reader_seek(r, 5, &e) < 0 && e.status == STATUS_CONFIG,
               "so is who asks for a deleted record");
    MUST(log_reader_seek(r, st.begin, &must_err) == 0);
    unit_check(log_reader_next(r, &rec, &must_err) == 1 &&
                   rec.offset == st.begin,
               "the oldest record that is left can be read");
    log_reader_close(r);
    log_group_close(g);

    /* A week without a sign of life. */
    const struct utimbuf old = {.actime = 1000, .modtime = 1000};
    MUST(utime("retain/groups/g/small", &old) == 0);
    fill(w, 4000, 6000);
    unit_check(stat_of(log, "small").begin > 4000,
               "a dead group holds nothing back");
    log_writer_close(w);
    log_close(log);
}

static void test_retention_time(void)
{
    struct log *log = store_new("retain", 1);
    struct log_topic t = {.partitions = 2, .retain_ms = 1};
    struct log_writer *w;

    MUST(log_topic_create(log, "short", &t, &must_err) == 0);
    MUST((w = log_writer_open(log, "short", &must_err)) != NULL);
    fill(w, 0, 1000);
    const uint64_t now = clock_wall_ms();
    while (clock_wall_ms() < now + 3) {
    }
    fill(w, 1000, 1001);
    const struct log_stat st = stat_of(log, "short");
    unit_check(st.begin == 1000 && st.end == 1001,
               "what is older than it may be goes at the next append");
    log_writer_close(w);
    log_close(log);
}

int main(void)
{
    msg_init("log_fence");
    (void)setenv("DPP_LOG_SEGMENT", "64k", 1);
    struct log *log = store_new("fence", 1);
    test_fencing(log);
    test_bad_position(log);
    test_segments(log);
    log_close(log);
    test_retention_size();
    test_retention_time();
    with_key = true;
    test_retention_size();
    with_key = false;
    (void)setenv("DPP_LOG_SEGMENT", "64M", 1);
    test_own_speed();
    return unit_end();
}
