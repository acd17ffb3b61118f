/* The way with topics: what the desk has goes to the topics of its routes, many
 * requests in one batch and one sync, and is answered when it is durable.
 *
 * A full disk is no error: those requests are answered 503, it is said once,
 * and the next ones try again. A sync that failed is STATUS_IO and final. */
#ifndef LISTEN_SHELVES_H
#define LISTEN_SHELVES_H

#include <poll.h>
#include <stddef.h>

#include "listen/routes.h"

struct desk;
struct err;
struct shelves;

/* Opens the topics of all routes, and makes those that are missing. */
struct shelves *shelves_open(const char *broker, const struct routes *,
                             struct err *);
void shelves_close(struct shelves *);

/* Commit everything that is queued. */
int shelves_take(struct shelves *, struct desk *, struct err *);

/* Answer what is durable. */
int shelves_synced(struct shelves *, struct desk *, struct err *);

/* Descriptors that tell of syncs. */
size_t shelves_fds(const struct shelves *, struct pollfd *, size_t max);

#endif
