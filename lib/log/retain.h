/* Retention: whole segments, oldest first, never the present one, and never
 * one that a live group has not read. */
#ifndef LOG_RETAIN_H
#define LOG_RETAIN_H

struct shared;

/* Deletes what may go. What cannot be told or deleted stays: not an error. */
void retain(struct shared *);

#endif
