/* Kept headers: the text of dpphdr (dpp-stage(7)), one header to a line.
 *
 *     Name: value        text: UTF-8 without control characters
 *     Name:: base64      any other bytes
 *     Name               a null value, which only records of a broker have
 *     :base64: value     a name that is empty, no text or has a colon in it
 *     : 3                no header: the next 3 attributes of the event stood
 *                        here; matters only where their order does
 *
 * Whatever names and values are written come back as they were. */
#ifndef RECORD_HEADER_H
#define RECORD_HEADER_H

#include "base/buf.h"

/* value.p == NULL is a null value; an empty one has a p. */
struct header {
    struct slice name;
    struct slice value;
};

/* UTF-8 without control characters. */
bool header_is_text(struct slice);

/* Append a line; a line end goes before it if the buffer is not empty. */
void header_put(struct buf *, const struct header *);
void header_put_mark(struct buf *, size_t attributes);

/* Takes the first line off the text: 1 a header, 2 a mark, 0 none is left.
 * Slices point into the text, or to what was base 64 and is appended to room.
 * A line that is none of those above is a header with a null value and that
 * line as its name: nothing is lost. */
int header_next(struct slice *text, struct buf *room, struct header *,
                size_t *attributes);

#endif
