/* The way with topics: what the desk has goes to the topics of its routes, many
 * requests in one batch and one sync, and is answered when it is durable.
 *
 * A full disk is no error: those requests are answered 503, it is said once,
 * and the next ones try again. A sync that failed is STATUS_IO and final. */
#ifndef LISTEN_SHELVES_H
#define LISTEN_SHELVES_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "listen/routes.h"

struct desk;
struct err;
struct shelves;
struct topic_store_conf;

/* Opens the topics of all routes, and makes those that are missing. group:
 * requests are answered when it has passed their events; NULL: when they are
 * durable. */
struct shelves *shelves_open(const struct topic_store_conf *broker,
                             const struct routes *, const char *group,
                             struct err *);
void shelves_close(struct shelves *);

/* Gather what is queued, and commit it unless a sync is under way, whose end
 * will tell (at_once: even so); and answer some of what is durable (at_once:
 * all). 1: call again after a look at the connections; 0, -1. */
int shelves_take(struct shelves *, struct desk *, bool at_once, struct err *);

/* How long the connections may be left alone, in µs: what comes meanwhile could
 * not be committed. */
unsigned shelves_rest(struct shelves *);

/* Note what is durable now, for shelves_take(), and answer what is passed: with
 * the descriptors below as they were polled, and when the time is up. */
int shelves_woken(struct shelves *, struct desk *, const struct pollfd *,
                  size_t n, struct err *);

/* Descriptors that tell of syncs, and of the group; lowers the timeout if need
 * be. */
size_t shelves_fds(const struct shelves *, const struct desk *, struct pollfd *,
                   size_t max, int *timeout_ms);

#endif
