/* What the parts of delivery share, inside this folder. */
#ifndef DELIVER_WORK_H
#define DELIVER_WORK_H

#include "deliver/deliver.h"
#include "deliver/endpoint.h"
#include "deliver/lane.h"
#include "deliver/pending.h"
#include "deliver/request.h"
#include "deliver/store.h"

struct dead_letters;
struct topic_store;

/* One request: of a lane's head, or of a parked key's. */
struct flight {
    struct request request;
    struct lane *lane;
    struct parked *parked;
    struct buf line; /* of the parked event */
    unsigned turn;   /* of the secret that it carries */
    bool probe;
    bool busy;
};

/* What a dead letter holds until it is durable. */
struct letter {
    uint64_t mark;         /* of an event that came just now, */
    struct parked *parked; /* or the head of a parked key */
};

struct deliver {
    const struct deliver_conf *conf;
    struct target *target;
    struct http_client *client;
    unsigned turn; /* one more for each new secret */
    struct endpoint endpoint;
    struct rate rate;
    struct lanes lanes;
    struct store *store;
    struct pending marks;
    struct topic_store *topics;
    struct dead_letters *dead;
    struct sink *sink;
    char *dir;

    struct flight *flight; /* conf->requests of them */
    struct flight **idle;  /* as many as the client has slots free */
    size_t parked_flights;
    bool parked_turn;

    struct letter *letter; /* dead, and not synced yet */
    size_t letters;
    size_t letter_cap;
    size_t letter_bytes;

    bool draining;        /* no more input comes */
    bool deferring;       /* everything goes to the retry store */
    uint64_t stop_us;     /* when that begins by a signal; 0: no signal */
    uint64_t progress_us; /* the last time that something was settled */
    uint64_t disk_us;     /* a disk was full: again then; 0: none is */
    uint64_t said_us;     /* the last word about parking */
    uint64_t parkings;    /* since then */

    struct request dry_request; /* -n */
    struct buf dry_out;
};

enum {
    DELIVER_PATIENCE_US = 5 * 1000 * 1000,
    DELIVER_DISK_US = 1000 * 1000,
};

/* The event of a job is settled: its mark is free, the job is gone. */
void deliver_settle(struct deliver *, struct job *, enum sink_outcome);

/* Give an event up: what the letter holds is free when it is durable. */
int deliver_bury(struct deliver *, const struct event *, struct slice why,
                 struct letter, struct err *);

/* --- flight.c ----------------------------------------------------------- */

/* Take all answers and start what may start. */
int flight_run(struct deliver *, struct err *);

/* All events of a lane to the retry store; tries: of its head. */
void flight_park(struct deliver *, struct lane *, uint32_t tries);

/* Stop all requests; their events are where they were before. */
void flight_cancel(struct deliver *);

/* --- waits.c ------------------------------------------------------------ */

/* True while nothing new may start. */
bool waits_no_more(const struct deliver *, uint64_t now);

/* The input has ended, or a signal came, and the lanes had their time. */
bool waits_in_vain(const struct deliver *, uint64_t now);

/* Behind the end of the input: a parked key will be tried in time. */
bool waits_for_parked(const struct deliver *, uint64_t now);

/* Lower it to when time alone changes something. */
void waits_timeout(const struct deliver *, uint64_t now, int *timeout_ms);

#endif
