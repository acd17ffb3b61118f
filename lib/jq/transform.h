/* A jq program over event lines: the only door to libjq.
 *
 * The program sees an event as an object. A JSON body is .data also where the
 * line carries it in data_base64 (pretty-printed bodies travel so). Each output
 * is an event: what the program left equal keeps its bytes, whatever else is in
 * the event. A null attribute is left out. Outputs 2, 3 … that still have the
 * id of the event get ID#2, ID#3 ….
 *
 * Programs are trusted code, but they see nothing of their surroundings: $ENV
 * and env are empty, input and inputs fail, ~/.jq is not read. Files come in by
 * include and import only, when the program is compiled. */
#ifndef JQ_TRANSFORM_H
#define JQ_TRANSFORM_H

#include "base/opt.h"
#include "record/event.h"

struct transform;

struct transform_options {
    const char *program; /* its text */
    const char *file;    /* or where it is; NULL */
    struct opt_list arg; /* name and text, by turns */
    struct opt_list argjson;
    struct opt_list folders; /* for include and import, searched in order */
};

enum transform_outcome {
    TRANSFORM_PASS,  /* the event as it came */
    TRANSFORM_LINES, /* what is in out, lines with line ends; may be empty */
    TRANSFORM_DEAD,  /* the reason is in out */
};

enum { TRANSFORM_OUT_MAX = 64 * 1024 * 1024 };

/* Compiles. NULL with STATUS_USAGE and FILE:LINE, or the line of the program.
 * Where a program needs no libjq at all it is not started. */
struct transform *transform_new(const struct transform_options *, struct err *);
void transform_free(struct transform *);

/* out is cleared first. */
enum transform_outcome transform_event(struct transform *, const struct event *,
                                       struct buf *out);

#endif
