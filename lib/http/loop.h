/* The loop of a program that listens: libevent waits for the connections, and
 * for the stage's own descriptors beside them. */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include <poll.h>
#include <stddef.h>

struct err;
struct event_base;
struct loop;

/* NULL with 71. */
struct loop *loop_new(struct err *);
void loop_free(struct loop *);

/* Wait as poll(2) does and fill in revents, and serve the connections
 * meanwhile; returns after each bout of work. n is at most 64. The number of
 * descriptors with revents, or -1 with errno. */
int loop_wait(struct loop *, struct pollfd *, size_t n, int timeout_ms);

/* The next wait leaves the connections alone for so long, unless one of its
 * descriptors becomes ready: what comes meanwhile could not be answered yet
 * anyhow, and one look at many connections costs little more than at one. */
void loop_rest(struct loop *, unsigned us);

/* For lib/http. */
struct event_base *loop_base(struct loop *);

#endif
