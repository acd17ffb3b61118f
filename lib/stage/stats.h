/* What every program counts. One line of it on SIGUSR1, one JSON datagram to
 * $DPP_STATS_SOCKET every 10 s and at the end. */
#ifndef STAGE_STATS_H
#define STAGE_STATS_H

#include <stdint.h>

#include "base/buf.h"
#include "record/control.h"
#include "stage/notify.h"

enum { STATS_BUCKETS = 40 }; /* latency: bucket i holds [2^i, 2^(i+1)) µs */

struct stats {
    const char *program;
    uint64_t in; /* events */
    uint64_t out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t ok; /* by outcome; of a source: as the receipts say */
    uint64_t dead;
    uint64_t deferred;
    uint64_t dropped;
    uint64_t born;
    int64_t net;
    uint64_t unreceipted;
    uint64_t lag;        /* events behind the end of the topic, if known */
    struct buf position; /* as text; empty: none */
    uint64_t latency[STATS_BUCKETS];
};

void stats_init(struct stats *, const char *program);
void stats_release(struct stats *);

/* By outcome. A receipt counts from hello on, the totals from the start of the
 * process: they are what was `before` and what is said now. */
struct control_counts stats_counts(const struct stats *);
void stats_set_counts(struct stats *, const struct control_counts *before,
                      const struct control_counts *now);

void stats_latency(struct stats *, uint64_t us);

/* The upper bound in µs of the bucket with the given share (0.5, 0.99). */
uint64_t stats_quantile(const struct stats *, double share);

/* One line on standard error. */
void stats_print(const struct stats *);

/* One datagram, if $DPP_STATS_SOCKET is set; errors are lost. */
void stats_send(const struct stats *, enum notify_patience);

#endif
