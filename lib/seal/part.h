/* For the parts of the sealer. */
#ifndef SEAL_PART_H
#define SEAL_PART_H

#include "seal/envelope.h"
#include "seal/path.h"
#include "seal/sealer.h"
#include "vault/ring.h"

#define SEAL_TYPE "application/vnd.dpp.sealed"

struct seal_rule {
    char *ref;
    struct path path; /* n == 0: the whole data */
    struct ring *ring;
};

struct sealer {
    struct seal_rule *seal;
    size_t seals;
    struct seal_rule *open;
    size_t opens;
    enum { SEAL_ERASE, SEAL_DEAD, SEAL_PASS } forgotten;
    struct err *e;               /* of the call under way */
    bool failed;                 /* and it is set */
    struct envelope_place place; /* of the event under way */
    struct buf text;             /* what place points into, if not the line */
    struct buf ad;
    struct buf sealed;    /* the bytes of a piece */
    struct buf plain;     /* what was in it */
    struct buf body;      /* the data, where the line has it in base 64 */
    struct buf fields[2]; /* the data with fields sealed or opened */
    struct buf pointer;   /* to a field */
    struct buf line[2];   /* an event that was opened, and once more */
    struct buf why;       /* an event is dead */
};

/* The event under way. */
void seal_enter(struct sealer *, const struct event *);

/* Begin a piece in s->sealed: append what is to be sealed, then end it. Its
 * bytes are in s->sealed then. -1: s->why or *s->e says why not. */
struct seal_piece {
    const struct ring_key *key;
    size_t head; /* of the envelope, what is bound */
    size_t from; /* where the sealed bytes begin */
};
int seal_begin(struct sealer *, const struct seal_rule *, struct seal_piece *);
void seal_end(struct sealer *, const struct seal_piece *, struct slice path);

enum seal_opened {
    SEAL_NOT_OURS, /* no envelope, or of a key that is not ours to open */
    SEAL_OPENED,
    SEAL_REFUSED, /* the reason is in s->why */
    SEAL_FORGOTTEN,
    SEAL_FAILED, /* *s->e */
};

/* The piece whose bytes are in s->sealed; what was sealed into *plain, which
 * points to s->plain. */
enum seal_opened seal_open_piece(struct sealer *, struct slice path,
                                 struct slice *plain);

/* Are these the bytes of a piece under the rule's key? */
bool seal_is_under(const struct seal_rule *, struct slice bytes);

/* Text that can stand in a line: JSON, on one line. */
bool seal_is_line(struct slice json);

/* Is the data as a whole a sealed piece? Its bytes are in s->sealed then. */
bool seal_take_whole(struct sealer *, const struct event *);

/* The whole payload; fields of it. out is empty. */
enum sealer_outcome seal_whole(struct sealer *, const struct seal_rule *,
                               const struct event *, struct buf *out);
enum sealer_outcome seal_open_whole(struct sealer *, const struct event *,
                                    struct buf *out);
enum sealer_outcome seal_fields(struct sealer *, const struct event *,
                                struct buf *out);
enum sealer_outcome seal_open_fields(struct sealer *, const struct event *,
                                     struct buf *out);

#endif
