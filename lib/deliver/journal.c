#include "deliver/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "log/log.h"

enum { NAME = 40 };

static const char prefix[] = "deferred.";
static const char seal[] = "C";
static const char opened[] = "O";

/* A gathered record: its head lies in the buffer, its tail elsewhere. */
struct gathered {
    size_t at;
    size_t n;
    struct slice tail;
};

/* One generation that is open for writing. */
struct generation {
    uint64_t number; /* 0: none */
    struct log_writer *w;
    uint64_t end;     /* offset behind the last record written */
    uint64_t durable; /* below it all is synced */
    uint64_t bytes;
};

struct journal {
    char *dir;
    int lock;
    struct log *log;
    struct generation now;
    struct generation old; /* while a new one is being made */
    struct log_reader *r;
    uint64_t r_number; /* the generation that r reads */
    struct buf heads;
    struct gathered *v;
    struct log_entry *entry;
    size_t n;
    size_t cap;
    struct {
        uint64_t ticket;
        uint64_t end;
    } * unsynced; /* a queue */
    size_t first;
    size_t count;
    size_t room;
};

static void name_of(uint64_t number, char out[NAME])
{
    (void)snprintf(out, NAME, "%s%llu", prefix, (unsigned long long)number);
}

static int lock_folder(struct journal *j, struct err *e)
{
    char pid[24] = "";
    char *path = mem_printf("%s/lock", j->dir);

    j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (j->lock < 0) {
        return err_errno(e, errno == EACCES ? STATUS_REFUSED : STATUS_IO,
                         "%s/lock", j->dir);
    }
    if (flock(j->lock, LOCK_EX | LOCK_NB) < 0) {
        const ssize_t n = pread(j->lock, pid, sizeof pid - 1, 0);
        return err_set(e, STATUS_RETRY,
                       "the retry store %s is in use by process %.*s: one "
                       "dpp-deliver for each endpoint and machine (or -s DIR)",
                       j->dir, n > 0 ? (int)strcspn(pid, "\n") : 1,
                       n > 0 ? pid : "?");
    }
    /* the number is a courtesy: a full disk is no reason not to start */
    const int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if ((fd_pwrite(j->lock, pid, (size_t)n, 0) < 0 ||
         ftruncate(j->lock, n) < 0) &&
        errno != ENOSPC && errno != EDQUOT) {
        return err_errno(e, STATUS_IO, "%s/lock", j->dir);
    }
    return 0;
}

static int open_reader(struct journal *j, uint64_t number, struct err *e)
{
    char name[NAME];

    if (j->r != NULL && j->r_number == number) {
        return 0;
    }
    if (j->r != NULL) {
        log_reader_close(j->r);
    }
    name_of(number, name);
    j->r = log_reader_open(j->log, name, e);
    j->r_number = number;
    return j->r != NULL ? 0 : -1;
}

static int append_opened(struct journal *j, struct err *e)
{
    const struct log_entry entry = {.part = {slice_of(opened), {"", 0}}};
    const struct slice none = {"", 0};
    const int rc = log_writer_append(j->now.w, &entry, 1, none, none, e);

    if (rc == 1) {
        return err_set(e, STATUS_RETRY, "%s: no space left", j->dir);
    }
    return rc < 0 ? -1 : log_writer_sync(j->now.w, e);
}

static int open_generation(struct journal *j, uint64_t number, bool fresh,
                           struct err *e)
{
    struct log_stat stat;
    char name[NAME];

    name_of(number, name);
    j->now = (struct generation){.number = number};
    j->now.w = log_writer_open(j->log, name, e);
    /* What a killed process wrote and nobody synced is seen by no reader, and
     * counts all the same: a record of ours makes all of it durable. */
    if (j->now.w == NULL || (!fresh && append_opened(j, e) < 0) ||
        log_topic_stat(j->log, name, &stat, e) < 0) {
        return -1;
    }
    j->now.end = j->now.durable = stat.end;
    j->now.bytes = stat.bytes;
    return 0;
}

static void close_generation(struct generation *g)
{
    if (g->w != NULL) {
        log_writer_close(g->w);
    }
    *g = (struct generation){0};
}

static int make_generation(struct journal *j, uint64_t number, struct err *e)
{
    struct log_topic topic = {.partitions = 1};
    char name[NAME];

    name_of(number, name);
    return log_topic_create(j->log, name, &topic, e) < 0
               ? -1
               : open_generation(j, number, true, e);
}

/* On a full disk it may come to be in several tries: it may be there, empty. */
static int make_first(struct journal *j, struct err *e)
{
    struct log_topic topic;
    char name[NAME];

    name_of(1, name);
    const int there = log_topic_load(j->log, name, &topic, e);
    const int rc = there < 0    ? -1
                   : there == 0 ? make_generation(j, 1, e)
                                : open_generation(j, 1, true, e);
    if (rc < 0) {
        close_generation(&j->now);
    }
    return rc;
}

/* --- which generation is in force ------------------------------------------
 */

static int find_seal(void *arg, uint64_t offset, struct slice record,
                     struct err *e)
{
    (void)offset;
    (void)e;
    if (slice_is(record, seal)) {
        *(bool *)arg = true;
    }
    return 0;
}

static int walk(struct journal *j, uint64_t number, journal_walk_fn *fn,
                void *arg, struct err *e)
{
    struct log_record record;
    struct log_stat stat;
    char name[NAME];
    int rc;

    name_of(number, name);
    if (open_reader(j, number, e) < 0 ||
        log_topic_stat(j->log, name, &stat, e) < 0 ||
        log_reader_seek(j->r, stat.begin, e) < 0) {
        return -1;
    }
    while ((rc = log_reader_next(j->r, &record, e)) == 1) {
        if (fn(arg, record.offset, record.data, e) < 0) {
            return -1;
        }
    }
    return rc;
}

static int remove_generation(struct journal *j, uint64_t number, struct err *e)
{
    char name[NAME];

    if (j->r != NULL && j->r_number == number) {
        log_reader_close(j->r);
        j->r = NULL;
    }
    name_of(number, name);
    return log_topic_remove(j->log, name, e);
}

/* Numbers of the generations that are there: at most two, and what a crash in
 * the middle of a removal left. */
static int list(struct journal *j, uint64_t *newest, uint64_t *oldest,
                struct err *e)
{
    struct log_names names = {0};

    *newest = *oldest = 0;
    if (log_topic_list(j->log, &names, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.n; i++) {
        if (strncmp(names.v[i], prefix, sizeof prefix - 1) != 0) {
            continue;
        }
        const uint64_t n = strtoull(names.v[i] + sizeof prefix - 1, NULL, 10);
        *newest = n > *newest ? n : *newest;
        *oldest = *oldest == 0 || n < *oldest ? n : *oldest;
    }
    log_names_release(&names);
    return 0;
}

static int choose(struct journal *j, uint64_t *number, struct err *e)
{
    uint64_t newest;
    uint64_t oldest;

    for (;;) {
        bool sealed = false;
        if (list(j, &newest, &oldest, e) < 0) {
            return -1;
        }
        if (newest == oldest) {
            *number = newest;
            return 0;
        }
        /* a writer first: it cuts off what a crash left half-written */
        const int rc = open_generation(j, newest, false, e) < 0
                           ? -1
                           : walk(j, newest, find_seal, &sealed, e);
        close_generation(&j->now);
        if (rc < 0 || remove_generation(j, sealed ? oldest : newest, e) < 0) {
            return -1;
        }
    }
}

struct journal *journal_open(const char *dir, const char *key, struct err *e)
{
    struct journal *j = mem_new(sizeof *j);
    uint64_t number = 0;

    j->lock = -1;
    j->dir = mem_strdup(dir);
    if (dir_make(dir, e) < 0 || lock_folder(j, e) < 0) {
        goto fail;
    }
    j->log = log_open(dir, e);
    if (j->log == NULL || (key != NULL && log_key_read(j->log, key, e) < 0) ||
        choose(j, &number, e) < 0 ||
        (number > 0 && open_generation(j, number, false, e) < 0)) {
        goto fail;
    }
    return j;
fail:
    (void)err_wrap(e, "retry store");
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (j == NULL) {
        return;
    }
    close_generation(&j->now);
    close_generation(&j->old);
    if (j->r != NULL) {
        log_reader_close(j->r);
    }
    if (j->log != NULL) {
        log_close(j->log);
    }
    if (j->lock >= 0) {
        (void)close(j->lock);
    }
    buf_release(&j->heads);
    free(j->v);
    free(j->entry);
    free(j->unsynced);
    free(j->dir);
    free(j);
}

int journal_walk(struct journal *j, journal_walk_fn *fn, void *arg,
                 struct err *e)
{
    return j->now.number > 0 ? walk(j, j->now.number, fn, arg, e) : 0;
}

/* --- writing ----------------------------------------------------------------
 */

uint64_t journal_add(struct journal *j, struct slice head, struct slice tail)
{
    if (j->n == j->cap) {
        j->cap = j->cap > 0 ? j->cap * 2 : 64;
        j->v = mem_resize(j->v, j->cap * sizeof *j->v);
        j->entry = mem_resize(j->entry, j->cap * sizeof *j->entry);
    }
    j->v[j->n] = (struct gathered){j->heads.n, head.n, tail};
    buf_append_slice(&j->heads, head);
    return j->now.end + j->n++;
}

bool journal_gathered(const struct journal *j)
{
    return j->n > 0;
}

static void remember(struct journal *j)
{
    if (j->first + j->count == j->room) {
        if (j->first > 0) {
            memmove(j->unsynced, j->unsynced + j->first,
                    j->count * sizeof *j->unsynced);
            j->first = 0;
        } else {
            j->room = j->room > 0 ? j->room * 2 : 64;
            j->unsynced =
                mem_resize(j->unsynced, j->room * sizeof *j->unsynced);
        }
    }
    j->unsynced[j->first + j->count].ticket = log_writer_appended(j->now.w);
    j->unsynced[j->first + j->count].end = j->now.end;
    j->count++;
}

int journal_flush(struct journal *j, struct err *e)
{
    const struct slice none = {"", 0};
    uint64_t bytes = 0;

    if (j->n == 0) {
        return 0;
    }
    if (j->now.number == 0 && make_first(j, e) < 0) {
        return err_is_full(e) ? 1 : -1;
    }
    for (size_t i = 0; i < j->n; i++) {
        j->entry[i] = (struct log_entry){
            .part = {{j->heads.p + j->v[i].at, j->v[i].n}, j->v[i].tail}};
        bytes += j->v[i].n + j->v[i].tail.n;
    }
    const int rc = log_writer_append(j->now.w, j->entry, j->n, none, none, e);
    if (rc != 0) {
        return rc;
    }
    j->now.end += j->n;
    j->now.bytes += bytes;
    j->n = 0;
    buf_clear(&j->heads);
    buf_shrink(&j->heads, (size_t)1 << 20);
    remember(j);
    return 0;
}

int journal_durable(struct journal *j, uint64_t *offset, struct err *e)
{
    uint64_t ticket = 0;

    if (j->now.w != NULL && j->count > 0) {
        if (log_writer_synced(j->now.w, &ticket, e) < 0) {
            return -1;
        }
        while (j->count > 0 && j->unsynced[j->first].ticket <= ticket) {
            j->now.durable = j->unsynced[j->first].end;
            j->first++;
            j->count--;
        }
        if (j->count == 0) {
            j->first = 0;
        }
    }
    *offset = j->now.durable;
    return 0;
}

int journal_fd(const struct journal *j)
{
    return j->now.w != NULL ? log_writer_fd(j->now.w) : -1;
}

int journal_read(struct journal *j, uint64_t offset, struct slice *data,
                 struct err *e)
{
    const struct generation *g = j->old.number > 0 ? &j->old : &j->now;
    struct log_record record;
    int rc = -1;

    if (open_reader(j, g->number, e) < 0 ||
        (log_reader_tell(j->r) != offset &&
         log_reader_seek(j->r, offset, e) < 0) ||
        (rc = log_reader_next(j->r, &record, e)) < 0) {
        return err_wrap(e, "retry store %s", j->dir);
    }
    if (rc == 0 || record.offset != offset) {
        return err_set(e, STATUS_IO, "retry store %s: no record %llu", j->dir,
                       (unsigned long long)offset);
    }
    *data = record.data;
    return 0;
}

uint64_t journal_bytes(const struct journal *j)
{
    return j->now.bytes;
}

/* --- a new generation -------------------------------------------------------
 */

int journal_renew(struct journal *j, struct err *e)
{
    j->old = j->now;
    j->now = (struct generation){0};
    j->first = j->count = 0;
    return make_generation(j, j->old.number + 1, e);
}

int journal_seal(struct journal *j, struct err *e)
{
    (void)journal_add(j, slice_of(seal), (struct slice){"", 0});
    const int rc = journal_flush(j, e);
    if (rc != 0) {
        return rc;
    }
    if (log_writer_sync(j->now.w, e) < 0) {
        return -1;
    }
    j->now.durable = j->now.end;
    j->first = j->count = 0;
    const uint64_t number = j->old.number;
    close_generation(&j->old);
    if (remove_generation(j, number, e) < 0) {
        msg_err(e); /* the next open removes it */
    }
    return 0;
}

void journal_drop(struct journal *j)
{
    struct err e;
    const uint64_t number = j->now.number;

    close_generation(&j->now);
    j->now = j->old;
    j->old = (struct generation){0};
    j->n = 0;
    j->first = j->count = 0;
    buf_clear(&j->heads);
    if (number > 0 && remove_generation(j, number, &e) < 0) {
        msg_err(&e); /* the next open removes it */
    }
}
