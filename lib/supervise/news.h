/* What the stages tell us: the datagrams of sd_notify(3), to a socket of our
 * own. Only processes of the same user are heard, and who spoke is known from
 * the kernel, not from the text. */
#ifndef SUPERVISE_NEWS_H
#define SUPERVISE_NEWS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/rand.h"

struct err;

struct news {
    int fd;
    char address[64]; /* for $NOTIFY_SOCKET: "@…" */
    struct buf text;
};

/* A run of a source and how many of its marks are receipted. */
struct news_count {
    char run[RAND_HEX];
    uint64_t n;
};

/* One datagram. Slices are valid until the next call. */
struct news_item {
    pid_t from;
    bool ready;
    bool stopping;
    bool unanswered; /* nobody answered hello (stage/hello.c) */
    bool has_pos;    /* X_DPP_POS=RUN#MARKS POS */
    struct news_count marks;
    struct slice pos;
    bool has_out; /* X_DPP_OUT=RUN#SEQ WHO (stage/caution.h) */
    struct news_count out;
    struct slice who;
};

int news_open(struct news *, struct err *);
void news_close(struct news *);

/* False: nothing more now. */
bool news_next(struct news *, struct news_item *);

/* Exposed for the tests. */
void news_parse(struct news_item *, struct slice text);

#endif
