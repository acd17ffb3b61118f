/* The conformance probe: does this filter keep the promise of dpp-stage(7)? */
#ifndef SUPERVISE_CHECK_H
#define SUPERVISE_CHECK_H

struct err;
struct words;

/* Runs the words (one filter, or several with "!" between) between a source
 * and a sink of our own, and prints a verdict for each property on standard
 * output. 0: it conforms; STATUS_STREAM (and a reason on standard error): it
 * does not; -1: it could not be started. */
int check_filter(const struct words *, struct err *);

#endif
