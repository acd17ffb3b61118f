/* A source waiting for its sink to answer on the way back. */
#ifndef STAGE_HELLO_H
#define STAGE_HELLO_H

#include <stdint.h>

#include "base/buf.h"

struct err;

struct hello {
    uint64_t timeout_ms; /* counted from when the pipe was read */
    uint64_t due_us;     /* say it again then */
    uint64_t read_us;    /* the pipe was seen empty; 0: not yet */
};

/* Append the line, and begin to wait. */
void hello_say(struct hello *, struct buf *out, const char *run,
               const char *name, struct slice keys);

/* Nobody has connected yet. gone: the line has left the buffer. 1: say it
 * again; 0; -1 with 69 when the reader of standard output had its time. */
int hello_wait(struct hello *, bool gone, struct err *);

#endif
