/* A cheap look before the costly one: many programs begin with
 *
 *     select(.type == "push") | …
 *
 * and most events are not of that type. Such a beginning is understood here
 * and decided on the raw line, so that what is dropped is never built.
 *
 * Understood are comparisons (==, !=) of an attribute that every event line
 * has once at most (type, source, subject, id, partitionkey, time …) with a
 * plain string, joined by "and" and "or". Whatever else stands there, or a
 * value with an escape in the line, is left to libjq: the answer is then
 * "maybe". */
#ifndef JQ_SELECT_H
#define JQ_SELECT_H

#include "record/event.h"

enum { SELECT_TERMS = 16 };

struct select_term {
    size_t at; /* of the member in struct event */
    struct slice text;
    bool negated;
    bool or_before; /* this term opens the next alternative */
};

enum select_kind {
    SELECT_UNKNOWN,  /* not understood: all events go through libjq */
    SELECT_IDENTITY, /* the whole program is "." */
    SELECT_FIRST,    /* select(…) and more behind it */
    SELECT_ONLY,     /* select(…) is all */
};

struct select {
    enum select_kind kind;
    struct select_term term[SELECT_TERMS];
    size_t n;
};

enum select_answer { SELECT_NO, SELECT_MAYBE, SELECT_YES };

/* The terms borrow from the text. */
void select_parse(struct select *, struct slice program);

/* What the select() says of this event. */
enum select_answer select_ask(const struct select *, const struct event *);

#endif
