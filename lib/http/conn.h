/* The connections of a server. Private to lib/http. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>

#include "http/server.h"

enum conn_state {
    CONN_IDLE,    /* between requests */
    CONN_READING, /* a request has begun */
    CONN_WAITING, /* the handler has it */
    CONN_WRITING, /* the answer does not fit into the socket */
    CONN_LINGER,  /* all is said; the client's last bytes are read over */
};

enum { CONN_SCRATCH = 65536 };

struct conn {
    TAILQ_ENTRY(conn) link; /* in idle (oldest first) or busy */
    struct http_server *server;
    int fd;
    enum conn_state state;
    bool readable;    /* the edge was seen, and not all was read */
    bool half_closed; /* the client sends no more */
    bool dead;        /* to be freed by whoever is working on it */
    bool working;     /* inside conn_work() */
    bool close;       /* after the answer */
    bool used;        /* a request was answered */
    uint64_t since;   /* µs: of the state, or of the last progress */
    uint64_t window;  /* bytes of body when the rate was looked at last */
    size_t counted;   /* of in.n, in server->inflight */
    struct event read_event;
    struct event write_event;
    struct buf in;   /* of the parser */
    struct buf rest; /* read already: bytes of the next requests */
    size_t rest_at;
    struct buf out; /* unsent bytes of the answer */
    size_t sent;
    struct http_parser parser;
    struct http_exchange exchange;
    struct sockaddr_in6 peer; /* or a sockaddr_in in it */
};

TAILQ_HEAD(conn_list, conn);

struct http_server {
    struct http_server_conf conf;
    struct event_base *base;
    struct event *listener;
    struct event *retry; /* accepting again after a shortage */
    struct event *tick;
    int fd;
    bool draining;
    bool ticking;
    bool working;           /* inside conn_work(): scratch is in use */
    uint64_t short_told_us; /* when a shortage was told last */
    unsigned open;
    uint64_t inflight;
    struct conn_list idle;
    struct conn_list busy;
    uint64_t date_s;
    char date[40];
    struct buf head; /* an answer is built here */
    char scratch[CONN_SCRATCH];
};

/* Takes over fd. */
void conn_open(struct http_server *, int fd, const struct sockaddr_in6 *peer);
void conn_close(struct conn *);

/* Called each half second: what has been silent for too long ends. */
void conn_check(struct conn *, uint64_t now_us);

/* After a connection was closed. */
void server_room(struct http_server *);

/* Builds head and body of an answer in server->head. */
void answer_build(struct http_server *, const struct conn *, unsigned status,
                  const struct http_field *, size_t fields, struct slice body);

#endif
