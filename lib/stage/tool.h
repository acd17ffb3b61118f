/* The skeleton of a tool: no stream, just options and verbs. */
#ifndef STAGE_TOOL_H
#define STAGE_TOOL_H

#include "base/opt.h"

struct err;

struct tool {
    const char *name;
    const char *synopsis;
    const char *about;
    const struct opt *options;
};

/* Reads -q -v -h -V and the tool's options. The index of the first operand,
 * 0 when all is done (-h, -V), -1. */
int tool_begin(const struct tool *, int argc, char **argv, struct err *);

/* Says the error (rc < 0), checks standard output, returns the status. */
int tool_end(int rc, struct err *);

#endif
