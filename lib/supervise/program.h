/* Where a stage's program is. */
#ifndef SUPERVISE_PROGRAM_H
#define SUPERVISE_PROGRAM_H

#include <stdbool.h>

struct err;

/* True for dpp's own programs: the last part of the name begins with "dpp-". */
bool program_is_ours(const char *name);

/* A name with a slash is a path; one of ours is looked for beside the program
 * that runs, then all in $PATH. Caller frees. STATUS_USAGE. */
char *program_find(const char *name, struct err *);

#endif
