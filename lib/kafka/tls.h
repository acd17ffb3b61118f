/* Why TLS does not come about. The library says of the brokers' certificate
 * only that it is refused, and of ours what the brokers say, which is little:
 * so the check of the one is watched, and the dates of the other are read. */
#ifndef KAFKA_TLS_H
#define KAFKA_TLS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct buf;
struct kafka_client;
struct kafka_tls;

/* Watches the handle that conf will make; freed after that is destroyed. */
struct kafka_tls *kafka_tls_new(rd_kafka_conf_t *);
void kafka_tls_free(struct kafka_tls *);

/* Whether an error is one of trust, which waiting does not mend. */
bool kafka_tls_failed(rd_kafka_resp_err_t, const char *reason);

/* Adds what is known, once TLS has failed: a part of a sentence, or nothing. */
void kafka_tls_why(const struct kafka_tls *, const struct kafka_client *,
                   struct buf *);

#endif
