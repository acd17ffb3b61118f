/* A Kafka cluster as its clients see it: addresses, properties, secrets.
 *
 * Properties are librdkafka's own names, as "name=value" or "@FILE" (lines of
 * the same, '#' comments). Those that dpp's promises rest on cannot be set.
 * "class=latency" (the default) or "class=throughput" chooses a class of
 * service. A property that is a secret is given by reference
 * ("sasl.password=file:PATH", vault/secret.h), never by itself. */
#ifndef KAFKA_CLIENT_H
#define KAFKA_CLIENT_H

#include <stddef.h>

struct err;
struct kafka_client;

struct kafka_client_conf {
    const char *servers; /* "host:port,host:port" */
    const char *const *property;
    size_t properties;
    const char *secret; /* reference of sasl.password, or NULL */
};

/* Looks at nothing on the network. STATUS_USAGE, STATUS_CONFIG, and what
 * secret_read() says. */
struct kafka_client *kafka_client_open(const struct kafka_client_conf *,
                                       struct err *);
void kafka_client_close(struct kafka_client *);
const char *kafka_client_servers(const struct kafka_client *);

/* Where the password stands, if it may be another one there by and by (file:,
 * cred:); else NULL. What is opened later reads it again. */
const char *kafka_client_renewable(const struct kafka_client *);

/* The file of our own certificate, or NULL. */
const char *kafka_client_certificate(const struct kafka_client *);

#endif
