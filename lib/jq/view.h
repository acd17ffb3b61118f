/* An event line as a program sees it, and what it made of it as a line again.
 */
#ifndef JQ_VIEW_H
#define JQ_VIEW_H

#include "jq/value.h"
#include "record/event.h"

/* A member of the line. */
struct view_member {
    struct slice name; /* as it stands, without quotes */
    struct slice raw;
    jv key; /* what the program sees: */
    jv value;
};

struct view {
    const struct event *ev;
    jv whole; /* what the program sees */
    struct view_member *member;
    size_t n;
    size_t cap;
    struct value_keys keys;
    struct buf body;       /* decoded data_base64 that is seen as .data */
    size_t decoded;        /* which member that is; n: none */
    bool twice;            /* a name comes twice */
    unsigned outputs;      /* printed so far */
    unsigned same_id;      /* those among them that kept source and id */
    bool envelope_changed; /* by the output under way */
};

void view_init(struct view *);
void view_release(struct view *);

/* The event must stay until view_close(). -1: nested deeper than VALUE_DEPTH,
 * nothing to close. */
int view_open(struct view *, const struct event *);
void view_close(struct view *);

/* Append one output as a line, with its line end; it stays the caller's. -1
 * with the reason appended to why: it is no event. */
int view_print(struct view *, jv output, struct buf *out, struct buf *why);

#endif
