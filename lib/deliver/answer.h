/* What an answer means: one table, and the manual prints the same. */
#ifndef DELIVER_ANSWER_H
#define DELIVER_ANSWER_H

#include "base/buf.h"

struct http_answer;

enum answer_action {
    ANSWER_ACCEPTED,
    ANSWER_DEAD,  /* permanent for this event: a dead letter */
    ANSWER_RETRY, /* this event again, later */
    ANSWER_SLOW,  /* the endpoint says that we are too fast */
    ANSWER_DOWN,  /* nobody there: not this event's fault */
    ANSWER_PAUSE, /* nothing gets through before somebody has acted */
    ANSWER_GONE,  /* the destination is no more: the program ends */
};

enum answer_action answer_judge(const struct http_answer *);

/* Append one line that says it to people: "503 Service Unavailable: …", with
 * the first printable bytes of the body, never more than 300 bytes. */
void answer_describe(const struct http_answer *, struct buf *);

#endif
