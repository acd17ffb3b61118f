/* The request that an event becomes.
 *
 * The body is the event's value byte for byte; nothing is reprinted. Headers
 * of our own: Content-Type, Idempotency-Key (from source and id: the same for
 * each try, whoever tries) and CloudEvents' ce-specversion, -id, -source,
 * -type, -time. One of -H with the same name takes the place of ours; "Name:"
 * with nothing behind it leaves ours out.
 *
 * An event that is sealed is opened here, for the request alone: the retry
 * store and the dead letters keep it as it came. */
#ifndef DELIVER_REQUEST_H
#define DELIVER_REQUEST_H

#include "base/buf.h"
#include "http/client.h"

struct err;
struct event;
struct target;

/* Reused: make it zeroed, release it at the end. */
struct request {
    const char *url;
    const char *header[HTTP_HEADERS];
    size_t headers;
    struct slice body;
    struct buf text;
    struct buf decoded;
    struct buf scratch;
};

/* The body may point into the event's line. -1 with STATUS_STREAM: this event
 * makes no request; the reason is in the error's text. Another status: keys
 * cannot be read, and no event makes one. */
int request_fill(struct target *, const struct event *, struct request *,
                 struct err *);
void request_release(struct request *);

#endif
