/* The envelope: a request becomes an event line.
 *
 * The body stays as it is, byte for byte. Of the header all fields are kept in
 * dpphdr but those of the connection (RFC 9110 section 7.6.1), those that
 * became attributes, and those that hold secrets: Authorization, Cookie, the
 * signature, and every name with "token", "secret", "signature", "password",
 * "authorization" or "api-key" in it. */
#ifndef CONNECTOR_ENVELOPE_H
#define CONNECTOR_ENVELOPE_H

#include "http/message.h"

struct connector;

/* Working memory, used again for each request. */
struct envelope {
    struct buf header;
    struct buf id;
    struct buf type;
    struct buf key;
    struct buf subject;
};

void envelope_init(struct envelope *);
void envelope_release(struct envelope *);

/* Append the event line (without line end). connector may be NULL: type
 * dpp.http, the path as subject. source overrides the connector's (NULL: does
 * not). *key is the partition key (p == NULL: none), valid until the next
 * call. An id that is missing or no text becomes a UUIDv7; a missing type
 * becomes "unknown". */
void envelope_write(struct envelope *, const struct connector *,
                    const char *source, const struct http_message *,
                    struct buf *line, struct slice *key);

#endif
