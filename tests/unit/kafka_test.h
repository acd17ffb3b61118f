/* What the tests of Kafka records share. */
#ifndef KAFKA_TEST_H
#define KAFKA_TEST_H

#include <stdio.h>

#include "base/err.h"
#include "kafka/record.h"
#include "record/event.h"

static struct kafka_scratch there;
static struct kafka_scratch back;

#define H(name, value)                                                         \
    {                                                                          \
        SLICE(name), SLICE(value)                                              \
    }
#define CE                                                                     \
    H("ce_specversion", "1.0"), H("ce_id", "1"), H("ce_source", "/s"),         \
        H("ce_type", "t")
#define LINE                                                                   \
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""
#define STRUCTURED "application/cloudevents+json; charset=UTF-8"

static inline bool same(struct slice a, struct slice b)
{
    return (a.p == NULL) == (b.p == NULL) && slice_eq(a, b);
}

static inline bool same_record(const struct kafka_record *a,
                               const struct kafka_record *b)
{
    bool equal =
        a->n == b->n && same(a->key, b->key) && same(a->value, b->value);

    for (size_t i = 0; equal && i < a->n; i++) {
        equal = same(a->headers[i].name, b->headers[i].name) &&
                same(a->headers[i].value, b->headers[i].value);
    }
    return equal;
}

static inline bool parse(struct event *ev, struct slice line)
{
    struct err e;
    bool reordered;

    return event_parse(ev, line, &reordered, &e) == 0;
}

static inline void show(const char *what, struct slice s)
{
    printf("# %s: %.*s\n", what, s.p != NULL ? (int)s.n : 4,
           s.p != NULL ? s.p : "null");
}

static inline void show_record(const struct kafka_record *r)
{
    show("key", r->key);
    show("value", r->value);
    for (size_t i = 0; i < r->n; i++) {
        show("header", r->headers[i].name);
        show("       ", r->headers[i].value);
    }
}

#endif
