/* Listening sockets, and the names of addresses. */
#ifndef HTTP_SOCKET_H
#define HTTP_SOCKET_H

#include <netinet/in.h>

#include "base/buf.h"

struct err;

/* A socket that listens, as http_server_listen() describes it. TCP_NODELAY is
 * set on it, and so on every connection that it accepts: without, an answer
 * waits for the client's delayed ACK. */
int socket_listen(const char *address, struct err *);

/* Append "127.0.0.1:8080" or "[::1]:8080". */
void socket_name(int fd, struct buf *);

/* Append the address of a peer, of either family, without port. */
void socket_peer(const struct sockaddr_in6 *, struct buf *);

#endif
