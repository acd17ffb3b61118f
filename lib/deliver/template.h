/* Text with places to fill: "https://example.org/users/{data.user.id}".
 *
 * A place names a member of the event ("{subject}") or of its JSON body
 * ("{data.a.b}"); "{secret}" is the secret of -k, in headers only, and
 * "{secret.base64}" the same in base 64. "{{" and "}}" are braces. Strings come
 * decoded, numbers and booleans as they stand; what is missing, null, an array
 * or an object cannot fill a place, and a control character never gets in: the
 * event is at fault then, not we. */
#ifndef DELIVER_TEMPLATE_H
#define DELIVER_TEMPLATE_H

#include <stdbool.h>

#include "base/buf.h"

struct err;
struct event;

enum { TEMPLATE_DEPTH = 16 };

enum template_use {
    TEMPLATE_URL,    /* values are percent-encoded, and never empty */
    TEMPLATE_HEADER, /* values as they are */
};

struct template_piece {
    struct slice literal; /* p == NULL: a place */
    bool secret;
    bool encoded; /* the secret, in base 64 */
    struct slice path[TEMPLATE_DEPTH];
    size_t depth;
};

struct template
{
    struct template_piece *piece;
    size_t n;
    char *text; /* the literals point into it */
    bool has_places;
    bool has_secret;
};

/* STATUS_USAGE. */
int template_parse(struct template *, const char *text, enum template_use,
                   struct err *);
void template_release(struct template *);

/* Append the text. scratch is for the decoded body and may be shared; -1 with
 * the reason (of a dead letter) in the error's text. */
int template_fill(const struct template *, enum template_use,
                  const struct event *, struct slice secret,
                  struct buf *scratch, struct buf *out, struct err *);

/* Append text percent-encoded: all but letters, digits and "-._~". */
void template_percent(struct buf *, struct slice text);

#endif
