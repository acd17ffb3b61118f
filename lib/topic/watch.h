/* How far a group has come, for whoever answers when it has passed something:
 * seen from outside, without being a member. */
#ifndef TOPIC_WATCH_H
#define TOPIC_WATCH_H

#include <stdint.h>

struct err;
struct topic_store;
struct topic_watch;

/* The group need not be there yet. 69 unknown topic. */
struct topic_watch *topic_watch_open(struct topic_store *, const char *group,
                                     const char *topic, struct err *);
void topic_watch_close(struct topic_watch *);

/* Where each of the topic's partitions goes on: what lies before it is passed;
 * 0 where the group has no position. The array is the watch's, until the next
 * call; NULL on an error. */
const uint64_t *topic_watch_read(struct topic_watch *, uint32_t *partitions,
                                 struct err *);

/* Readable when something may have moved (-1: never); topic_watch_read() drains
 * it. Read once a second all the same. */
int topic_watch_fd(const struct topic_watch *);

#endif
