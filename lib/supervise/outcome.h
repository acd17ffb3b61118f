/* What the ends of a segment's stages mean together.
 *
 * 76 says "my neighbour died", so the stage at fault is one that says something
 * else; of those the worst is reported, in the order 64 77 78 65 70 71 74 69
 * 75. A foreign stage's own status counts as 75, and so does death by a
 * signal. */
#ifndef SUPERVISE_OUTCOME_H
#define SUPERVISE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

enum { OUTCOME_TEXT = 160 };

enum outcome_cause {
    OUTCOME_OWN,    /* it ended by itself */
    OUTCOME_TOLD,   /* a source that died of the signal that asks it to stop */
    OUTCOME_FORCED, /* ended because the segment was: says nothing */
};

/* How one stage ended. */
struct outcome_end {
    int wstatus; /* as waitpid(2) gives it */
    enum outcome_cause cause;
    unsigned order; /* the first to end has the lowest */
};

/* The status of one end: 0, a status of dpp, or 75. */
int outcome_status(const struct outcome_end *);

/* The status of a segment of n stages (n > 0), and who is at fault; *culprit
 * is n if nobody is (status 0). stopping: the end was asked for, and the source
 * (the first one) had the word. */
int outcome_judge(const struct outcome_end *, size_t n, bool stopping,
                  size_t *culprit);

/* 64, 65, 77, 78: starting again would not help. */
bool outcome_final(int status);

/* "ended with 69 (peer unreachable)", "was killed by SIGSEGV (counts as 75)",
 * "ended with 5 (its own status, counts as 75)". */
void outcome_text(const struct outcome_end *, char out[OUTCOME_TEXT]);

#endif
