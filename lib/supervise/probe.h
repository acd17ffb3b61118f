/* A filter between two ends of ours: what we write goes in, what comes out is
 * shown to a witness. */
#ifndef SUPERVISE_PROBE_H
#define SUPERVISE_PROBE_H

#include "stage/lines.h"
#include "supervise/segment.h"
#include "supervise/witness.h"

struct probe {
    struct segment segment;
    struct witness witness;
    int to; /* -1: closed */
    int from;
    struct lines lines;
    struct buf out; /* fill it, then probe_pump() */
    size_t sent;
    bool eof;
};

/* Starts the filter. 71. */
int probe_open(struct probe *, const struct words *, struct err *);

/* Kills what still runs; the witness stays. */
void probe_stop(struct probe *);
void probe_close(struct probe *);

/* Write and read until done() is true, a promise is broken, the output has
 * ended, or nothing has moved for limit_ms. True if done() is. */
bool probe_pump(struct probe *, bool (*done)(const struct probe *),
                unsigned limit_ms);

/* Nothing more goes in. */
void probe_finish(struct probe *);

/* Wait for the process's end; false if it does not come in time. */
bool probe_wait(struct probe *, unsigned limit_ms);

#endif
