/* A compiled jq program. */
#ifndef JQ_PROGRAM_H
#define JQ_PROGRAM_H

#include <jv.h>

#include "jq/transform.h"

struct program;

struct program *program_new(const struct transform_options *, struct slice text,
                            struct err *);
void program_free(struct program *);

/* Begin with an input, which is taken over; then the outputs, one by one: 1
 * and a value that the caller frees, 0 at the end, -1 with the reason appended
 * to why. */
void program_start(struct program *, jv input);
int program_next(struct program *, jv *output, struct buf *why);

#endif
