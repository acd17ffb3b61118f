/* A position: where a source goes on, as one string (dpp-stage(7)).
 *
 *     github/0:105@1.9f3ac1d2 github/1:99@1.9f3ac1d2 sum:7489a197
 *
 * Blank-separated key:value pairs of printable ASCII without '"' and '\'; a
 * key ends at the first ':'. The last pair is always "sum", the CRC-32C of the
 * text before it (without the blank). An empty string is "no position".
 * Updates merge by key, so that the members of a group share one name. */
#ifndef RECORD_POS_H
#define RECORD_POS_H

#include "base/buf.h"

struct err;

/* A cursor may be 4 KiB; a group of many partitions may need more. */
enum { POS_MAX = 65536 };

/* Build: pos_put() pairs in a cleared buffer, then pos_seal() once. */
void pos_put(struct buf *, struct slice key, struct slice value);
void pos_seal(struct buf *);

/* STATUS_STREAM ("changed on its way") unless it is empty or well-formed with
 * a right sum. */
int pos_check(struct slice pos, struct err *);

/* Walk the pairs of a checked position without its sum: start with *rest = the
 * position; false at the end. Works on a list of bare keys as well, with
 * empty values. */
bool pos_next(struct slice *rest, struct slice *key, struct slice *value);

/* The value of a key, or a slice with p == NULL. */
struct slice pos_find(struct slice pos, struct slice key);

/* Replace in `into` (sealed or empty) each pair whose key is in `newer`
 * (checked), append the new ones, seal it again. */
void pos_merge(struct buf *into, struct slice newer);

#endif
