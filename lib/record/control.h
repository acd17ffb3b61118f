/* The six control lines of the stage protocol; dpp-stage(7) is the law.
 *
 * A control line is a JSON object whose first member name is "dpp". Filters may
 * reprint it: members in order, blanks anywhere. */
#ifndef RECORD_CONTROL_H
#define RECORD_CONTROL_H

#include <stdint.h>

#include "base/buf.h"

struct err;

enum control_kind {
    CONTROL_HELLO,
    CONTROL_MARK,
    CONTROL_DEAD,
    CONTROL_END,
    CONTROL_HI,
    CONTROL_RECEIPT,
};

/* Counters that travel with a mark, or since hello in a receipt. net alone may
 * be negative: what only a foreign filter can have caused. */
struct control_counts {
    uint64_t ok;
    uint64_t dead;
    uint64_t deferred;
    uint64_t dropped;
    uint64_t born;
    int64_t net;
};

enum { CONTROL_RUN = 32, CONTROL_BACK_MAX = 100, CONTROL_NAME_MAX = 200 };

/* Slices are decoded text without quotes, borrowed from the line (no member of
 * ours needs an escape; one that has any is refused), but for event and why. */
struct control {
    enum control_kind kind;
    struct slice run;
    struct slice name;
    struct slice keys; /* hello: the position keys this run will move */
    struct slice back;
    struct slice pos;
    uint64_t v;
    uint64_t seq; /* mark: seq, receipt: upto */
    uint64_t n;   /* mark: lines since the last one, dead ones included */
    struct control_counts counts;
    struct slice why;   /* dead: JSON string as it stands */
    struct slice event; /* dead: JSON object as it stands */
};

/* Cheap: looks at the first bytes only. */
bool control_is(struct slice line);

/* A line for which control_is() holds. STATUS_STREAM if it breaks the law. */
int control_parse(struct control *, struct slice line, struct err *);

/* Append the line with its line end. */
void control_write(struct buf *, const struct control *);

#endif
