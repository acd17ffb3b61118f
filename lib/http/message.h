/* A request as it came, in slices of memory that belongs to somebody else. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "http/parse.h"

struct http_message {
    struct slice method;
    struct slice path;
    struct slice query;
    struct slice body;
    const struct http_field *field;
    unsigned fields;
};

/* From a parser that said DONE; room holds the fields. */
void http_message_of(struct http_message *, const struct http_parser *,
                     struct http_field room[HTTP_FIELDS_MAX]);

/* How often a field of this name (any case) comes, and the first's value. */
unsigned http_message_find(const struct http_message *, const char *name,
                           struct slice *value);

#endif
