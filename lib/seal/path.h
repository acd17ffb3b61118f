/* The place of fields in the data, written as jq writes it:
 *
 *     .data.user.email     .data["e-mail"]     .data.tags[0]     .data.rows[].x
 *
 * Names, indices and [] for all that is there; no more of jq's language, so
 * that a place is looked up in the text without a tree. */
#ifndef SEAL_PATH_H
#define SEAL_PATH_H

#include "base/buf.h"

struct err;

enum { PATH_STEPS = 32 };

struct path_step {
    enum { PATH_NAME, PATH_INDEX, PATH_EACH } kind;
    struct buf name; /* decoded */
    size_t index;
};

struct path {
    char *text;
    struct path_step step[PATH_STEPS];
    size_t n;
};

/* Release it in either case. 64. */
int path_parse(struct path *, const char *text, struct err *);
void path_release(struct path *);

/* Walks what is inside an object or an array, in valid text. */
struct path_walk {
    const char *p;
    const char *end;
    bool object;
    size_t index; /* of the item that came last */
};

/* False if the value is neither. */
bool path_walk_init(struct path_walk *, struct slice value);

/* The name comes as it stands, with its quotes; an element has none. */
bool path_walk_next(struct path_walk *, struct slice *name,
                    struct slice *value);

/* Append "/name", as a JSON Pointer has it, of a name as it stands with its
 * quotes. */
void path_put_name(struct buf *pointer, struct slice name);
void path_put_index(struct buf *pointer, size_t index);

#endif
