/* How far a group has come, for whoever answers when it has passed something:
 * seen from outside, without being a member. */
#ifndef TOPIC_WATCH_H
#define TOPIC_WATCH_H

#include <stdint.h>

struct err;
struct topic_store;
struct topic_watch;

/* Of a topic that is there; the group need not be yet. All watches of a store
 * are of one group. 69, 77. */
struct topic_watch *topic_watch_open(struct topic_store *, const char *group,
                                     const char *topic, struct err *);
void topic_watch_close(struct topic_watch *);

/* Where each of the topic's partitions goes on: what lies before it is passed;
 * 0 where the group has no position. *partitions: so many are asked for (a
 * topic may have more of them than once), and so many are there. The array is
 * the watch's, until the next call; NULL on an error. */
const uint64_t *topic_watch_read(struct topic_watch *, uint32_t *partitions,
                                 struct err *);

/* Readable when something may have moved (-1: never); topic_watch_read() drains
 * it. While anybody waits, read after so many milliseconds all the same (-1: no
 * need): some stores have to be asked, and a read is what asks. */
int topic_watch_fd(const struct topic_watch *);
int topic_watch_due(const struct topic_watch *);

#endif
