/* The skeleton of a filter: events in, events out, control lines passed on. */
#ifndef STAGE_FILTER_H
#define STAGE_FILTER_H

#include "stage/intake.h"
#include "stage/stage.h"

struct filter;

struct filter_ops {
    int (*open)(void *ctx, struct err *);

    /* Emit any number of lines for this event. -1 ends the program; an event
     * that cannot be handled is filter_dead(). */
    int (*event)(void *ctx, const struct event *, struct filter *,
                 struct err *);
    void (*close)(void *ctx);

    /* What was emitted so far is about to leave. May be NULL. */
    int (*flush)(void *ctx, struct err *);
};

int filter_main(const struct stage_program *, const struct filter_ops *,
                void *ctx, int argc, char **argv);

/* Pass the event on as it came, byte for byte. */
void filter_pass(struct filter *, const struct event *);

/* Build one line in the buffer (without line end), then _done(). */
struct buf *filter_line(struct filter *);
void filter_line_done(struct filter *);

/* Give the event up. */
void filter_dead(struct filter *, const struct event *, struct slice why);

#endif
