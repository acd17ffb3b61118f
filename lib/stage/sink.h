/* The skeleton of a sink: events in, receipts back. */
#ifndef STAGE_SINK_H
#define STAGE_SINK_H

#include "stage/intake.h"
#include "stage/stage.h"

struct sink;

/* Who is speaking: of one run, from hello; plain input has run[0] == '\0'. */
struct sink_run {
    char run[RAND_HEX];
    struct slice name;
    struct slice keys;
};

enum sink_outcome { SINK_OK, SINK_DEAD, SINK_DEFERRED };

struct sink_ops {
    /* Make ready for a run (again after each hello). For a run with a name:
     * fence older writers and append the stored position to pos. May block as
     * long as it takes. */
    int (*open)(void *ctx, struct sink *, const struct sink_run *,
                struct buf *pos, struct err *);

    /* Take one event; the slices are gone when it returns. */
    int (*event)(void *ctx, const struct event *, struct err *);

    /* This event goes to the dead letters, durably, before the mark that
     * covers it is terminal. */
    int (*dead)(void *ctx, const struct event *, struct slice why,
                struct err *);

    /* All before this is one batch; pos (may be empty) belongs to it. When it
     * is terminal, say sink_terminal(). */
    int (*mark)(void *ctx, uint64_t seq, struct slice pos, struct err *);

    /* After each bout of input and after each wait: go on with the work. */
    int (*work)(void *ctx, const struct pollfd *, size_t n, struct err *);

    /* Descriptors to wait for, and a timeout to lower. May be NULL. */
    size_t (*fds)(void *ctx, struct pollfd *, size_t max, int *timeout_ms);

    /* True while no more input can be taken. May be NULL. */
    bool (*full)(void *ctx);

    /* No more input will come (end, end of file, or a signal in plain mode):
     * finish soon. May be NULL. */
    void (*drain)(void *ctx);

    /* A run has come to its clean end, all its marks are terminal, and the
     * source is about to learn that: give up what is owned for it. May be
     * NULL. */
    int (*end)(void *ctx, struct err *);

    /* Behind the end of the input, with all marks terminal: true while there
     * is work left that is worth staying for. With it, open() is called even
     * if no event came. May be NULL. */
    bool (*busy)(void *ctx);
    void (*close)(void *ctx);
};

int sink_main(const struct stage_program *, const struct sink_ops *, void *ctx,
              int argc, char **argv);

/* Everything up to and with mark seq is terminal. */
void sink_terminal(struct sink *, uint64_t seq);

/* n events came to this end, for the totals of the receipts. */
void sink_count(struct sink *, enum sink_outcome, uint64_t n);

struct stats *sink_stats(struct sink *);

#endif
