#include "log/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/lock.h"
#include "log/recover.h"

static char *file_in(const char *dir, const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static int open_wake(struct shared *s, struct err *e)
{
    char *path = file_in(s->run, "wake");

    s->wake = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    const int rc = s->wake < 0 ? err_errno(e, STATUS_IO, "%s", path) : 0;
    free(path);
    return rc;
}

static int unknown(const char *topic, struct err *e)
{
    return err_set(e, STATUS_UNREACHABLE, "there is no topic \"%s\"", topic);
}

/* With the topic held open, so that it is not removed meanwhile. */
static int load_meta(struct shared *s, struct log *log, struct err *e)
{
    const int rc = log_topic_load(log, s->topic, &s->meta, e);

    return rc == 0 ? unknown(s->topic, e) : rc < 0 ? -1 : 0;
}

/* Only with the topic held open are the files in run/ those of all others: a
 * removal takes them away. */
static int open_run(struct shared *s, struct err *e)
{
    char *path = file_in(s->run, "state");

    state_unmap(s->state);
    s->state = state_map(path, e);
    free(path);
    return s->state == NULL ? -1 : 0;
}

static int system_error(const struct shared *s, struct err *e)
{
    return err_errno(e, STATUS_SYSTEM, "%s/lock", s->run);
}

static void derive(struct shared *s)
{
    cipher_release(&s->cipher);
    cipher_derive(&s->log->keys, s->meta.id, &s->cipher);
    s->cipher_serial = s->log->keys_serial;
}

void shared_renew_keys(struct shared *s, bool at_once)
{
    if (s->log->secrets > 0) {
        log_keys_renew(s->log, at_once);
        if (s->cipher_serial != s->log->keys_serial) {
            derive(s);
        }
    }
}

/* 1 the topic is open and its state good, 0 try again, -1. */
static int join(struct shared *s, struct log *log, struct err *e)
{
    const int alone = lock_try(s->lock, LOCK_PRESENT, 1, LOCK_EXCLUSIVE);

    if (alone < 0 ||
        (alone == 0 && lock_take(s->lock, LOCK_PRESENT, LOCK_SHARED) < 0)) {
        return system_error(s, e);
    }
    if (load_meta(s, log, e) < 0 || open_run(s, e) < 0) {
        return -1;
    }
    s->log = log;
    derive(s);
    if (alone == 1 && recover_needed(s) && recover(s, e) < 0) {
        return -1;
    }
    if (!state_valid(s->state, s->meta.id)) {
        lock_drop(s->lock, LOCK_PRESENT, 1);
        return 0;
    }
    if (lock_take(s->lock, LOCK_PRESENT, LOCK_SHARED) < 0) {
        return system_error(s, e);
    }
    return 1;
}

int shared_open(struct shared *s, struct log *log, const char *topic,
                struct err *e)
{
    char *path = NULL;
    int rc = -1;

    *s = SHARED_NONE;
    if (store_name_check("topic", topic, e) < 0) {
        return -1;
    }
    s->topic = mem_strdup(topic);
    s->store = mem_strdup(log->dir);
    s->dir = store_path(log, "topics", topic);
    s->run = store_path(log, "run/topics", topic);
    if (load_meta(s, log, e) < 0 || dir_make(s->run, e) < 0) {
        goto out;
    }
    path = file_in(s->run, "lock");
    if ((s->lock = lock_open(path, e)) < 0) {
        goto out;
    }
    while ((rc = join(s, log, e)) == 0) {
    }
    if (rc == 1) {
        rc = open_wake(s, e);
    }
out:
    free(path);
    if (rc < 0) {
        shared_close(s);
        return -1;
    }
    return 0;
}

void shared_close(struct shared *s)
{
    state_unmap(s->state);
    if (s->wake >= 0) {
        (void)close(s->wake);
    }
    if (s->lock >= 0) {
        (void)close(s->lock);
    }
    cipher_release(&s->cipher);
    free(s->topic);
    free(s->store);
    free(s->dir);
    free(s->run);
    *s = SHARED_NONE;
}

void shared_appended(const struct shared *s, struct mark *m)
{
    (void)cell_read(&s->state->appended, m);
}

void shared_synced(const struct shared *s, struct mark *m)
{
    (void)cell_read(&s->state->synced, m);
}

/* Retention may delete a segment between the listing and the opening: the next
 * listing does not have it any more. */
int shared_segment(const struct shared *s, uint64_t offset, struct segment *seg,
                   struct err *e)
{
    for (;;) {
        uint64_t *base;
        size_t n;
        size_t i;
        if (segment_list(s->dir, &base, &n, e) < 0) {
            return -1;
        }
        for (i = n; i > 0 && base[i - 1] > offset; i--) {
        }
        const uint64_t b = i > 0 ? base[i - 1] : 0;
        free(base);
        if (n == 0) {
            return err_set(e, STATUS_IO, "%s: has no segment", s->dir);
        }
        if (i == 0) {
            return 0;
        }
        const int rc = segment_open(seg, s->dir, b, s->meta.id, e);
        if (rc != 0) {
            return rc;
        }
    }
}

int shared_key(struct shared *s, const struct segment *seg,
               const struct cipher_key **key, struct err *e)
{
    *key = NULL;
    if (seg->head.key == 0) {
        return 0;
    }
    *key = cipher_find(&s->cipher, seg->head.key);
    if (*key == NULL) {
        shared_renew_keys(s, true);
        *key = cipher_find(&s->cipher, seg->head.key);
    }
    if (*key != NULL) {
        s->is_ours = true;
        return 0;
    }
    if (s->cipher.n == 0) {
        return err_set(e, STATUS_REFUSED,
                       "topic \"%s\" is encrypted: give its key with "
                       "-X key=REF",
                       s->topic);
    }
    return err_set(e, s->is_ours ? STATUS_RETRY : STATUS_REFUSED,
                   "topic \"%s\": %s is encrypted under another key than "
                   "those given",
                   s->topic, seg->path);
}

int shared_check_key(struct shared *s, struct err *e)
{
    const struct cipher_key *key;
    struct segment seg;

    if (shared_segment(s, UINT64_MAX, &seg, e) <= 0) {
        return -1;
    }
    const int rc = shared_key(s, &seg, &key, e);
    segment_close(&seg);
    return rc;
}
