/* The skeleton of a source: events to standard output, receipts back.
 *
 * A source that keeps a position, or answers somebody, speaks the protocol
 * (hello, marks, end); one that does not writes plain events. */
#ifndef STAGE_SOURCE_H
#define STAGE_SOURCE_H

#include "stage/stage.h"

struct source;

enum source_take {
    SOURCE_IDLE = 0,  /* nothing now: wait for the program's descriptors */
    SOURCE_MORE = 1,  /* call again */
    SOURCE_END = 2,   /* all is taken: drain and end */
    SOURCE_AGAIN = 3, /* drain, end this run, and open() again */
};

struct source_ops {
    /* Open what must be there before hello; nothing may be taken yet. For the
     * protocol, call source_identify(). Called again after SOURCE_AGAIN. */
    int (*open)(void *ctx, struct source *, struct err *);

    /* The sink is ready and knows this position (checked; may be empty). Plain
     * mode: called at once. */
    int (*start)(void *ctx, struct slice pos, struct err *);

    /* Gather lines with source_line() until source_full(), or nothing more is
     * there. One of enum source_take, or -1. */
    int (*take)(void *ctx, struct source *, struct err *);

    /* Append (unsealed pairs, pos_put) what moved since the last call. NULL: a
     * source without a position. */
    void (*position)(void *ctx, struct buf *pos);

    /* All up to mark seq is terminal; pos is merged over these marks (sealed,
     * may be empty). NULL: nothing to do. */
    int (*receipt)(void *ctx, uint64_t seq, struct slice pos, struct err *);

    /* Stop taking (SIGTERM); take() is not called any more. May be NULL. */
    void (*drain)(void *ctx);

    /* True while drain() still waits for something besides receipts. */
    bool (*busy)(void *ctx);

    /* Descriptors to wait for, and a timeout to lower. May be NULL. */
    size_t (*fds)(void *ctx, struct pollfd *, size_t max, int *timeout_ms);

    /* After each wait, with the revents of those descriptors; may be NULL. */
    int (*woken)(void *ctx, const struct pollfd *, size_t n, struct err *);
    void (*close)(void *ctx);
};

int source_main(const struct stage_program *, const struct source_ops *,
                void *ctx, int argc, char **argv);

/* In open(): speak the protocol as this name (group, or empty) for these
 * position keys (blank-separated, may be empty). */
void source_identify(struct source *, const char *name, struct slice keys);

/* A buffer to append one line to (without its line end), then _done(). */
struct buf *source_line(struct source *);
void source_line_done(struct source *);

/* Enough for one write, or the window of unreceipted events is full. */
bool source_full(const struct source *);

/* The mark that will cover what is gathered now. */
uint64_t source_mark(const struct source *);

/* True once the sink said hi (plain mode: always). */
bool source_started(const struct source *);

/* The limit of one event's value, as --max-event says. */
uint64_t source_max_event(const struct source *);

struct stats *source_stats(struct source *);

#endif
