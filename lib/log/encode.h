/* A batch, but for its place. */
#ifndef LOG_ENCODE_H
#define LOG_ENCODE_H

#include "log/shared.h"

/* Into out, under the topic's first key if it has any. 65 for a name or a
 * position that is none, or too much of them all. */
int encode(struct buf *out, const struct shared *, const struct log_entry *,
           size_t n, struct slice name, struct slice pos, struct err *);

#endif
