/* The records of the retry store's journal, as text (deliver/store.h has the
 * list): a letter, decimals with blanks between, and behind a line end the
 * event. */
#ifndef DELIVER_DEFERRAL_H
#define DELIVER_DEFERRAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum deferral_kind {
    DEFERRAL_EVENT = 'D',
    DEFERRAL_TRIED = 'T',
    DEFERRAL_DONE = 'X',
    DEFERRAL_SUCCESS = 'S',
    DEFERRAL_SEAL = 'C',
    DEFERRAL_OPENED = 'O',
};

enum { DEFERRAL_HEAD = 160 };

/* What a kind has no number for is 0. */
struct deferral {
    enum deferral_kind kind;
    uint64_t offset; /* T, X: which event */
    uint64_t tries;
    uint64_t age_ms;
    uint64_t tried_ms;
    uint64_t success_ms;
    struct slice line; /* D: the event */
};

bool deferral_parse(struct deferral *, struct slice record);

/* All but the line of a D, which belongs behind it. */
struct slice deferral_head(const struct deferral *, char out[DEFERRAL_HEAD]);

#endif
