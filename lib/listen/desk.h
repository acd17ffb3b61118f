/* The desk: requests come in, wait, and are answered.
 *
 *     gate ──► queued ──► taken, with a ticket ──► answered
 *                                        └──► placed ──► answered
 *
 * Whoever makes events durable takes them from the queue one by one
 * (desk_next, desk_took), and tells up to which ticket all is safe. Tickets
 * rise. That is the answer, or there is somebody to wait for who has to pass
 * the event where it came to stand. A request that waits longer than the
 * deadline is answered 503; its event may arrive all the same, for a 503
 * promises nothing. */
#ifndef LISTEN_DESK_H
#define LISTEN_DESK_H

#include "connector/envelope.h"
#include "listen/routes.h"

struct desk;
struct err;
struct loop;

struct desk_conf {
    const char *address;
    struct routes *routes;
    uint64_t max_body;
    uint64_t max_connections; /* 0: the server's own */
    uint64_t deadline_ms;
};

/* Binds the address, so that what is wrong with it is found early; nothing is
 * accepted before desk_start(). */
struct desk *desk_open(struct loop *, const struct desk_conf *, struct err *);
void desk_start(struct desk *);

/* Answers 503 to all that wait, and gives the clients a moment to read it. */
void desk_close(struct desk *);

/* "127.0.0.1:8080" */
void desk_address(const struct desk *, struct buf *);

/* The oldest queued request: its route, or NULL. */
const struct route *desk_next(struct desk *);

/* Append its event line (no line end); *key as of envelope_write(). */
void desk_write(struct desk *, struct buf *line, struct slice *key);

/* It is taken; the answer comes with this ticket of this owner. */
void desk_took(struct desk *, const void *owner, uint64_t ticket);

/* Everything of the owner up to this ticket is durable: 200, for at most max of
 * it. How many it were. */
size_t desk_done(struct desk *, const void *owner, uint64_t ticket, size_t max);

/* The same for all of it, but each waits until somebody has passed it: place()
 * is called for one after the other, and says what is larger than *offset then.
 * They are forgotten at their deadline. */
size_t desk_place(struct desk *, void *owner, uint64_t ticket,
                  const uint64_t *(*place)(void *owner, uint64_t *offset));

/* 200 for those that are passed by now. */
void desk_passed(struct desk *);

/* While there is anybody who waits to be passed, or will. */
bool desk_waits(const struct desk *);

/* Everything of the owner behind this ticket is not: 503. */
void desk_failed(struct desk *, const void *owner, uint64_t ticket);

/* Accept no more; answers end their connections. refuse: what is queued, and
 * what still comes, is answered 503. */
void desk_drain(struct desk *, bool refuse);

/* While a drained desk has to wait for anybody; five seconds for those that
 * are still sending. */
bool desk_busy(const struct desk *);

/* Call at least each second: deadlines. Lowers the timeout if need be. */
void desk_tick(struct desk *, int *timeout_ms);

#endif
