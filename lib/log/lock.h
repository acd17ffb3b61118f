/* Byte-range locks of open file descriptions (F_OFD_*): they end with the
 * descriptor, so that the death of a process frees them at once, and they do
 * not belong to the process, so that two objects in one process exclude each
 * other as well. */
#ifndef LOG_LOCK_H
#define LOG_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct err;

enum lock_kind { LOCK_SHARED, LOCK_EXCLUSIVE };

/* Opens (and makes) a lock file, mode 0600, close-on-exec. */
int lock_open(const char *path, struct err *);

/* 0, or -1 with errno set. Waits. Changes the kind of a lock already held. */
int lock_take(int fd, uint64_t byte, enum lock_kind);

/* The same, exclusive, for a lock that others hold for microseconds: tries for
 * a moment before it sleeps, because sleeping and being woken costs more than
 * they need. */
int lock_take_brief(int fd, uint64_t byte);

/* 1 taken, 0 another has it, -1 with errno set. */
int lock_try(int fd, uint64_t byte, uint64_t n, enum lock_kind);
void lock_drop(int fd, uint64_t byte, uint64_t n);

/* The first byte in [from, from + n) that another holds, or UINT64_MAX. */
uint64_t lock_find(int fd, uint64_t from, uint64_t n);

#endif
