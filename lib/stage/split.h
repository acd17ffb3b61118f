/* Outputs 2, 3 … of one input get ids of their own.
 *
 * A filter may make several events of one. Those that follow one another with
 * equal source, id and dpporigin within one batch get the id "ID#2", "ID#3" …,
 * so that whoever removes duplicates by id keeps them all (dpp-stage(7)). Only
 * events with a dpporigin: two equal webhooks are no split. */
#ifndef STAGE_SPLIT_H
#define STAGE_SPLIT_H

#include <stdint.h>

#include "record/event.h"

struct split {
    struct buf last; /* source, id and origin of the event before, raw */
    uint64_t n;      /* how many had them */
    struct buf line; /* the event with its new id */
};

void split_init(struct split *);
void split_release(struct split *);

/* A batch has ended. */
void split_reset(struct split *);

/* Gives ev a new id if it is such an output; ev then points into s. */
void split_number(struct split *s, struct event *ev);

#endif
