/* The processes of one segment: started in a row with pipes between them, in
 * our process group, each by its argument vector, never by a shell.
 *
 * A stage gets its two ends, its keys (hand.h) and what we inherited, nothing
 * else. It dies with
 * us (SIGKILL, so that a segment never runs twice when we are started again).
 * Whatever a stage leaves behind, a grandchild that holds the pipe open, say,
 * becomes our child (PR_SET_CHILD_SUBREAPER) and ends with the segment. */
#ifndef SUPERVISE_SEGMENT_H
#define SUPERVISE_SEGMENT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "supervise/outcome.h"

struct err;
struct words;

struct segment_stage {
    char *const *argv; /* borrowed */
    char *path;
    const char *name; /* last part of argv[0] */
    bool ours;        /* a dpp program: it says READY=1 */
    pid_t pid;        /* 0: not running */
    pid_t last;       /* of the process that runs, or ran last */
    int vault_fd;     /* keys of its entries (hand.h); 0: none */
    ino_t out;        /* of the pipe to the next one */
    bool ready;
    bool forced; /* signalled by segment_force() */
    bool told;   /* asked to end, by segment_tell() or others */
};

struct segment {
    struct segment_stage *stage;
    struct outcome_end *end; /* of each stage, once it has ended */
    size_t n;
    size_t alive;
    bool hands; /* a stage has a vault_fd */
    unsigned ended;
    pid_t *guest; /* children that we had before: not ours to end */
    size_t guests;
};

/* What the stages are to find. */
struct segment_conf {
    int in;  /* of the first: -1 as we have it */
    int out; /* of the last */
    const sigset_t *mask;
    bool hands;          /* keys: no stage has those that we were handed */
    const char *notify;  /* $NOTIFY_SOCKET, or NULL */
    const char *caution; /* $DPP_CAUTION of the first, or NULL */
};

/* Finds every program (64); starts nothing. The words are borrowed. */
int segment_init(struct segment *, const struct words *, struct err *);
void segment_release(struct segment *);

/* All or none. 71. */
int segment_start(struct segment *, const struct segment_conf *, struct err *);

/* Ask one stage for its end, if it runs and has not been asked by others; one
 * that dies of the signal has ended as asked. _expect_end: others have asked.
 * _force: all stages; an end that says nothing. */
void segment_tell(struct segment *, size_t i, int sig);
void segment_expect_end(struct segment *, size_t i);
void segment_force(struct segment *, int sig);

/* To each stage that is prepared for it (catches, blocks or ignores it):
 * signals such as SIGHUP would kill a stage that is not. */
void segment_pass(struct segment *, int sig);

/* Collects who has ended. True if a stage has. */
bool segment_reap(struct segment *);

/* End what the stages left behind; call it when alive is 0. -1: something
 * cannot be killed. */
int segment_sweep(struct segment *, struct err *);

/* The stage has ended, but something that it left behind may still hold the
 * pipe to the next one open: kill that. The number of one such process, or 0.
 */
pid_t segment_free_pipe(struct segment *, size_t i);

/* The stage to which a process belongs, or n. */
size_t segment_stage_of(const struct segment *, pid_t);

#endif
