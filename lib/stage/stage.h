/* What the three skeletons share: options, signals, readiness, the descriptors
 * 0 to 2, the last check of standard output, and the exit status.
 *
 * A program's main hands its table of functions to source_main(), filter_main()
 * or sink_main(), and returns what that returns. Each function gets the
 * program's own context first. */
#ifndef STAGE_STAGE_H
#define STAGE_STAGE_H

#include <poll.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "stage/stats.h"

enum { STAGE_DRAIN_MS = 20000, STAGE_FDS = 40 };

/* Values that a supervisor sends along with SIGTERM or SIGINT (sigqueue(3)).
 * The same request may reach a stage twice, from the terminal or a process
 * group and from the supervisor, in either order; two plain signals mean that
 * somebody has asked twice. */
enum {
    STAGE_DRAIN_VALUE = 0x64707001, /* end, if you have not been asked yet */
    STAGE_ABORT_VALUE = 0x64707002, /* do not drain any longer */
};

struct stage_program {
    const char *name;
    const char *synopsis; /* as in -h, without the name */
    const char *about;
    const struct opt *options;

    /* Checks arguments and operands; opens nothing. */
    int (*setup)(void *ctx, int argc, char **argv, struct err *);

    /* Instead of poll(2), where a library owns the waiting (curl_multi_poll,
     * libevent): fills in revents, -1 with errno. NULL: poll(2). */
    int (*wait)(void *ctx, struct pollfd *, size_t n, int timeout_ms);

    /* Sinks: when it points to true after setup(), each line of the input is a
     * bare value (-r), never an event or a control line. */
    const bool *raw;

    /* SIGHUP: read keys again, try what is paused. May be NULL. */
    void (*hangup)(void *ctx);

    /* A sink's: SIGTERM, or the SIGINT that stops the source beside it: the
     * end will come, so wait for nobody. May be NULL. */
    void (*stopping)(void *ctx);
};

struct stage {
    const struct stage_program *program;
    void *ctx;
    int signal_fd;
    unsigned terms; /* SIGTERMs (and a source's SIGINTs) so far */
    bool asked;     /* the first of them was a supervisor's */
    bool takes_input;
    uint64_t drain_deadline_us;
    uint64_t stats_due_us;
    struct stats stats;
    bool quiet;
    bool ready;
    int verbose;
    uint64_t ready_fd;
    uint64_t max_event; /* bytes of a decoded value */
};

/* 0 go on; 1 done (-h, -V); -1 (exit with stage_end()). more: the skeleton's
 * own options, or NULL. takes_input: a filter or sink; they leave SIGINT to the
 * source, and read no terminal. */
int stage_begin(struct stage *, const struct stage_program *, void *ctx,
                int argc, char **argv, const struct opt *more, bool takes_input,
                struct err *);

/* Tells the supervisor, once. */
void stage_ready(struct stage *);

/* Waits for the descriptors (fds[0] is reserved for the signals) at most
 * timeout_ms (-1: for ever), then serves signals and statistics. -1 with 75
 * when the end is asked for again, or past the drain deadline. */
int stage_wait(struct stage *, struct pollfd *fds, size_t n, int timeout_ms,
               struct err *);

/* When the first signal asked it to end; only if one has. */
uint64_t stage_asked_us(const struct stage *);

/* What a source or filter makes of the end of its loop: rc, or 0 if a neighbour
 * has gone that was asked to end as this stage was, before it took anything.
 * While the program is still open. */
int stage_verdict(struct stage *, int rc, const struct err *);

/* Says the error (if rc < 0), checks standard output, returns the status. */
int stage_end(struct stage *, int rc, struct err *);

/* Makes fd non-blocking without changing it for others where that can be done
 * (a pipe is opened anew through /proc); returns the descriptor to use. */
int stage_nonblock(int fd);

/* Sends from *sent on without blocking: 1 all gone (buffer cleared), 0 would
 * block, -1 (76 for a closed pipe, 74 otherwise). */
int stage_write(struct stage *, int fd, struct buf *, size_t *sent,
                struct err *);

#endif
