/* What the parts of a request's head mean for its framing: the rules of
 * http/parse.h that look at whole elements. Private to the parser.
 *
 * All return 0, or -1 with p->status and p->why set. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "http/parse.h"

extern const uint8_t http_byte_class[256];

enum {
    BYTE_TOKEN = 1,
    BYTE_VALUE = 2, /* visible, obs-text, blank, tab */
    BYTE_TARGET = 4,
    BYTE_HEX = 8,
    BYTE_QUOTED = 16, /* qdtext: a value without '"' and '\' */
};

static inline bool byte_is(char c, int class)
{
    return (http_byte_class[(unsigned char)c] & class) != 0;
}

/* The value of a hexadecimal digit. */
static inline unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

int http_refuse(struct http_parser *, unsigned status, const char *why);

int http_check_target(struct http_parser *);

/* The field that was read last. */
int http_check_field(struct http_parser *, struct slice name,
                     struct slice value);

/* A trailer of this name: it may not look like framing. */
int http_check_trailer(struct http_parser *, struct slice name);

/* The head as a whole, when it is complete. */
int http_check_head(struct http_parser *);

#endif
