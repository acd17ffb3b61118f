/* logpower: a writer and a checker for power cuts, on lib/log.
 *
 *     logpower append DIR N   N batches, each synced, then acknowledged
 *     logpower early DIR N    wrong: acknowledges before it syncs
 *     logpower check DIR N    status 1 if one of the first N batches is gone,
 *                             a record is wrong, or the position that is
 *                             stored with the batches is not the last one's
 *
 * Segments are small (DPP_LOG_SEGMENT), so that the cuts fall on their changes
 * too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../power/mark.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "log/log.h"
#include "record/pos.h"

enum { LONGEST = 6000 };

static const char RUN[] = "0123456789abcdef0123456789abcdef";

/* Batch n has one to three records of many sizes. */
static uint64_t records_of(uint64_t n)
{
    return 1 + n % 3;
}

static size_t record(char out[LONGEST], uint64_t n, uint64_t i)
{
    const size_t size = 40 + (size_t)((n * 7919 + i * 104729) % 5900);

    memset(out, 'a' + (int)((n + i) % 26), size);
    const int head = snprintf(out, size, "%llu/%llu ", (unsigned long long)n,
                              (unsigned long long)i);
    out[head] = '.';
    return size;
}

static void position(struct buf *pos, uint64_t n)
{
    char text[24];

    buf_clear(pos);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    pos_put(pos, SLICE("n"), slice_of(text));
    pos_seal(pos);
}

static int append_one(struct log_writer *w, uint64_t n, struct buf *pos,
                      struct err *e)
{
    char text[3][LONGEST];
    struct log_entry entry[3];

    for (uint64_t i = 0; i < records_of(n); i++) {
        const size_t size = record(text[i], n, i);
        entry[i] = (struct log_entry){
            .part = {{text[i], size / 2},
                     {text[i] + size / 2, size - size / 2}},
        };
    }
    position(pos, n);
    const int rc = log_writer_append(w, entry, records_of(n), SLICE("power"),
                                     buf_slice(pos), e);
    return rc == 1 ? err_set(e, STATUS_IO, "the disk is full") : rc;
}

static int append(struct log *log, uint64_t count, bool early, struct err *e)
{
    struct log_topic t = {.partitions = 1};
    struct log_writer *w = NULL;
    struct buf pos;
    int rc = -1;

    buf_init(&pos);
    if (log_topic_create(log, "t", &t, e) < 0) {
        goto out;
    }
    w = log_writer_open(log, "t", e);
    if (w == NULL ||
        log_writer_own(w, RUN, SLICE("power"), SLICE("n"), &pos, e) < 0) {
        goto out;
    }
    for (uint64_t n = 1; n <= count; n++) {
        if (append_one(w, n, &pos, e) < 0) {
            goto out;
        }
        if (!early && log_writer_sync(w, e) < 0) {
            goto out;
        }
        power_mark(n);
    }
    rc = log_writer_sync(w, e);
out:
    log_writer_close(w);
    buf_release(&pos);
    return rc;
}

/* The records, in order, with nothing else between them; *last is the batch of
 * the last one, which must be whole. */
static int check_records(struct log *log, uint64_t *last, struct err *e)
{
    struct log_reader *r = log_reader_open(log, "t", e);
    char want[LONGEST];
    struct log_record rec;
    uint64_t n = 1;
    uint64_t i = 0;
    int rc = r == NULL ? -1 : log_reader_seek(r, 0, e);

    while (rc >= 0 && (rc = log_reader_next(r, &rec, e)) == 1) {
        const size_t size = record(want, n, i);
        if (rec.data.n != size || memcmp(rec.data.p, want, size) != 0) {
            rc = err_set(e, STATUS_IO, "offset %llu is not record %llu/%llu",
                         (unsigned long long)rec.offset, (unsigned long long)n,
                         (unsigned long long)i);
            break;
        }
        if (++i == records_of(n)) {
            i = 0;
            n++;
        }
    }
    if (rc == 0 && i != 0) {
        rc = err_set(e, STATUS_IO, "half of batch %llu", (unsigned long long)n);
    }
    *last = n - 1;
    log_reader_close(r);
    return rc;
}

static int check_position(struct log *log, uint64_t last, struct err *e)
{
    struct log_writer *w = log_writer_open(log, "t", e);
    struct buf pos;
    struct buf want;
    int rc = -1;

    buf_init(&pos);
    buf_init(&want);
    if (w != NULL &&
        log_writer_own(w, RUN, SLICE("power"), SLICE("n"), &pos, e) == 0) {
        if (last > 0) {
            position(&want, last);
        }
        rc = slice_eq(buf_slice(&pos), buf_slice(&want))
                 ? 0
                 : err_set(e, STATUS_IO,
                           "the position is \"%s\", the last batch is %llu",
                           buf_cstr(&pos), (unsigned long long)last);
    }
    log_writer_close(w);
    buf_release(&pos);
    buf_release(&want);
    return rc;
}

static int check(struct log *log, uint64_t count, struct err *e)
{
    struct log_topic t;
    uint64_t last = 0;

    const int found = log_topic_load(log, "t", &t, e);
    if (found <= 0) {
        return found < 0 || count > 0
                   ? err_set(e, STATUS_IO, "the topic is gone")
                   : 0;
    }
    if (check_records(log, &last, e) < 0 || check_position(log, last, e) < 0) {
        return -1;
    }
    return last >= count
               ? 0
               : err_set(e, STATUS_IO, "%llu were acknowledged, %llu are there",
                         (unsigned long long)count, (unsigned long long)last);
}

int main(int argc, char **argv)
{
    struct err e = {0};

    msg_init("logpower");
    msg_set_level(MSG_QUIET);
    if (argc < 4 || argc > 5) {
        msg_error("logpower append|early|check DIR N [KEY]");
        return STATUS_USAGE;
    }
    (void)setenv("DPP_LOG_SEGMENT", "262144", 0);
    char *dir = mem_printf("%s/store", argv[2]);
    const uint64_t n = strtoull(argv[3], NULL, 10);
    struct log *log = log_open(dir, &e);
    int rc = -1;
    if (log != NULL) {
        if (argc == 5) {
            log_key(log, slice_of(argv[4]));
        }
        rc = strcmp(argv[1], "check") == 0
                 ? check(log, n, &e)
                 : append(log, n, strcmp(argv[1], "early") == 0, &e);
        log_close(log);
    }
    free(dir);
    if (rc < 0) {
        msg_err(&e);
    }
    return rc < 0;
}
