/* An HTTP/1.1 server: one request in flight per connection, answers whenever
 * the handler has them.
 *
 * Limits come first: size of head and body (http/parse.h), 10 s for a head,
 * 1 KiB/s for a body, connections, bytes of all requests in flight. What does
 * not keep them gets a uniform answer of less than 200 bytes and the connection
 * ends. Everything runs in loop_wait(). */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/message.h"

struct err;
struct loop;
struct http_server;
struct http_exchange;

struct http_server_conf {
    uint64_t max_body;     /* bytes, below 2^31 */
    uint64_t max_inflight; /* bytes of requests, over all connections */
    unsigned max_connections;
    unsigned head_ms;     /* for the head of a request */
    unsigned idle_ms;     /* between requests */
    unsigned retry_after; /* seconds, with 429 and 503 */

    /* The request is complete. Answer it now or later, but once. */
    void (*handle)(void *arg, struct http_exchange *);
    void *arg;
};

/* The defaults; handle is to be set. */
void http_server_conf_init(struct http_server_conf *);

struct http_server *http_server_new(struct loop *,
                                    const struct http_server_conf *);

/* Requests that wait for an answer are gone with it. */
void http_server_free(struct http_server *);

/* "HOST:PORT", "[IPv6]:PORT", ":PORT" (all addresses), "fd:N" (a socket that
 * listens already). Port 0 is one that is free. 64 not understood, 69 unknown
 * host, 71 in use, 77 not allowed. */
int http_server_listen(struct http_server *, const char *address, struct err *);

/* Begin to accept; until then connections wait in the kernel's queue. */
void http_server_start(struct http_server *);

/* The last listener, as "127.0.0.1:8080". */
void http_server_address(const struct http_server *, struct buf *);

/* Stop accepting; answers carry Connection: close; idle ones end now. */
void http_server_drain(struct http_server *);

/* Connections with a request or an answer under way. */
unsigned http_server_busy(const struct http_server *);

/* --- an exchange: a request that waits for its answer -------------------- */

struct http_exchange {
    void *data; /* the handler's */
};

/* The request; its slices are valid until it is answered, room holds the
 * fields. */
void http_exchange_message(const struct http_exchange *,
                           struct http_field room[HTTP_FIELDS_MAX],
                           struct http_message *);

/* Append the peer's address, without port. */
void http_exchange_peer(const struct http_exchange *, struct buf *);

/* Answer, once; the exchange is gone with it. Works as well when the client
 * has gone. An empty body of an error becomes its reason. Fields that are no
 * valid HTTP are left out. 429 and 503 carry Retry-After. */
void http_respond(struct http_exchange *, unsigned status,
                  const struct http_field *, size_t fields, struct slice body);

/* The reason phrase of a status. */
const char *http_reason(unsigned status);

#endif
