#include "kafka/tls.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/certificate.h"
#include "kafka/client.h"

/* Alerts about certificates (RFC 8446, 6.2), which come behind a handshake that
 * was good for us. */
enum { BAD_CERTIFICATE = 42, UNKNOWN_CA = 48, CERTIFICATE_REQUIRED = 116 };

struct kafka_tls {
    atomic_int fault; /* the last one of a broker's certificate, or 0 */
};

/* By a thread of the library, for each certificate of a chain. */
static int check(rd_kafka_t *rk, const char *broker, int32_t id, int *fault,
                 int depth, const char *der, size_t n, char *why, size_t size,
                 void *opaque)
{
    struct kafka_tls *t = opaque;

    (void)rk, (void)broker, (void)id, (void)depth;
    (void)der, (void)n, (void)why, (void)size;
    if (*fault != 0 || depth == 0) {
        atomic_store(&t->fault, *fault);
    }
    return *fault == 0;
}

struct kafka_tls *kafka_tls_new(rd_kafka_conf_t *conf)
{
    struct kafka_tls *t = mem_new(sizeof *t);

    rd_kafka_conf_set_opaque(conf, t);
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, check);
    return t;
}

void kafka_tls_free(struct kafka_tls *t)
{
    free(t);
}

bool kafka_tls_failed(rd_kafka_resp_err_t err, const char *reason)
{
    const char *alert = strstr(reason, "SSL alert number ");
    int n = 0;

    if (alert == NULL) {
        return err == RD_KAFKA_RESP_ERR__SSL;
    }
    (void)sscanf(alert, "SSL alert number %3d", &n);
    return err == RD_KAFKA_RESP_ERR__SSL || n == CERTIFICATE_REQUIRED ||
           (n >= BAD_CERTIFICATE && n <= UNKNOWN_CA);
}

void kafka_tls_why(const struct kafka_tls *t, const struct kafka_client *c,
                   struct buf *out)
{
    const int fault = atomic_load(&t->fault);
    const char *own = kafka_client_certificate(c);
    const char *untimely = own != NULL ? certificate_untimely(own) : NULL;

    if (fault != 0) {
        buf_printf(out, "the brokers' certificate: %s",
                   certificate_fault(fault));
    } else if (untimely != NULL) {
        buf_printf(out, "our certificate %s: it %s", own, untimely);
    }
}
