/* Readiness and status for whoever supervises: the datagrams of sd_notify(3)
 * to $NOTIFY_SOCKET, and a newline on --ready-fd. */
#ifndef STAGE_NOTIFY_H
#define STAGE_NOTIFY_H

#include "base/buf.h"

/* A socket holds few datagrams that nobody has read yet (10 on Linux). What is
 * said once waits for room, a second at most, for a reader that lags behind a
 * busy machine; what is said again in a moment is dropped. */
enum notify_patience { NOTIFY_ONCE, NOTIFY_OFTEN };

/* To a Unix datagram socket, by path or "@abstract". */
void notify_datagram(const char *address, struct slice text,
                     enum notify_patience);

/* "READY=1", "STATUS=…", "X_DPP_POS=…"; nothing without $NOTIFY_SOCKET. */
void notify_send(enum notify_patience, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes and closes; fd -1 does nothing. */
void notify_ready_fd(int fd);

#endif
