/* Readiness and status for whoever supervises: the datagrams of sd_notify(3)
 * to $NOTIFY_SOCKET, and a newline on --ready-fd. */
#ifndef STAGE_NOTIFY_H
#define STAGE_NOTIFY_H

#include "base/buf.h"

/* To a Unix datagram socket, by path or "@abstract". Never blocks. */
void notify_datagram(const char *address, struct slice text);

/* "READY=1", "STATUS=…", "X_DPP_POS=…"; nothing without $NOTIFY_SOCKET. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Writes and closes; fd -1 does nothing. */
void notify_ready_fd(int fd);

#endif
