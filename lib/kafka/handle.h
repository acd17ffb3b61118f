/* One librdkafka handle of ours, for the files of this folder: made from the
 * cluster's properties, its events on one queue with a descriptor, its troubles
 * in words. */
#ifndef KAFKA_HANDLE_H
#define KAFKA_HANDLE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct kafka_client;
struct kafka_quiet;
struct kafka_tls;

struct kafka_setting {
    const char *name; /* NULL ends a list */
    const char *value;
};

struct kafka_handle {
    const struct kafka_client *client;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* main, or the consumer's */
    int fd;                  /* readable when the queue has news */
    bool away;               /* no broker answers, and that was said */
    bool down;               /* that was so once */
    bool refused;            /* the password was, and that was said */
    bool untrusted;          /* TLS failed, and that was said */
    uint64_t renewed_us;     /* then: when it was read again */
    bool met;                /* an address was found at least */
    bool asking;             /* at a question, which says so in its error */
    bool stuck; /* it cannot be destroyed without waiting for somebody */
    struct kafka_quiet *quiet; /* of a consumer */
    struct kafka_tls *tls;
    char reason[240]; /* what the last broker that failed said */
    char cluster[32]; /* the cluster's id, once it was asked for */
    /* What the caller makes of an event, also of one that comes while a
     * question waits for its answer; NULL: kafka_handle_event(). */
    int (*serve)(void *arg, rd_kafka_event_t *, struct err *);
    void *arg;
};

enum { KAFKA_START_MS = 30000 };

/* events: RD_KAFKA_EVENT_… that the caller serves; errors come in any case.
 * extra may be NULL. Nothing is on the network yet. */
int kafka_handle_open(struct kafka_handle *, const struct kafka_client *,
                      rd_kafka_type_t, int events,
                      const struct kafka_setting *extra, struct err *);
void kafka_handle_close(struct kafka_handle *);

/* Take an event that is not the caller's: an error. -1 if it ends us (refused,
 * fatal). Destroys nothing. */
int kafka_handle_event(struct kafka_handle *, rd_kafka_event_t *, struct err *);

/* Something came from a broker: if none answered before, say so. */
void kafka_handle_alive(struct kafka_handle *);

/* Call it now and then: where the password is refused it is read again. */
void kafka_handle_renew(struct kafka_handle *);

/* Empties the descriptor. */
void kafka_handle_woken(struct kafka_handle *);

/* Partitions of a topic; 0 if there is none; -1: 69 when no broker answers
 * within timeout_ms, 77 when they refuse us. Never makes the topic. */
int kafka_handle_partitions(struct kafka_handle *, const char *topic,
                            uint32_t *partitions, int timeout_ms, struct err *);

/* Fills in the cluster's id. -1: 69, or 77 as above. */
int kafka_handle_cluster(struct kafka_handle *, struct err *);

/* An error of librdkafka in our words and with our status. Returns -1. */
int kafka_fail(struct err *, rd_kafka_resp_err_t, const char *what);
int kafka_fail_error(struct err *, rd_kafka_error_t *owned, const char *what);

/* The password as it stands in its file now, for the next connections. */
void kafka_client_renew(const struct kafka_client *, rd_kafka_t *);

/* The client's side of kafka_handle_open(): its properties into conf. */
int kafka_client_configure(const struct kafka_client *, rd_kafka_conf_t *,
                           rd_kafka_type_t, const struct kafka_setting *extra,
                           struct err *);

#endif
