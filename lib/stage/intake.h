/* What filters and sinks have in common: the downward stream, checked.
 *
 * Lines become items. A line that is no event comes as a dead one: an event of
 * type dpp.invalid that carries its bytes. In protocol mode a stream that
 * breaks the law is STATUS_STREAM and one that ends without "end" is
 * STATUS_NEIGHBOUR; in plain mode the end of the input is the end, and a last
 * line without line end counts. */
#ifndef STAGE_INTAKE_H
#define STAGE_INTAKE_H

#include "base/rand.h"
#include "record/control.h"
#include "record/event.h"
#include "stage/lines.h"

enum item_kind {
    ITEM_NONE,  /* fill first */
    ITEM_EVENT, /* event */
    ITEM_DEAD,  /* event, and why it died */
    ITEM_HELLO, /* control; a repeated one does not come */
    ITEM_MARK,
    ITEM_END,
    ITEM_EOF, /* plain mode, or behind end: all is given out */
};

struct item {
    enum item_kind kind;
    struct slice line; /* as it came */
    struct event event;
    struct control control;
    struct slice why; /* decoded text */
};

struct intake {
    struct lines lines;
    uint64_t max_event;
    bool raw;      /* lines are bare values: events are made of them */
    bool first;    /* nothing but hello or plain lines yet */
    bool protocol; /* hello seen, and no end since */
    bool ended;    /* end seen, and no hello since */
    char run[RAND_HEX];
    uint64_t seq;      /* of the last mark */
    uint64_t received; /* events and dead lines since it */
    uint64_t unmarked; /* bytes since it */
    struct buf made;   /* wrapped event, decoded reason */
    struct buf reason;
};

void intake_init(struct intake *, int fd, uint64_t max_event);
void intake_release(struct intake *);

/* One read(2): 1, 0 (nothing now), -1. */
int intake_fill(struct intake *, struct err *);

/* The next item; its slices are valid until the next call. */
int intake_next(struct intake *, struct item *, struct err *);

#endif
