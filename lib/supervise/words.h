/* The words that make a segment: stages with "!" or "|" between them.
 *
 * On the command line the shell has cut the words. A file is cut here as a
 * shell would cut it: blanks and line ends, 'quotes', "quotes", backslashes and
 * # comments, and nothing else. What a shell would act on when unquoted
 * ($ ; & < > ( ) * and the backquote) is refused with its place in the file:
 * no word ever means anything but itself. */
#ifndef SUPERVISE_WORDS_H
#define SUPERVISE_WORDS_H

#include "base/buf.h"

struct err;

enum { WORDS_MAX = 10000, WORDS_STAGES = 64, WORDS_FILE_MAX = 1 << 20 };

/* argv of each stage, NULL behind the last word, as execv(3) takes it. */
struct words {
    char ***stage;
    size_t n;
};

void words_release(struct words *);

/* Copies. STATUS_USAGE: an empty stage, too many. */
int words_from_argv(struct words *, int argc, char **argv, struct err *);

/* The text of a file; name is for messages: "NAME:LINE:COLUMN: …". */
int words_from_text(struct words *, const char *name, struct slice text,
                    struct err *);

/* The same, read from path. */
int words_from_file(struct words *, const char *path, struct err *);

#endif
