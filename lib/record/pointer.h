/* JSON Pointer (RFC 6901) through objects, without a tree. */
#ifndef RECORD_POINTER_H
#define RECORD_POINTER_H

#include "base/buf.h"

/* "" or "/a/b"; ~0 and ~1 stand for '~' and '/'. */
bool json_pointer_valid(const char *pointer);

/* The value as it stands in the text; p == NULL where there is none, where the
 * way leads through something that is no object, or where an object on the way
 * is no valid JSON. Of a name that comes twice the last one counts. */
struct slice json_pointer(struct slice text, const char *pointer);

/* Append the value if it is a string (decoded), a number or a truth value (as
 * it stands); false for anything else. */
bool json_scalar(struct buf *, struct slice value);

#endif
