/* What holds topics plugs in here: one table of functions per scheme. The
 * calls and their promises are those of topic/topic.h and topic/admin.h.
 *
 * Each object of a backend starts with the struct of the same name here. */
#ifndef TOPIC_BACKEND_H
#define TOPIC_BACKEND_H

#include "topic/admin.h"
#include "topic/topic.h"
#include "topic/watch.h"

struct topic_store {
    const struct topic_backend *backend;
    char *name; /* as given: "log:DIR" */
};

struct topic_writer {
    const struct topic_backend *backend;
    bool flows;           /* nothing has to wait for its commit */
    bool is_tracked;      /* the backend puts in here where each event stands */
    struct places places; /* of what is committed, until it was asked for */
    uint64_t synced;      /* ticket */
};

struct topic_reader {
    const struct topic_backend *backend;
};

struct topic_watch {
    const struct topic_backend *backend;
};

struct topic_backend {
    const char *scheme; /* with its colon */

    struct topic_store *(*open)(const char *rest,
                                const struct topic_store_conf *, struct err *);
    void (*close)(struct topic_store *);

    struct topic_writer *(*writer_open)(struct topic_store *, const char *,
                                        struct err *);
    void (*writer_close)(struct topic_writer *);
    int (*own)(struct topic_writer *, const char *run, struct slice name,
               struct slice keys, struct buf *pos, struct err *);
    int (*disown)(struct topic_writer *, struct err *); /* or NULL */
    void (*add)(struct topic_writer *, const struct event *);
    void (*add_line)(struct topic_writer *, struct slice line,
                     struct slice key);
    size_t (*cut)(struct topic_writer *);
    int (*commit)(struct topic_writer *, struct slice name, struct slice pos,
                  struct err *);
    void (*drop)(struct topic_writer *);
    uint64_t (*ticket)(const struct topic_writer *);
    int (*synced)(struct topic_writer *, uint64_t *, struct err *);
    int (*writer_fd)(const struct topic_writer *);
    int (*writer_due)(const struct topic_writer *); /* or NULL */
    void (*hurry)(struct topic_writer *);           /* or NULL */
    int (*sync)(struct topic_writer *, struct err *);

    struct topic_reader *(*reader_open)(struct topic_store *,
                                        const struct topic_reader_conf *,
                                        struct err *);
    void (*reader_close)(struct topic_reader *);
    int (*assign)(struct topic_reader *, struct buf *keys, struct err *);
    int (*start)(struct topic_reader *, struct slice pos, struct err *);
    int (*next)(struct topic_reader *, struct topic_record *, struct err *);
    bool (*ended)(const struct topic_reader *);
    void (*position)(struct topic_reader *, struct buf *pos);
    int (*store)(struct topic_reader *, struct slice pos, struct err *);
    int (*unbalanced)(struct topic_reader *, struct err *);
    int (*reader_due)(const struct topic_reader *); /* or NULL */
    uint64_t (*lag)(const struct topic_reader *);
    size_t (*fds)(const struct topic_reader *, struct pollfd *, size_t max);
    void (*woken)(struct topic_reader *);

    struct topic_watch *(*watch_open)(struct topic_store *, const char *group,
                                      const char *topic, struct err *);
    void (*watch_close)(struct topic_watch *);
    const uint64_t *(*watch_read)(struct topic_watch *, uint32_t *partitions,
                                  struct err *);
    int (*watch_fd)(const struct topic_watch *);
    int (*watch_due)(const struct topic_watch *);

    int (*list)(struct topic_store *, topic_show_fn *, void *, struct err *);
    int (*create)(struct topic_store *, const char *, const struct topic_conf *,
                  struct err *);
    int (*show)(struct topic_store *, const char *, struct topic_info *,
                struct err *);
    int (*groups)(struct topic_store *, const char *, topic_group_fn *, void *,
                  struct err *);
    int (*reset)(struct topic_store *, const char *topic, const char *group,
                 const char *from, uint64_t *offset, struct err *);
    int (*verify)(struct topic_store *, const char *, topic_fault_fn *, void *,
                  uint64_t *records, struct err *);
    int (*remove)(struct topic_store *, const char *, struct err *);
};

extern const struct topic_backend topic_log;
extern const struct topic_backend topic_remote;

/* The partition of a key, as Kafka's clients choose it (murmur2). */
uint32_t topic_partition(struct slice key, uint32_t partitions);

#endif
