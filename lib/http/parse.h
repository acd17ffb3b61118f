/* A strict, incremental parser of HTTP/1.1 requests (RFC 9112). No I/O.
 *
 * Bytes are fed as they come, in pieces of any size; how they are cut changes
 * nothing. What must be kept (the head, the decoded body) is copied to a
 * buffer of the caller; nothing else is allocated. Whatever could be read in
 * two ways is refused: the parser never guesses, so nobody in front of it or
 * behind it can see other requests than it does. */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <strings.h>

#include "base/buf.h"

enum {
    HTTP_HEAD_MAX = 16384, /* request line, fields and trailers, bytes */
    HTTP_FIELDS_MAX = 64,
    HTTP_TARGET_MAX = 4096,
    HTTP_METHOD_MAX = 24,
    HTTP_EXTENSION_MAX = 4096, /* chunk extensions of a request, in all */
};

struct http_field {
    struct slice name;
    struct slice value; /* without blanks at its ends */
};

enum http_parse {
    HTTP_PARSE_MORE, /* all was taken, the request goes on */
    HTTP_PARSE_HEAD, /* once, if a body follows: the head is complete */
    HTTP_PARSE_DONE, /* what was not taken belongs to the next request */
    HTTP_PARSE_BAD,  /* answer `status`, close; the parser is done for */
};

struct http_span {
    uint32_t at;
    uint32_t n;
};

struct http_parser {
    struct buf *buf;   /* the caller's: head, then body */
    uint64_t max_body; /* larger ones are 413; below 2^31 */
    uint8_t state;
    uint8_t fields;
    uint8_t trailers; /* counted, checked and thrown away */
    bool v10;         /* HTTP/1.0 */
    bool close;       /* the connection ends with this request */
    bool expect;      /* wants 100 Continue before it sends its body */
    bool chunked;
    bool has_length;
    bool has_host;
    bool empty_line; /* one was skipped */
    bool tab;        /* beside the value under way */
    uint16_t digits; /* of the chunk size; of the version */
    uint16_t extension;
    uint32_t head;    /* bytes of head and trailers taken so far */
    uint32_t mark;    /* where in buf the current element begins */
    uint32_t body_at; /* where in buf the body begins */
    size_t body_n;    /* decoded bytes of it so far */
    uint64_t left;    /* of the body, or of the chunk */
    struct http_span method;
    struct http_span target;
    struct http_span name;
    struct http_span field[HTTP_FIELDS_MAX][2];
    uint16_t status; /* of a refusal */
    const char *why; /* of a refusal, static */
};

/* Ready for a request whose bytes go to buf (cleared). */
void http_parser_init(struct http_parser *, struct buf *, uint64_t max_body);

/* *used: how many of the n bytes were taken; all of them with MORE. */
enum http_parse http_parser_feed(struct http_parser *, const char *p, size_t n,
                                 size_t *used);

/* True once the first byte of a request was seen. */
bool http_parser_started(const struct http_parser *);

/* From HEAD or DONE on. Slices of the buffer, valid until it changes. */
struct slice http_parser_method(const struct http_parser *);
struct slice http_parser_path(const struct http_parser *);
struct slice http_parser_query(const struct http_parser *); /* without '?' */
void http_parser_field(const struct http_parser *, unsigned i,
                       struct http_field *);

/* After DONE. */
struct slice http_parser_body(const struct http_parser *);

/* Name of a field, whatever its case. */
static inline bool http_name_is(struct slice name, struct slice lower)
{
    return name.n == lower.n && strncasecmp(name.p, lower.p, lower.n) == 0;
}

/* The bytes a token (RFC 9110 section 5.6.2) and a field's value may have. */
bool http_token_valid(struct slice);
bool http_value_valid(struct slice);

#endif
