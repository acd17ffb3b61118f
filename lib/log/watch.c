/* Members commit in place, in turn into two slots with a checksum each, and
 * hold a lock that readers from outside do without: what is half written has a
 * wrong checksum, and the other slot counts. Only when two commits fall into
 * one read both may look damaged; the next read sees them well. The file is
 * made and reset by a rename, so the folder is what is watched. */
#include "log/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/groupfile.h"
#include "log/shared.h"

enum { TRIES = 3, LOOK_MS = 1000 };

struct log_watch {
    struct log_topic topic;
    char *path; /* DIR/groups/G/T */
    uint64_t *next;
    uint64_t read_us;
    int inotify;
};

struct log_watch *log_watch_open(struct log *log, const char *group,
                                 const char *topic, struct err *e)
{
    struct log_watch *w = mem_new(sizeof *w);
    char *dir = NULL;

    w->inotify = -1;
    if (store_name_check("group", group, e) < 0) {
        goto fail;
    }
    const int rc = log_topic_load(log, topic, &w->topic, e);
    if (rc != 1) {
        if (rc == 0) {
            (void)err_set(e, STATUS_UNREACHABLE, "no topic \"%s\"", topic);
        }
        goto fail;
    }
    dir = store_path(log, "groups", group);
    if (dir_make(dir, e) < 0) {
        goto fail;
    }
    w->path = mem_printf("%s/%s", dir, topic);
    w->next = mem_new(w->topic.partitions * sizeof *w->next);
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify >= 0 &&
        inotify_add_watch(w->inotify, dir, IN_MODIFY | IN_MOVED_TO) < 0) {
        (void)close(w->inotify);
        w->inotify = -1;
    }
    free(dir);
    return w;
fail:
    free(dir);
    log_watch_close(w);
    return NULL;
}

void log_watch_close(struct log_watch *w)
{
    if (w == NULL) {
        return;
    }
    if (w->inotify >= 0) {
        (void)close(w->inotify);
    }
    free(w->path);
    free(w->next);
    free(w);
}

static void drain(const struct log_watch *w)
{
    char events[4096];

    while (w->inotify >= 0 && read(w->inotify, events, sizeof events) > 0) {
    }
}

/* A file that is of an older topic of this name says nothing. */
static void take(struct log_watch *w, const struct positions_of_group *p)
{
    const uint32_t n = w->topic.partitions;
    const bool ours = p->n == n && strcmp(p->topic, w->topic.id) == 0;

    for (uint32_t i = 0; i < n; i++) {
        w->next[i] = ours && p->offset[i] != GROUP_NO_OFFSET ? p->offset[i] : 0;
    }
}

const uint64_t *log_watch_read(struct log_watch *w, uint32_t *partitions,
                               struct err *e)
{
    struct positions_of_group p;
    int rc = -1;

    drain(w);
    w->read_us = clock_mono_us();
    for (unsigned i = 0; i < TRIES && rc < 0; i++) {
        rc = group_file_load(w->path, &p, e);
    }
    if (rc < 0) {
        return NULL;
    }
    take(w, &p);
    group_positions_release(&p);
    *partitions = w->topic.partitions;
    return w->next;
}

int log_watch_fd(const struct log_watch *w)
{
    return w->inotify;
}

int log_watch_due(const struct log_watch *w)
{
    const uint64_t since_ms = (clock_mono_us() - w->read_us) / 1000;

    return since_ms < LOOK_MS ? (int)(LOOK_MS - since_ms) : 0;
}
