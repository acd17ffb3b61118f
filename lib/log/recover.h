/* What the first opener of a topic does after a boot, a crash of the machine,
 * or when the shared state is lost. */
#ifndef LOG_RECOVER_H
#define LOG_RECOVER_H

#include <stdbool.h>

struct err;
struct shared;

/* Is the state another boot's, damaged, or about other files? Alone only. */
bool recover_needed(const struct shared *);

/* Proves every byte of the last segment, cuts a torn tail (one line on standard
 * error), and makes the state anew. Alone only. 74 with file and byte where
 * something is damaged that was durable. */
int recover(struct shared *, struct err *);

#endif
