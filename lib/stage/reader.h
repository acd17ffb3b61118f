/* Who reads a pipe: for the sentence that names the culprit. */
#ifndef STAGE_READER_H
#define STAGE_READER_H

enum { READER_NAME = 64 };

/* "\"wc\" (pid 4711)", or "the reader of standard output" where it cannot be
 * found out (another user's process). */
void reader_name(int fd, char out[READER_NAME]);

#endif
