/* The embedded log: what is appended is read, in order, by offset and time. */
#include "log_test.h"

#include <poll.h>

#include "base/clock.h"
#include "record/pos.h"

static void read_all(struct log_reader *r, uint64_t first, uint64_t end)
{
    struct log_record rec;
    bool good = true;
    uint64_t at = first;
    int rc;

    while ((rc = log_reader_next(r, &rec, &must_err)) == 1) {
        unsigned w;
        uint64_t n;
        good = good && rec.offset == at && record_parse(rec.data, &w, &n) &&
               n == at && rec.partition == at % 3;
        at++;
    }
    unit_check(rc == 0 && good && at == end,
               "records %" PRIu64 " to %" PRIu64
               " come in order with their bytes (%" PRIu64 ", %s)",
               first, end, at, rc < 0 ? must_err.text : "");
}

static void write_many(struct log_writer *w, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) {
        MUST(append_one(w, 1, n, (uint32_t)(n % 3)) == 0);
    }
}

static void test_segments(void)
{
    struct log *log = store_new("basic", 3);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct log_record rec;
    struct log_stat st;
    struct err e;

    MUST(w != NULL && r != NULL);
    unit_check(log_reader_next(r, &rec, &e) == 0,
               "an empty topic has no records");
    write_many(w, 0, 5000);
    MUST(log_writer_sync(w, &must_err) == 0);
    read_all(r, 0, 5000);
    write_many(w, 5000, 9000);
    MUST(log_writer_sync(w, &must_err) == 0);
    read_all(r, 5000, 9000);
    MUST(log_topic_stat(log, "t", &st, &must_err) == 0);
    unit_check(st.begin == 0 && st.end == 9000 && st.segments > 5 &&
                   st.bytes > 9000 * 100 && st.bytes < 9000 * 600,
               "the topic's figures: %" PRIu64 " bytes in %u segments",
               st.bytes, st.segments);
    for (uint64_t at = 0; at <= 9000; at += 750) {
        MUST(log_reader_seek(r, at, &must_err) == 0);
        MUST(log_reader_tell(r) == at);
        read_all(r, at, 9000);
    }
    unit_check(log_reader_seek(r, 9001, &e) < 0 && e.status == STATUS_CONFIG,
               "an offset behind the end is refused: %s", e.text);
    log_reader_close(r);
    log_writer_close(w);
    log_close(log);
}

static void test_reopen(void)
{
    struct log *log = store_open("basic");
    struct log_reader *r;

    MUST(log != NULL && (r = log_reader_open(log, "t", &must_err)) != NULL);
    read_all(r, 0, 9000);
    log_reader_close(r);
    state_forget("basic");
    MUST((r = log_reader_open(log, "t", &must_err)) != NULL);
    read_all(r, 0, 9000);
    log_reader_close(r);
    log_close(log);
}

static void test_index(void)
{
    struct log *log = store_open("basic");
    struct log_reader *r;

    MUST(log != NULL);
    unit_check(system("for f in basic/topics/t/*.idx; do echo x >$f; done") ==
                   0,
               "indexes are overwritten with rubbish");
    MUST((r = log_reader_open(log, "t", &must_err)) != NULL);
    MUST(log_reader_seek(r, 2500, &must_err) == 0);
    read_all(r, 2500, 9000);
    log_reader_close(r);
    log_close(log);
}

static void test_unsynced(void)
{
    struct log *log = store_new("wake", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct log_record rec;
    uint64_t ticket = 0;

    MUST(w != NULL && r != NULL);
    struct pollfd fd[2] = {{.fd = log_writer_fd(w), .events = POLLIN},
                           {.fd = log_reader_fd(r), .events = POLLIN}};
    log_reader_woken(r);
    MUST(append_one(w, 1, 0, 0) == 0);
    unit_check(poll(fd, 1, 10000) == 1 &&
                   log_writer_synced(w, &ticket, &must_err) == 0 &&
                   ticket == 1 && log_writer_appended(w) == 1,
               "the writer's descriptor tells that the append is durable");
    unit_check(poll(fd + 1, 1, 10000) == 1 &&
                   log_reader_next(r, &rec, &must_err) == 1,
               "the reader's descriptor tells that there is a record");
    log_reader_woken(r);
    unit_check(poll(fd + 1, 1, 0) == 0, "and is quiet when it was drained");
    log_reader_close(r);
    log_writer_close(w);
    log_close(log);
}

static void test_time(void)
{
    struct log *log = store_new("time", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct log_record rec;
    uint64_t offset;
    uint64_t middle = 0;
    uint64_t first_at = 0;

    MUST(w != NULL && r != NULL);
    for (uint64_t n = 0; n < 3000; n++) {
        MUST(append_one(w, 1, n, 0) == 0);
    }
    MUST(log_writer_sync(w, &must_err) == 0);
    while (log_reader_next(r, &rec, &must_err) == 1) {
        if (middle == 0 && rec.offset >= 1500) {
            middle = rec.time_ms;
        }
    }
    MUST(log_reader_seek(r, 0, &must_err) == 0);
    while (log_reader_next(r, &rec, &must_err) == 1) {
        if (rec.time_ms >= middle) {
            first_at = rec.offset;
            break;
        }
    }
    MUST(log_reader_find_time(r, middle, &offset, &must_err) == 0);
    unit_check(offset == first_at, "a time finds its first record");
    unit_check(log_reader_tell(r) == first_at + 1,
               "and the reader stays where it was");
    MUST(log_reader_find_time(r, 0, &offset, &must_err) == 0);
    unit_check(offset == 0, "time 0 is the oldest record");
    MUST(log_reader_find_time(r, clock_wall_ms() + 1000000, &offset,
                              &must_err) == 0);
    unit_check(offset == 3000, "a time to come is the end");
    log_reader_close(r);
    log_writer_close(w);
    log_close(log);
}

static void test_topics(void)
{
    struct log *log = store_new("topics", 1);
    struct log_topic t = {.partitions = 2, .retain_ms = 5};
    struct log_names names;
    struct err e;
    struct log_reader *r;

    unit_check(log_topic_create(log, "t", &t, &e) < 0 &&
                   e.status == STATUS_CONFIG,
               "a topic is made once: %s", e.text);
    MUST(log_topic_create(log, "a.b", &t, &must_err) == 0);
    MUST(log_topic_load(log, "a.b", &t, &must_err) == 1);
    unit_check(t.partitions == 2 && t.retain_ms == 5 && strlen(t.id) == 32,
               "it is found as it was made");
    MUST(log_topic_list(log, &names, &must_err) == 0);
    unit_check(names.n == 2 && strcmp(names.v[0], "a.b") == 0,
               "topics are listed by name");
    log_names_release(&names);
    unit_check(log_reader_open(log, "none", &e) == NULL &&
                   e.status == STATUS_UNREACHABLE,
               "no such topic is 69: %s", e.text);
    unit_check(log_topic_load(log, "../t", &t, &e) < 0 &&
                   e.status == STATUS_CONFIG,
               "a path is no topic: %s", e.text);
    MUST((r = log_reader_open(log, "a.b", &must_err)) != NULL);
    unit_check(log_topic_remove(log, "a.b", &e) < 0 && e.status == STATUS_RETRY,
               "a topic in use stays: %s", e.text);
    log_reader_close(r);
    MUST(log_topic_remove(log, "a.b", &must_err) == 0);
    unit_check(log_topic_load(log, "a.b", &t, &e) == 0, "then it can go");
    log_close(log);
}

int main(void)
{
    msg_init("log_basic");
    (void)setenv("DPP_LOG_SEGMENT", "256k", 1);
    for (int key = 0; key < 2; key++) {
        with_key = key != 0;
        test_segments();
        test_reopen();
        test_index();
        test_unsynced();
        test_time();
    }
    with_key = false;
    test_topics();
    return unit_end();
}
