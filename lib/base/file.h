/* Files and folders. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct err;

/* Append a whole file (or pipe) of at most max bytes to out. */
int file_read(const char *path, size_t max, struct buf *out, struct err *);

/* The same of what is open; the name is for errors. */
int fd_read(int fd, const char *name, size_t max, struct buf *out,
            struct err *);

/* Replace path by these bytes: temporary file, fsync, rename, fsync of the
 * folder. After a crash there is the old content or the new. */
int file_replace(const char *path, const void *, size_t n, mode_t,
                 struct err *);

/* Make a folder and the missing ones above it (mode 0700); an existing one is
 * fine. The entries are synced. */
int dir_make(const char *path, struct err *);
int dir_sync(const char *path, struct err *);

/* All n bytes, through interruptions and short writes; -1 with errno set. */
int fd_write(int fd, const void *, size_t n);
int fd_pwrite(int fd, const void *, size_t n, off_t at);

/* Whoever starts us may have closed 0, 1 or 2; the next file opened would get
 * that number and be taken for a stream. A closed one becomes /dev/null, in
 * the direction that fails when it is used. */
int fd_hold_standard(struct err *);

/* Where dpp keeps its state: $STATE_DIRECTORY, else $XDG_STATE_HOME/dpp, else
 * ~/.local/state/dpp. Caller frees. */
char *state_dir(void);

#endif
