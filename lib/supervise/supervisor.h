/* A supervisor's state; private to supervise.c, ending.c and hearing.c. */
#ifndef SUPERVISE_SUPERVISOR_H
#define SUPERVISE_SUPERVISOR_H

#include <signal.h>

#include "base/backoff.h"
#include "supervise/news.h"
#include "supervise/poison.h"
#include "supervise/segment.h"
#include "supervise/supervise.h"

enum pressure { PRESSURE_NONE, PRESSURE_GRACE, PRESSURE_TERM, PRESSURE_KILL };

struct supervisor {
    const struct supervise_conf *conf;
    struct segment segment;
    bool *ours; /* of each stage: a dpp program */
    struct news news;
    struct poison poison;
    struct backoff backoff;
    struct buf caution;  /* for poison_next() */
    struct buf position; /* the last one heard of */
    int signal_fd;
    sigset_t mask; /* as we found it */
    bool ready;    /* said so */
    int done;      /* the status to end with; -1: go on */

    bool running;
    uint64_t next_us; /* not running: when to start */
    uint64_t starts;
    unsigned unanswered_row; /* starts in a row whose hello nobody answered */
    uint64_t status_us;      /* when STATUS= was sent */
    uint64_t watchdog_us;    /* $WATCHDOG_USEC; 0: none */
    uint64_t watchdog_due_us;

    /* of this run: */
    uint64_t started_us;
    unsigned long long oom; /* process_oom_kills() at the start */
    bool stopping;          /* the source says so */
    bool whole;             /* all stages are ready */
    bool progress;
    bool unanswered;
    enum pressure pressure;
    uint64_t pressure_us; /* when it rises */
    uint64_t free_us;     /* look who holds pipes open then; 0: no */

    /* once we are asked to end: */
    unsigned stops;
    int stop_signal;
    uint64_t echo_us;  /* pass the signal on then; 0: no */
    uint64_t drain_us; /* the end of patience */
};

/* supervise.c: nothing runs now; the next start comes after a pause in
 * milliseconds, which is returned. */
uint64_t supervise_pause(struct supervisor *);

/* ending.c: SIGTERM to all now and SIGKILL later; the next step of pressure;
 * what the ends of stages demand; killing what keeps the next stage from seeing
 * the end of its input; the judgement when all have ended; a start
 * that failed. */
void ending_press(struct supervisor *, uint64_t kill_after_us);
void ending_press_on(struct supervisor *);
void ending_look(struct supervisor *);
void ending_free_pipes(struct supervisor *);
void ending_judge(struct supervisor *);
void ending_failed_start(struct supervisor *, const struct err *);

/* hearing.c: the stages' datagrams; readiness, passed on once. */
void hearing_take(struct supervisor *);
void hearing_ready(struct supervisor *);

#endif
