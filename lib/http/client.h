/* HTTP requests, many at a time: the only door to libcurl.
 *
 * A client has a fixed number of slots, each with a connection that is kept.
 * Redirects are never followed; proxies, netrc and cookies do not exist; http
 * and https only, TLS 1.2 at least and always verified; HTTP/1.1. Of an answer
 * the first 64 KiB of the body are kept, at 1 MiB it is cut off, and so it is
 * at 256 header lines.
 *
 * Single-threaded, no signals, nothing blocks but http_client_wait(). */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct err;
struct http_client;

enum {
    HTTP_HEADERS = 64,            /* lines of a request */
    HTTP_ANSWER_KEEP = 64 * 1024, /* bytes of an answer's body */
    HTTP_ANSWER_MAX = 1024 * 1024,
    HTTP_ANSWER_HEADERS = 256,
};

/* All memory stays the caller's and must live until the answer has come or the
 * request is cancelled. Header lines as "Name: value"; "Name;" sends it with
 * an empty value; "Name:" takes one of the client's own away. */
struct http_request {
    const char *method;
    const char *url;
    const char *const *header;
    size_t headers;
    struct slice body;
    void *tag;
};

enum http_failure {
    HTTP_ANSWERED,    /* status holds */
    HTTP_UNREACHABLE, /* no connection: name, refused, TLS */
    HTTP_BROKEN,      /* reset, timeout, or no HTTP: it may have arrived */
    HTTP_UNSENDABLE,  /* the request is no request (a URL that is none) */
};

struct http_answer {
    void *tag;
    enum http_failure failure;
    int status;        /* 100 to 999; 0 if none came */
    struct slice body; /* until the next call */
    const char *why;   /* of a failure: one line */
    uint64_t sent_us;  /* clock_mono_us() when it was started */
    size_t slot;
};

/* timeout_ms: of one request in all. STATUS_SYSTEM. */
struct http_client *http_client_new(size_t slots, uint64_t timeout_ms,
                                    struct err *);
void http_client_free(struct http_client *);

size_t http_client_busy(const struct http_client *);

/* Only while a slot is free (busy < slots). It leaves with the next _run(). */
void http_client_send(struct http_client *, const struct http_request *);

/* Move what can move; then take the answers. */
int http_client_run(struct http_client *, struct err *);

/* The next answer: true, or false when there is none now. */
bool http_client_next(struct http_client *, struct http_answer *);

/* A header of the answer that came last (its last line, if there are more), or
 * NULL; until the next call. */
const char *http_client_header(struct http_client *, const char *name);

/* Drop the request with this tag; its connection is closed. */
void http_client_cancel(struct http_client *, const void *tag);

/* poll(2) over these descriptors (those below 0 are passed over) and the
 * client's own sockets. -1 with errno. */
int http_client_wait(struct http_client *, struct pollfd *, size_t n,
                     int timeout_ms);

/* http or https, with a host, without user and password. STATUS_USAGE. The
 * text is not repeated in the error if it may hold a password. */
int http_url_check(const char *url, struct err *);

#endif
