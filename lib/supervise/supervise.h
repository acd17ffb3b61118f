/* One segment, kept running in the foreground: started, watched, torn down
 * when a stage dies, started again, and drained when we are asked to end. */
#ifndef SUPERVISE_SUPERVISE_H
#define SUPERVISE_SUPERVISE_H

struct err;
struct words;

struct supervise_conf {
    int ready_fd; /* gets a newline once all stages are ready; -1: none */
};

/* Returns the exit status for dpp-run when the segment has ended for good, or
 * -1 if it could not even begin (64, 71). */
int supervise_run(const struct supervise_conf *, const struct words *,
                  struct err *);

#endif
