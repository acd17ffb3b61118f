/* Printing what a program made of a value, over the text that the value came
 * from: what is still equal keeps its bytes, so that a number that nobody
 * touched is never rewritten through a double. */
#ifndef JQ_OVER_H
#define JQ_OVER_H

#include "jq/value.h"

/* Where a result is printed to. */
struct over {
    struct buf *out;
    struct value_keys *keys;
    bool compact; /* the old text may hold line ends: print it without blanks */
};

/* Append `now`, which was `old`, which was built from the valid text raw. Both
 * stay the caller's. Members of an object stay in their order, new ones follow.
 * 1: nothing has changed, raw was copied; 0: changed; -1: nested too deep. */
int over_print(const struct over *, jv now, jv old, struct slice raw);

/* Append valid text without the blanks between its tokens. */
void over_compact(struct buf *out, struct slice raw);

#endif
