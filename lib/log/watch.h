/* A group's positions, seen from outside: not a member, no lock, in nobody's
 * way. The positions may lag behind the group, they never lead it. */
#ifndef LOG_WATCH_H
#define LOG_WATCH_H

#include <stdint.h>

struct err;
struct log;
struct log_watch;

/* The group need not be there yet. 69 unknown topic. */
struct log_watch *log_watch_open(struct log *, const char *group,
                                 const char *topic, struct err *);
void log_watch_close(struct log_watch *);

/* Where each of the topic's partitions goes on: all before it is passed, 0
 * where the group has none. The array is the watch's, until the next call;
 * NULL on an error. */
const uint64_t *log_watch_read(struct log_watch *, uint32_t *partitions,
                               struct err *);

/* Readable when something may have moved; log_watch_read() drains it. -1 where
 * the system allows no more of those. Look once a second all the same: in so
 * many milliseconds. */
int log_watch_fd(const struct log_watch *);
int log_watch_due(const struct log_watch *);

#endif
