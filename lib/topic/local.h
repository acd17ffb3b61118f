/* The pieces of the "log:" backend, which adapts lib/log. */
#ifndef TOPIC_LOCAL_H
#define TOPIC_LOCAL_H

#include "log/log.h"
#include "record/start.h"
#include "topic/backend.h"

struct local_store {
    struct topic_store base;
    struct log *log;
};

/* 69 with the line that makes the topic. */
int local_unknown(const struct topic_store *, const char *topic, struct err *);

/* Load a topic's settings; unknown is an error. */
int local_load(struct topic_store *, const char *topic, struct log_topic *,
               struct err *);

/* Where a reader that has no position starts. */
int local_resolve(struct log_reader *, const struct log_stat *,
                  const struct start *, uint64_t *offset, struct err *);

struct topic_writer *local_writer_open(struct topic_store *, const char *,
                                       struct err *);
void local_writer_close(struct topic_writer *);
int local_writer_own(struct topic_writer *, const char *run, struct slice name,
                     struct slice keys, struct buf *pos, struct err *);
void local_writer_add(struct topic_writer *, const struct event *);
void local_writer_add_line(struct topic_writer *, struct slice line,
                           struct slice key);
size_t local_writer_cut(struct topic_writer *);
int local_writer_commit(struct topic_writer *, struct slice name,
                        struct slice pos, struct err *);
void local_writer_drop(struct topic_writer *);
uint64_t local_writer_ticket(const struct topic_writer *);
int local_writer_synced(struct topic_writer *, uint64_t *, struct err *);
int local_writer_fd(const struct topic_writer *);
int local_writer_sync(struct topic_writer *, struct err *);

struct topic_reader *local_reader_open(struct topic_store *,
                                       const struct topic_reader_conf *,
                                       struct err *);
void local_reader_close(struct topic_reader *);
int local_reader_assign(struct topic_reader *, struct buf *keys, struct err *);
int local_reader_start(struct topic_reader *, struct slice pos, struct err *);
int local_reader_next(struct topic_reader *, struct topic_record *,
                      struct err *);
bool local_reader_ended(const struct topic_reader *);
void local_reader_position(struct topic_reader *, struct buf *pos);
int local_reader_store(struct topic_reader *, struct slice pos, struct err *);
int local_reader_unbalanced(struct topic_reader *, struct err *);
uint64_t local_reader_lag(const struct topic_reader *);
size_t local_reader_fds(const struct topic_reader *, struct pollfd *,
                        size_t max);
void local_reader_woken(struct topic_reader *);

struct topic_watch *local_watch_open(struct topic_store *, const char *group,
                                     const char *topic, struct err *);
void local_watch_close(struct topic_watch *);
const uint64_t *local_watch_read(struct topic_watch *, uint32_t *partitions,
                                 struct err *);
int local_watch_fd(const struct topic_watch *);
int local_watch_due(const struct topic_watch *);

#endif
