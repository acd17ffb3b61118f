/* Damage: every byte of a segment gets a flipped bit (with DPP_ALL_BITS every
 * bit), the file is cut at every byte, and pages are zeroed. Whatever a reader
 * then says, it is never a wrong record: it sees a prefix, and either the rest
 * was cut as a torn tail (never below what is known to be synced) or it ends
 * with 74 and the file's name. */
#include "log_test.h"

#include "base/rand.h"

enum { SIZE = 64 << 10 };

static struct {
    char *bytes;
    size_t n;          /* of the file */
    uint64_t end;      /* byte behind the last batch */
    uint64_t known;    /* synced end in the last batch's head */
    uint64_t records;  /* in all */
    uint64_t at_known; /* records below `known` */
    char *path;
} good;

static char state[4096];

static void read_file(const char *path, char *out, size_t n)
{
    const int fd = open(path, O_RDONLY);

    MUST(fd >= 0 && pread(fd, out, n, 0) == (ssize_t)n);
    (void)close(fd);
}

/* In place, so that the folder's other files stay. */
static void write_file(const char *path, const char *p, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    MUST(fd >= 0 && fd_write(fd, p, n) == 0);
    (void)close(fd);
}

/* One topic of more than 64 KiB; all but the last two batches were synced when
 * the last one was written. */
static void make(void)
{
    struct log *log = store_new("damage", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct log_stat st;
    uint64_t n = 0;
    struct stat file;

    MUST(w != NULL);
    do {
        MUST(append_one(w, 1, n++, 0) == 0);
        MUST(log_writer_sync(w, &must_err) == 0);
        MUST(log_topic_stat(log, "t", &st, &must_err) == 0);
    } while (st.bytes < SIZE);
    good.known = st.bytes;
    good.at_known = n;
    MUST(append_one(w, 1, n++, 0) == 0);
    MUST(log_writer_sync(w, &must_err) == 0);
    MUST(log_topic_stat(log, "t", &st, &must_err) == 0);
    good.end = st.bytes;
    good.records = n;
    log_writer_close(w);
    log_close(log);
    good.path = last_segment("damage");
    MUST(stat(good.path, &file) == 0);
    good.n = (size_t)file.st_size;
    good.bytes = mem_alloc(good.n);
    read_file(good.path, good.bytes, good.n);
    read_file("damage/run/topics/t/state", state, sizeof state);
}

struct outcome {
    bool right;  /* all records seen were right */
    uint64_t n;  /* how many */
    bool failed; /* with 74 */
    bool named;  /* and the file */
};

static struct outcome look(void)
{
    struct log *log = store_open("damage");
    struct outcome o = {.right = true};

    struct log_reader *r = log_reader_open(log, "t", &must_err);
    struct log_record rec;
    int rc = -1;

    while (r != NULL && (rc = log_reader_next(r, &rec, &must_err)) == 1) {
        unsigned w;
        uint64_t n;
        o.right = o.right && record_parse(rec.data, &w, &n) && n == o.n &&
                  rec.offset == o.n;
        o.n++;
    }
    o.failed = rc < 0;
    if (rc < 0) {
        o.right = o.right && must_err.status == STATUS_IO;
        o.named = strstr(must_err.text, good.path) != NULL &&
                  strstr(must_err.text, "byte") != NULL;
    }
    log_reader_close(r);
    log_close(log);
    return o;
}

static void restore(bool with_state)
{
    if (with_state) {
        const int fd = open("damage/run/topics/t/state", O_WRONLY);
        MUST(fd >= 0 && pwrite(fd, state, sizeof state, 0) == sizeof state);
        (void)close(fd);
    } else {
        (void)unlink("damage/run/topics/t/state");
    }
}

/* What may be lost: without the state, the last batch, whose being synced is
 * on record nowhere else. */
static bool acceptable(const struct outcome *o, bool with_state)
{
    if (!o->right) {
        return false;
    }
    if (o->failed) {
        return o->named;
    }
    return o->n == good.records || (!with_state && o->n >= good.at_known);
}

struct sum {
    unsigned wrong;
    unsigned refused;
    unsigned cut;
    unsigned same;
};

static void count(struct sum *s, const struct outcome *o, bool with_state,
                  const char *what, size_t at)
{
    if (!acceptable(o, with_state)) {
        if (s->wrong++ < 5) {
            printf("# %s %zu%s: %" PRIu64 " of %" PRIu64 " records, %s\n", what,
                   at, with_state ? ", state kept" : "", o->n, good.records,
                   o->failed ? must_err.text : "no error");
        }
    }
    s->refused += o->failed;
    s->cut += !o->failed && o->n < good.records;
    s->same += !o->failed && o->n == good.records;
}

static void report(const struct sum *s, const char *what, bool with_state)
{
    unit_check(s->wrong == 0 && s->refused > 0,
               "%s%s: never wrong data (%u refused with 74, %u cut, %u without "
               "effect)",
               what, with_state ? ", state kept" : ", state lost", s->refused,
               s->cut, s->same);
}

static void flip(size_t byte, unsigned bit, bool with_state, struct sum *s)
{
    const char changed = (char)(good.bytes[byte] ^ 1 << bit);
    const int fd = open(good.path, O_WRONLY);

    MUST(fd >= 0 && pwrite(fd, &changed, 1, (off_t)byte) == 1);
    restore(with_state);
    const struct outcome o = look();
    count(s, &o, with_state, "bit flipped in byte", byte);
    /* Not only this byte: recovery may have cleared a tail. */
    MUST(o.failed || o.n == good.records ||
         pwrite(fd, good.bytes + byte, good.end - byte, (off_t)byte) ==
             (ssize_t)(good.end - byte));
    MUST(pwrite(fd, good.bytes + byte, 1, (off_t)byte) == 1);
    (void)close(fd);
}

static void test_flips(bool with_state)
{
    const bool all = getenv("DPP_ALL_BITS") != NULL;
    struct sum s = {0};

    for (size_t i = 0; i < good.end; i += with_key && !all ? 7 : 1) {
        if (all) {
            for (unsigned bit = 0; bit < 8; bit++) {
                flip(i, bit, with_state, &s);
            }
        } else {
            flip(i, (unsigned)rand_below(8), with_state, &s);
        }
    }
    report(&s, "a flipped bit in every byte", with_state);
}

static void test_short(bool with_state)
{
    struct sum s = {0};

    write_file(good.path, good.bytes, good.n);
    /* From the end: each file is a prefix of the last. */
    for (size_t n = good.end; n > 0; n--) {
        MUST(truncate(good.path, (off_t)n - 1) == 0);
        const int fd = open(good.path, O_WRONLY);
        const size_t from = n > 1024 ? n - 1024 : 0;
        MUST(fd >= 0 && pwrite(fd, good.bytes + from, n - 1 - from,
                               (off_t)from) == (ssize_t)(n - 1 - from));
        (void)close(fd);
        /* Without the state a byte is like its neighbours but at the end. */
        if ((!with_state || with_key) && n % 8 != 0 && n + 8192 < good.end &&
            getenv("DPP_ALL_BITS") == NULL) {
            continue;
        }
        restore(with_state);
        const struct outcome o = look();
        /* A cut between two batches cannot be seen without the state. */
        if (!with_state && o.right && !o.failed) {
            s.cut++;
        } else {
            count(&s, &o, with_state, "cut to", n - 1);
        }
    }
    write_file(good.path, good.bytes, good.n);
    report(&s, "the file cut at every byte", with_state);
}

static void test_pages(bool with_state)
{
    struct sum s = {0};
    char *copy = mem_alloc(good.n);

    for (size_t page = 0; page * 4096 < good.end; page++) {
        memcpy(copy, good.bytes, good.n);
        memset(copy + page * 4096, 0, 4096);
        write_file(good.path, copy, good.n);
        restore(with_state);
        const struct outcome o = look();
        /* The last page takes the evidence with it. */
        if (with_state || (page + 1) * 4096 < good.end) {
            count(&s, &o, with_state, "zeroed page", page);
        } else {
            MUST(o.right && !o.failed);
        }
    }
    write_file(good.path, good.bytes, good.n);
    free(copy);
    report(&s, "each page zeroed in turn", with_state);
}

/* A sealed segment: all of it was synced, no state is needed to know. */
static void test_sealed(void)
{
    struct log *log = store_new("damage", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    struct sum s = {0};

    MUST(w != NULL);
    good.records = 0;
    while (good.records < 1000) {
        MUST(append_one(w, 1, good.records++, 0) == 0);
    }
    MUST(log_writer_sync(w, &must_err) == 0);
    log_writer_close(w);
    log_close(log);
    good.path = mem_strdup("damage/topics/t/00000000000000000000.log");
    read_file(good.path, good.bytes, SIZE);
    good.end = SIZE;
    while (good.bytes[good.end - 1] == 0) {
        good.end--;
    }
    good.at_known = good.records;
    for (size_t i = 0; i < good.end; i += 7) {
        flip(i, (unsigned)rand_below(8), false, &s);
    }
    unit_check(s.wrong == 0 && s.cut == 0 && s.same == 0,
               "a flipped bit in a sealed segment is always 74 (%u times)",
               s.refused);
    free(good.path);
}

static int lines;

static void on_line(void *arg, const char *line)
{
    (void)arg;
    lines += strstr(line, "byte") != NULL;
}

static void test_verify(void)
{
    struct log *log = store_new("damage", 1);
    struct log_writer *w = log_writer_open(log, "t", &must_err);
    uint64_t records;
    const char *path = "damage/topics/t/00000000000000000000.log";

    MUST(w != NULL);
    for (uint64_t n = 0; n < 1000; n++) {
        MUST(append_one(w, 1, n, 0) == 0);
    }
    MUST(log_writer_sync(w, &must_err) == 0);
    log_writer_close(w);
    unit_check(log_topic_verify(log, "t", on_line, NULL, &records, &must_err) ==
                       0 &&
                   records == 1000,
               "verify proves all records of a good topic");
    const int fd = open(path, O_WRONLY);
    MUST(fd >= 0 && pwrite(fd, "x", 1, 10000) == 1 &&
         pwrite(fd, "x", 1, 30001) == 1);
    (void)close(fd);
    lines = 0;
    const int faults =
        log_topic_verify(log, "t", on_line, NULL, &records, &must_err);
    unit_check(faults == 2 && lines == 2 && records == 998,
               "verify finds both of two faults and counts the rest (%d, "
               "%" PRIu64 ")",
               faults, records);
    log_close(log);
}

static void test_all(void)
{
    (void)setenv("DPP_LOG_SEGMENT", "128k", 1);
    make();
    for (int i = 0; i < 2; i++) {
        test_flips(i == 0);
        test_short(i == 0);
        test_pages(i == 0);
    }
    free(good.path);
    (void)setenv("DPP_LOG_SEGMENT", "64k", 1);
    test_sealed();
    test_verify();
    free(good.bytes);
}

int main(void)
{
    msg_init("log_damage");
    msg_set_level(MSG_QUIET);
    fast_enter();
    /* Torn tails are reported each time: thousands of lines. */
    const int talk = dup(STDERR_FILENO);
    (void)!freopen("/dev/null", "w", stderr);
    for (int key = 0; key < 2; key++) {
        with_key = key != 0;
        test_all();
    }
    (void)dup2(talk, STDERR_FILENO);
    return unit_end();
}
