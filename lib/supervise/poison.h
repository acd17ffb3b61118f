/* Which event kills the segment? See poison.c for the whole argument.
 *
 * The supervisor tells what it hears from the source and how each run of the
 * segment ended; poison_next() says how the next one is to start. */
#ifndef SUPERVISE_POISON_H
#define SUPERVISE_POISON_H

#include <stdbool.h>
#include <stdint.h>

#include "supervise/news.h"
#include "supervise/outcome.h"

enum {
    POISON_DEATHS = 3,    /* that an event may have caused: be cautious */
    POISON_EVIDENCE = 2,  /* deaths of one event alone: it is the suspect */
    POISON_ROW_MAX = 8,   /* suspects without a good event between them */
    POISON_BOLD = 1000,   /* receipts after which caution has passed */
    POISON_STEADY_S = 10, /* a run of that length with receipts is healthy */
};

enum poison_state { POISON_NONE, POISON_CAUTION, POISON_SUSPECT };

struct poison {
    enum poison_state state;
    unsigned deaths;
    struct buf who;    /* the event that is watched; empty: none */
    unsigned evidence; /* deaths while it was out alone */
    unsigned row;      /* declared dead since the last good event */
    /* of the run under way: */
    uint64_t receipts;
    char run[RAND_HEX];
    uint64_t upto; /* mark of that run that is receipted */
    struct buf out;
    struct news_count out_mark;
};

void poison_init(struct poison *);
void poison_release(struct poison *);

/* The source says that one event is out, and how far receipts have come. */
void poison_out(struct poison *, const struct news_count *, struct slice who);
void poison_receipt(struct poison *, const struct news_count *);

/* A run has ended. blame: an event may have caused it. */
void poison_end(struct poison *, bool blame, uint64_t lasted_us);

/* The value of $DPP_CAUTION for the next start, or NULL; valid until the next
 * call. */
const char *poison_next(struct poison *, struct buf *);

/* May an event be the cause that these stages (the first is the source) ended
 * so? ours[i]: a dpp program. oom: the kernel has killed for memory since the
 * start. */
bool poison_blame(const struct outcome_end *, const bool *ours, size_t n,
                  bool oom);

#endif
