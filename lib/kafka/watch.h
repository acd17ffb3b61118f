/* A group's offsets, seen from outside: not a member, in nobody's way.
 *
 * The brokers do not tell when a group moves, so they are asked: one question
 * at a time (OffsetFetch to the group's coordinator, for all topics that are
 * watched), and the next one KAFKA_WATCH_MS after the answer at the earliest.
 * The library answers this question to those who wait only (the other way that
 * it has, of its admin client, keeps to a coordinator that is none any more),
 * so a thread waits, and the descriptor tells. */
#ifndef KAFKA_WATCH_H
#define KAFKA_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct kafka_client;
struct kafka_watch;

enum { KAFKA_WATCH_MS = 25 };

/* The group need not be there. */
struct kafka_watch *kafka_watch_open(const struct kafka_client *,
                                     const char *group, struct err *);
void kafka_watch_close(struct kafka_watch *);

/* One topic more, which is there, and its number. Waits for brokers, and for an
 * answer about it: 69, 77. */
int kafka_watch_add(struct kafka_watch *, const char *topic, size_t *number,
                    struct err *);

/* Take the answer, if there is one; ask, if it is time to. A broker that is
 * away is no error; -1: 77. */
int kafka_watch_poll(struct kafka_watch *, struct err *);

/* Where each partition of the topic goes on, 0: the group has not begun it.
 * Until the next poll. *partitions: so many should be watched, for which the
 * caller knows best, as topics grow; and so many are. */
const uint64_t *kafka_watch_next(struct kafka_watch *, size_t topic,
                                 uint32_t *partitions);

/* Readable when there may be an answer. */
int kafka_watch_fd(const struct kafka_watch *);

/* In so many milliseconds it is time to ask; -1: an answer is under way. */
int kafka_watch_due(const struct kafka_watch *);

#endif
