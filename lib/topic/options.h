/* The options of programs that read or write topics, wherever these are. Rows
 * for a program's table, by the structure that they fill in. */
#ifndef TOPIC_OPTIONS_H
#define TOPIC_OPTIONS_H

#include "base/opt.h"

/* A row is a row: */
/* clang-format off */

/* Of all: struct topic_store_conf. */
#define TOPIC_STORE_OPTIONS(conf)                                              \
    {'b', "broker", "BROKER", "log:DIR or kafka://HOST:PORT,…",                \
     OPT_STRING, &(conf).broker, 0, 0},                                        \
    {'X', "property", "NAME=VALUE",                                           \
     "librdkafka property (@FILE: many); of a log: key=REF, encrypt it",       \
     OPT_LIST, &(conf).property, 0, 0},                                        \
    {0, "require-mlock", NULL, "no secrets where memory may be swapped",       \
     OPT_FLAG, &(conf).must_lock, 0, 0}

/* Of those where -k has no other use. */
#define TOPIC_SECRET_OPTION(conf)                                              \
    {'k', "key", "REF",                                                        \
     "password of a broker, or key of a log: vault:NAME, file:PATH, "          \
     "cred:NAME, fd:N",                                                        \
     OPT_STRING, &(conf).secret, 0, 0}

/* Of those that write the events of a pipe. */
#define TOPIC_OUTPUT_OPTIONS(conf)                                             \
    {0, "exactly-once", NULL, "Kafka: output and position in transactions",    \
     OPT_FLAG, &(conf).exactly_once, 0, 0},                                    \
    {0, "commit-interval", "DUR", "time between transactions (100ms)",         \
     OPT_DURATION, &(conf).commit_ms, 1, 60000},                               \
    {0, "single-broker", NULL, "exactly once on topics with one copy",         \
     OPT_FLAG, &(conf).single_broker, 0, 0},                                   \
    {0, "new-position", NULL, "exactly once: one that is gone is no error",    \
     OPT_FLAG, &(conf).new_position, 0, 0},                                    \
    {0, "structured", NULL, "Kafka: CloudEvents in structured mode",           \
     OPT_FLAG, &(conf).structured, 0, 0}

/* Of those that make topics: struct topic_conf. */
#define TOPIC_COPIES_OPTIONS(conf)                                             \
    {0, "replicas", "N", "create: copies (Kafka; the brokers' default)",       \
     OPT_NUMBER, &(conf).replicas, 1, 100},                                    \
    {0, "min-insync", "N", "create: copies that must take an event (Kafka)",   \
     OPT_NUMBER, &(conf).min_in_sync, 1, 100}

/* clang-format on */

#endif
