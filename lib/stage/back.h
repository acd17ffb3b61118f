/* The way back: a stream socket in the abstract namespace on which the source
 * listens and to which the sink connects. Both ends check that the other runs
 * as the same user (SO_PEERCRED). Lines come back: hi, then receipts. */
#ifndef STAGE_BACK_H
#define STAGE_BACK_H

#include "base/buf.h"
#include "record/control.h"

struct err;

struct back {
    int listener; /* source only; -1 elsewhere */
    int fd;       /* -1: not connected */
    struct buf in;
    struct buf out;
    size_t given; /* of in: already parsed */
    bool stopped; /* the source's half is shut down */
};

void back_init(struct back *);
void back_release(struct back *);

/* Source: listen on "@dpp-RUN". */
int back_listen(struct back *, const char *run, struct err *);

/* Source: 1 the sink is there (others are turned away), 0 not yet. */
int back_accept(struct back *, struct err *);

/* Sink: connect to a name from hello. 76 if nobody listens. */
int back_connect(struct back *, struct slice name, struct err *);

/* Read what is there. 1 something, 0 nothing, -1 with 76: the other end has
 * closed. */
int back_read(struct back *, struct err *);

/* Source: it has been asked to end, and says so at due_us by shutting down its
 * half; lowers the timeout until then. */
void back_stop(struct back *, uint64_t due_us, int *timeout_ms);

/* Sink: what woke it? 0 nothing; 1 the source has been asked to end; -1 with 76
 * (it has gone) or 65 (it talks). */
int back_watch(struct back *, struct err *);

/* The next complete line, parsed; 1, 0 or -1 (65). */
int back_next(struct back *, struct control *, struct err *);

/* Queue a line; the newest receipt replaces one that did not leave yet. */
void back_put(struct back *, const struct control *);

/* Send without blocking. 1 all gone, 0 some left, -1 with 76. */
int back_flush(struct back *, struct err *);

#endif
