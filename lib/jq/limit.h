/* Limits on a jq program, which can loop for ever and build gigabytes, and
 * which libjq cannot interrupt: the process ends instead, with one line that
 * names the event, and status 70, a bug: of the program that it runs. What was
 * not passed on comes again, and the supervisor isolates an event that does it
 * every time.
 *
 * Time is processor time, so that a busy or suspended machine is no reason.
 * There is one pair of limits in a process. */
#ifndef JQ_LIMIT_H
#define JQ_LIMIT_H

#include <stdint.h>

#include "base/buf.h"

struct err;

/* For one event: milliseconds (0: no limit); for the process: bytes of address
 * space (0: no limit). */
int limit_open(uint64_t cpu_ms, uint64_t bytes, struct err *);

/* An event's work begins and ends; id is its raw text, for the message. */
void limit_enter(struct slice id);
void limit_leave(void);

/* For libjq to call when memory is out; does not return. */
void limit_no_memory(void *unused);

#endif
