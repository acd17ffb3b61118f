/* Topics: a folder with topic.json and the segments. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "log/index.h"
#include "log/lock.h"
#include "log/names.h"
#include "log/roll.h"
#include "log/shared.h"

enum { JSON_MAX = 65536, PARTITIONS_MAX = 4096 };

static char *meta_text(const struct log_topic *t)
{
    return mem_printf("{\"id\":\"%s\",\"partitions\":%" PRIu32
                      ",\"retain_bytes\":%" PRIu64 ",\"retain_ms\":%" PRIu64
                      ",\"group_expiry_ms\":%" PRIu64 "}\n",
                      t->id, t->partitions, t->retain_bytes, t->retain_ms,
                      t->group_expiry_ms);
}

static bool meta_parse(struct slice text, struct log_topic *t)
{
    json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    const char *id = NULL;
    json_int_t partitions = 0;
    json_int_t bytes = 0;
    json_int_t ms = 0;
    json_int_t expiry = LOG_GROUP_EXPIRY_MS;
    const bool good =
        json_unpack(j, "{s:s,s:I,s:I,s:I,s?I}", "id", &id, "partitions",
                    &partitions, "retain_bytes", &bytes, "retain_ms", &ms,
                    "group_expiry_ms", &expiry) == 0 &&
        strlen(id) == sizeof t->id - 1 &&
        strspn(id, "0123456789abcdef") == sizeof t->id - 1 && partitions > 0 &&
        partitions <= UINT32_MAX && bytes >= 0 && ms >= 0 && expiry > 0;

    if (good) {
        memcpy(t->id, id, sizeof t->id);
        t->partitions = (uint32_t)partitions;
        t->retain_bytes = (uint64_t)bytes;
        t->retain_ms = (uint64_t)ms;
        t->group_expiry_ms = (uint64_t)expiry;
    }
    json_decref(j);
    return good;
}

int log_topic_load(struct log *log, const char *topic, struct log_topic *t,
                   struct err *e)
{
    char *path;
    struct buf text;
    int rc;

    if (store_name_check("topic", topic, e) < 0) {
        return -1;
    }
    path = mem_printf("%s/topics/%s/topic.json", log->dir, topic);
    buf_init(&text);
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        rc = 0;
    } else if (file_read(path, JSON_MAX, &text, e) < 0) {
        rc = -1;
    } else if (!meta_parse(buf_slice(&text), t)) {
        rc = err_set(e, STATUS_IO, "%s: damaged", path);
    } else {
        rc = 1;
    }
    buf_release(&text);
    free(path);
    return rc;
}

/* The folder is made aside, whole and synced, and then gets its name: rename()
 * fails if another was faster. */
static int make_folder(struct log *log, const char *tmp, const char *dir,
                       const char *topic, struct log_topic *t, struct err *e)
{
    char *json = mem_printf("%s/topic.json", tmp);
    char *text = meta_text(t);
    char *topics = store_path(log, "topics", "");
    struct cipher cipher = {0};
    int rc = dir_make(tmp, e);

    cipher_derive(&log->keys, t->id, &cipher);

    if (rc == 0) {
        rc = file_replace(json, text, strlen(text), 0600, e);
    }
    if (rc == 0) {
        rc = roll_first(tmp, t, cipher_first_id(&cipher), e);
    }
    if (rc == 0 && rename(tmp, dir) < 0) {
        rc = errno == EEXIST || errno == ENOTEMPTY
                 ? err_set(e, STATUS_CONFIG, "topic \"%s\" exists", topic)
                 : err_errno(e, STATUS_IO, "%s", dir);
    }
    if (rc == 0) {
        rc = dir_sync(topics, e);
    }
    cipher_release(&cipher);
    free(topics);
    free(text);
    free(json);
    return rc;
}

/* One level: a topic's folder has no folders in it. */
static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    (void)rmdir(dir);
}

int log_topic_create(struct log *log, const char *topic, struct log_topic *t,
                     struct err *e)
{
    struct log_topic there;

    if (t->partitions == 0 || t->partitions > PARTITIONS_MAX) {
        return err_set(e, STATUS_CONFIG,
                       "topic \"%s\": a topic has 1 to %d partitions", topic,
                       PARTITIONS_MAX);
    }
    if (t->group_expiry_ms == 0) {
        t->group_expiry_ms = LOG_GROUP_EXPIRY_MS;
    }
    switch (log_topic_load(log, topic, &there, e)) {
    case 0:
        break;
    case 1:
        return err_set(e, STATUS_CONFIG, "topic \"%s\" exists", topic);
    default:
        return -1;
    }
    rand_hex(t->id);
    char *dir = store_path(log, "topics", topic);
    char *tmp = mem_printf("%s/topics/.%s.new", log->dir, t->id);
    const int rc = make_folder(log, tmp, dir, topic, t, e);
    if (rc < 0) {
        remove_folder(tmp);
    }
    free(tmp);
    free(dir);
    return rc;
}

int log_topic_list(struct log *log, struct log_names *names, struct err *e)
{
    char *dir = store_path(log, "topics", "");
    const int rc = names_of_folder(dir, names, e);

    free(dir);
    return rc;
}

int log_topic_stat(struct log *log, const char *topic, struct log_stat *st,
                   struct err *e)
{
    struct shared s;
    struct mark synced;
    uint64_t *base = NULL;
    size_t n;
    int rc = -1;

    if (shared_open(&s, log, topic, e) < 0) {
        return -1;
    }
    shared_synced(&s, &synced);
    if (segment_list(s.dir, &base, &n, e) < 0) {
        goto out;
    }
    while (n > 0 && base[n - 1] > synced.base) {
        n--;
    }
    *st = (struct log_stat){
        .begin = n > 0 ? base[0] : synced.offset,
        .end = synced.offset,
        .bytes = synced.byte,
        .segments = (uint32_t)n,
    };
    for (size_t i = 0; i + 1 < n; i++) {
        struct segment seg;
        struct index x;
        if (segment_open(&seg, s.dir, base[i], s.meta.id, e) < 0) {
            goto out;
        }
        if (seg.fd >= 0 && index_load(&x, &seg, base[i + 1], e) == 0) {
            st->bytes += x.end;
            index_release(&x);
        }
        segment_close(&seg);
    }
    rc = 0;
out:
    free(base);
    shared_close(&s);
    return rc;
}

static void remove_group_files(struct log *log, const char *topic)
{
    struct log_names groups;
    struct err ignored;

    if (log_group_list(log, topic, &groups, &ignored) == 0) {
        for (size_t i = 0; i < groups.n; i++) {
            char *path =
                mem_printf("%s/groups/%s/%s", log->dir, groups.v[i], topic);
            (void)unlink(path);
            free(path);
        }
    }
    log_names_release(&groups);
}

/* Nobody has it open. The new name comes first, in one step: after a crash the
 * topic is there whole, or gone. What then is left behind is swept up by the
 * next removal. */
static int remove_alone(struct log *log, const char *topic, const char *run,
                        struct err *e)
{
    static const char *const RUN[] = {"state", "owners", "wake"};
    char *dir = store_path(log, "topics", topic);
    char *gone = mem_printf("%s/topics/.%s.gone", log->dir, topic);
    char *topics = store_path(log, "topics", "");
    int rc = 0;

    remove_folder(gone);
    if (rename(dir, gone) < 0) {
        rc = errno == ENOENT ? err_set(e, STATUS_UNREACHABLE,
                                       "there is no topic \"%s\"", topic)
                             : err_errno(e, STATUS_IO, "%s", dir);
    }
    if (rc == 0) {
        rc = dir_sync(topics, e);
        remove_group_files(log, topic);
        remove_folder(gone);
        for (size_t i = 0; i < sizeof RUN / sizeof *RUN; i++) {
            char *path = mem_printf("%s/%s", run, RUN[i]);
            (void)unlink(path);
            free(path);
        }
    }
    free(topics);
    free(gone);
    free(dir);
    return rc;
}

int log_topic_remove(struct log *log, const char *topic, struct err *e)
{
    struct log_topic t;
    char *run;
    char *path;
    int rc;

    rc = log_topic_load(log, topic, &t, e);
    if (rc == 0) {
        return err_set(e, STATUS_UNREACHABLE, "there is no topic \"%s\"",
                       topic);
    }
    if (rc < 0) {
        return -1;
    }
    run = store_path(log, "run/topics", topic);
    path = mem_printf("%s/lock", run);
    const int lock = dir_make(run, e) < 0 ? -1 : lock_open(path, e);
    rc = -1;
    if (lock >= 0) {
        const int alone = lock_try(lock, LOCK_PRESENT, 1, LOCK_EXCLUSIVE);
        rc = alone < 0    ? err_errno(e, STATUS_SYSTEM, "%s", path)
             : alone == 0 ? err_set(e, STATUS_RETRY,
                                    "topic \"%s\" is in use: stop its readers "
                                    "and writers first",
                                    topic)
                          : remove_alone(log, topic, run, e);
        (void)close(lock);
    }
    free(path);
    free(run);
    return rc;
}
