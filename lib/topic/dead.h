/* Dead letters: events that were given up, kept whole with the reason.
 *
 * An event goes to the topic of -d, else to its own topic (from dpporigin, else
 * the fallback) + ".dead". */
#ifndef TOPIC_DEAD_H
#define TOPIC_DEAD_H

#include "base/buf.h"

struct err;
struct event;
struct topic_store;
struct dead_letters;

/* topic: as -d; NULL: by origin; "none": dead_put() fails with 65. The store
 * is borrowed. */
struct dead_letters *dead_open(struct topic_store *, const char *topic,
                               const char *stage_name, const char *fallback);
void dead_close(struct dead_letters *);

/* 0, or -1; a full disk is no error here. Not durable before dead_sync(). */
int dead_put(struct dead_letters *, const struct event *, struct slice why,
             struct err *);

/* What is put after this waits for another cut, from now on. */
void dead_cut(struct dead_letters *);

/* Write and sync what was put (up to the last cut). 0; 1 disk full, nothing is
 * lost, call again; -1. */
int dead_sync(struct dead_letters *, struct err *);

#endif
