/* The pieces of the "kafka://" backend, which adapts lib/kafka.
 *
 * "kafka://HOST:PORT,…/SPACE": all topics and groups of the store begin with
 * "SPACE." in the cluster, and without it here, so that several stores share a
 * cluster and one rule of access covers each. */
#ifndef TOPIC_REMOTE_H
#define TOPIC_REMOTE_H

#include "kafka/record.h"
#include "topic/backend.h"

struct kafka_admin;
struct kafka_client;
struct kafka_exact;
struct kafka_producer;
struct kafka_watch;

struct remote_store {
    struct topic_store base;
    struct kafka_client *client;
    enum kafka_mode mode; /* of what is written */
    char *servers;
    char *space;                     /* "SPACE." or "" */
    struct kafka_producer *producer; /* of all writers, once there is one */
    struct kafka_exact *exact;       /* or NULL */
    struct kafka_admin *admin;       /* the same */
    struct kafka_watch *watch;       /* the same */
};

/* The cluster's name of a topic or group; the caller frees it. And back: NULL
 * if it is not of this store. */
char *remote_name(const struct remote_store *, const char *name);
const char *remote_own_name(const struct remote_store *, const char *name);

/* 69 with the line that makes the topic. */
int remote_unknown(const struct topic_store *, const char *topic, struct err *);

struct topic_writer *remote_writer_open(struct topic_store *, const char *,
                                        struct err *);
void remote_writer_close(struct topic_writer *);
int remote_writer_own(struct topic_writer *, const char *run, struct slice name,
                      struct slice keys, struct buf *pos, struct err *);
void remote_writer_add(struct topic_writer *, const struct event *);
void remote_writer_add_line(struct topic_writer *, struct slice line,
                            struct slice key);
size_t remote_writer_cut(struct topic_writer *);
int remote_writer_commit(struct topic_writer *, struct slice name,
                         struct slice pos, struct err *);
void remote_writer_drop(struct topic_writer *);
uint64_t remote_writer_ticket(const struct topic_writer *);
int remote_writer_synced(struct topic_writer *, uint64_t *, struct err *);
int remote_writer_fd(const struct topic_writer *);
int remote_writer_due(const struct topic_writer *);
void remote_writer_hurry(struct topic_writer *);
int remote_writer_disown(struct topic_writer *, struct err *);
int remote_writer_sync(struct topic_writer *, struct err *);

struct topic_reader *remote_reader_open(struct topic_store *,
                                        const struct topic_reader_conf *,
                                        struct err *);
void remote_reader_close(struct topic_reader *);
int remote_reader_assign(struct topic_reader *, struct buf *keys, struct err *);
int remote_reader_start(struct topic_reader *, struct slice pos, struct err *);
int remote_reader_next(struct topic_reader *, struct topic_record *,
                       struct err *);
bool remote_reader_ended(const struct topic_reader *);
void remote_reader_position(struct topic_reader *, struct buf *pos);
int remote_reader_store(struct topic_reader *, struct slice pos, struct err *);
int remote_reader_unbalanced(struct topic_reader *, struct err *);
int remote_reader_due(const struct topic_reader *);
uint64_t remote_reader_lag(const struct topic_reader *);
size_t remote_reader_fds(const struct topic_reader *, struct pollfd *,
                         size_t max);
void remote_reader_woken(struct topic_reader *);

struct topic_watch *remote_watch_open(struct topic_store *, const char *group,
                                      const char *topic, struct err *);
void remote_watch_close(struct topic_watch *);
const uint64_t *remote_watch_read(struct topic_watch *, uint32_t *partitions,
                                  struct err *);
int remote_watch_fd(const struct topic_watch *);
int remote_watch_due(const struct topic_watch *);

int remote_list(struct topic_store *, topic_show_fn *, void *, struct err *);
int remote_create(struct topic_store *, const char *, const struct topic_conf *,
                  struct err *);
int remote_show(struct topic_store *, const char *, struct topic_info *,
                struct err *);
int remote_groups(struct topic_store *, const char *, topic_group_fn *, void *,
                  struct err *);
int remote_reset(struct topic_store *, const char *topic, const char *group,
                 const char *from, uint64_t *offset, struct err *);
int remote_verify(struct topic_store *, const char *, topic_fault_fn *, void *,
                  uint64_t *records, struct err *);
int remote_remove(struct topic_store *, const char *, struct err *);

#endif
