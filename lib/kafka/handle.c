#include "kafka/handle.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "kafka/client.h"
#include "kafka/quiet.h"
#include "kafka/tls.h"

enum { SLICE_MS = 250, RENEW_MS = 1000, MS = 1000 };

/* --- errors in our words -------------------------------------------------
 */

static int status_of(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return STATUS_REFUSED;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return STATUS_UNREACHABLE;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return STATUS_CONFIG;
    default:
        return STATUS_RETRY;
    }
}

int kafka_fail(struct err *e, rd_kafka_resp_err_t err, const char *what)
{
    return err_set(e, status_of(err), "%s: %s", what, rd_kafka_err2str(err));
}

int kafka_fail_error(struct err *e, rd_kafka_error_t *error, const char *what)
{
    (void)err_set(e, status_of(rd_kafka_error_code(error)), "%s: %s", what,
                  rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return -1;
}

/* --- talk ----------------------------------------------------------------
 */

/* From librdkafka's threads; everything that matters comes as an event too. */
static void log_line(const rd_kafka_t *rk, int level, const char *facility,
                     const char *text)
{
    (void)rk;
    (void)level; /* -X debug=... asks for more */
    msg_debug("librdkafka: %s: %s", facility, text);
}

/* Debian 12's librdkafka sends its SCRAM nonce twice, which Kafka 4 refuses
 * (librdkafka pull request 4895, mended in 2.6.1). */
static const char *hint(const char *reason)
{
    return strstr(reason, "SCRAM") != NULL && rd_kafka_version() < 0x020601ff
               ? " (with Kafka 4 this librdkafka cannot do SCRAM whatever the "
                 "password: use PLAIN over TLS or a client certificate, or "
                 "librdkafka 2.6.1)"
               : "";
}

/* The last trouble, "ADDRESS/bootstrap: WHY (after 0ms in state CONNECT)"
 * without its end. */
static void keep_reason(struct kafka_handle *h, rd_kafka_resp_err_t err,
                        const char *reason)
{
    const char *end = strstr(reason, " (after ");
    const size_t n = end != NULL ? (size_t)(end - reason) : strlen(reason);

    (void)snprintf(h->reason, sizeof h->reason, "%.*s", (int)n, reason);
    h->met |= err != RD_KAFKA_RESP_ERR__RESOLVE;
}

static int unreachable(const struct kafka_handle *h, struct err *e)
{
    const char *servers = kafka_client_servers(h->client);

    return h->reason[0] == '\0'
               ? err_set(e, STATUS_UNREACHABLE,
                         "kafka://%s: no broker answers; is the address "
                         "right, and is one running? (-v shows more)",
                         servers)
               : err_set(e, STATUS_UNREACHABLE,
                         "kafka://%s: no broker answers: %s (-v shows more)",
                         servers, h->reason);
}

static int distrust(struct kafka_handle *h, struct err *e)
{
    const char *servers = kafka_client_servers(h->client);
    struct buf why;
    int rc = 0;

    buf_init(&why);
    kafka_tls_why(h->tls, h->client, &why);
    if (why.n == 0) {
        buf_printf(&why, "%s", h->reason);
    }
    if (h->asking) {
        rc = err_set(e, STATUS_UNREACHABLE,
                     "kafka://%s: TLS fails: %s (-v shows more)", servers,
                     buf_cstr(&why));
    } else if (!h->untrusted) {
        h->untrusted = true;
        msg_warn("kafka://%s: TLS fails now: %s; waiting", servers,
                 buf_cstr(&why));
    }
    buf_release(&why);
    return rc;
}

/* It was right when we came: somebody changes it. */
static void wait_for_password(struct kafka_handle *h)
{
    if (!h->refused) {
        h->refused = true;
        msg_warn("kafka://%s: the brokers refuse the password now; waiting for "
                 "another one in %s",
                 kafka_client_servers(h->client),
                 kafka_client_renewable(h->client));
    }
}

void kafka_handle_renew(struct kafka_handle *h)
{
    const uint64_t now = clock_mono_us();

    if (h->refused && now >= h->renewed_us + (uint64_t)RENEW_MS * MS) {
        h->renewed_us = now;
        kafka_client_renew(h->client, h->rk);
    }
}

static int take_error(struct kafka_handle *h, rd_kafka_resp_err_t err,
                      const char *reason, struct err *e)
{
    const char *servers = kafka_client_servers(h->client);
    char why[400];

    switch (err) {
    case RD_KAFKA_RESP_ERR__FATAL: {
        const rd_kafka_resp_err_t orig =
            rd_kafka_fatal_error(h->rk, why, sizeof why);
        return err_set(e, status_of(orig), "kafka://%s: %s", servers, why);
    }
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        if (!h->asking && kafka_client_renewable(h->client) != NULL) {
            wait_for_password(h);
            return 0;
        }
        return err_set(e, STATUS_REFUSED, "kafka://%s: %s%s", servers, reason,
                       hint(reason));
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        h->down = true;
        if (!h->away && !h->refused && !h->asking) {
            h->away = true;
            msg_warn("kafka://%s: no broker answers; waiting for one", servers);
        }
        return 0;
    default:
        keep_reason(h, err, reason);
        msg_debug("kafka://%s: %s: %s", servers, rd_kafka_err2name(err),
                  reason);
        return kafka_tls_failed(err, reason) ? distrust(h, e) : 0;
    }
}

int kafka_handle_event(struct kafka_handle *h, rd_kafka_event_t *ev,
                       struct err *e)
{
    return rd_kafka_event_type(ev) == RD_KAFKA_EVENT_ERROR
               ? take_error(h, rd_kafka_event_error(ev),
                            rd_kafka_event_error_string(ev), e)
               : 0;
}

void kafka_handle_alive(struct kafka_handle *h)
{
    if (h->away || h->refused || h->untrusted) {
        h->away = h->refused = h->untrusted = false;
        msg_info("kafka://%s: answers again", kafka_client_servers(h->client));
    }
}

/* --- open, close ---------------------------------------------------------
 */

int kafka_handle_open(struct kafka_handle *h, const struct kafka_client *client,
                      rd_kafka_type_t type, int events,
                      const struct kafka_setting *extra, struct err *e)
{
    static const uint64_t one = 1;
    char why[400];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    *h = (struct kafka_handle){.client = client, .fd = -1};
    if (kafka_client_configure(client, conf, type, extra, e) < 0) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    h->tls = kafka_tls_new(conf);
    h->quiet = type == RD_KAFKA_CONSUMER ? kafka_quiet_new(conf) : NULL;
    rd_kafka_conf_set_log_cb(conf, log_line);
    rd_kafka_conf_set_events(conf, events | RD_KAFKA_EVENT_ERROR);
    h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (h->fd < 0) {
        rd_kafka_conf_destroy(conf);
        return err_errno(e, STATUS_SYSTEM, "eventfd");
    }
    h->rk = rd_kafka_new(type, conf, why, sizeof why);
    if (h->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(e, STATUS_USAGE, "kafka://%s: %s",
                       kafka_client_servers(client), why);
    }
    if (type == RD_KAFKA_CONSUMER) {
        (void)rd_kafka_poll_set_consumer(h->rk);
        h->queue = rd_kafka_queue_get_consumer(h->rk);
    } else {
        h->queue = rd_kafka_queue_get_main(h->rk);
    }
    rd_kafka_queue_io_event_enable(h->queue, h->fd, &one, sizeof one);
    return 0;
}

void kafka_handle_close(struct kafka_handle *h)
{
    if (h->stuck) { /* the process is about to end */
        *h = (struct kafka_handle){.fd = -1};
        return;
    }
    if (h->queue != NULL) {
        rd_kafka_queue_destroy(h->queue);
    }
    if (h->rk != NULL) {
        rd_kafka_destroy_flags(h->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    if (h->fd >= 0) {
        (void)close(h->fd);
    }
    kafka_quiet_free(h->quiet);
    kafka_tls_free(h->tls);
    *h = (struct kafka_handle){.fd = -1};
}

void kafka_handle_woken(struct kafka_handle *h)
{
    uint64_t n;

    while (read(h->fd, &n, sizeof n) > 0) {
    }
}

/* --- questions at the start ----------------------------------------------
 */

/* What came meanwhile. A refusal is said at once, not after a wait; a delivery
 * report does not come twice. */
static int look(struct kafka_handle *h, struct err *e)
{
    rd_kafka_event_t *ev;
    int rc = 0;

    while (rc == 0 && (ev = rd_kafka_queue_poll(h->queue, 0)) != NULL) {
        rc = h->serve != NULL ? h->serve(h->arg, ev, e)
                              : kafka_handle_event(h, ev, e);
        rd_kafka_event_destroy(ev);
    }
    return rc;
}

/* No address could be found: nothing to wait for. */
static bool is_lost(const struct kafka_handle *h)
{
    return h->down && !h->met && h->reason[0] != '\0';
}

int kafka_handle_partitions(struct kafka_handle *h, const char *topic,
                            uint32_t *partitions, int timeout_ms, struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)timeout_ms * MS;
    const struct rd_kafka_metadata *m;
    rd_kafka_topic_t *t = rd_kafka_topic_new(h->rk, topic, NULL);
    rd_kafka_resp_err_t err;
    int rc = 0;

    if (t == NULL) {
        return kafka_fail(e, rd_kafka_last_error(), topic);
    }
    h->asking = true; /* it says in its error what it has to say */
    do {
        err = rd_kafka_metadata(h->rk, 0, t, &m, SLICE_MS);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            const struct rd_kafka_metadata_topic *mt = &m->topics[0];
            err = m->topic_cnt == 1 ? mt->err : RD_KAFKA_RESP_ERR__TRANSPORT;
            *partitions = err == 0 ? (uint32_t)mt->partition_cnt : 0;
            rd_kafka_metadata_destroy(m);
        }
        rc = look(h, e);
    } while (rc == 0 && err != RD_KAFKA_RESP_ERR_NO_ERROR &&
             err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
             status_of(err) != STATUS_REFUSED && !is_lost(h) &&
             clock_mono_us() < until);
    rd_kafka_topic_destroy(t);
    h->asking = false;
    if (rc < 0) {
        return -1;
    }
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        *partitions = 0;
        return 0;
    }
    return err == 0                           ? 0
           : status_of(err) == STATUS_REFUSED ? kafka_fail(e, err, topic)
                                              : unreachable(h, e);
}

int kafka_handle_cluster(struct kafka_handle *h, struct err *e)
{
    const uint64_t until = clock_mono_us() + (uint64_t)KAFKA_START_MS * MS;
    char *id;
    int rc = 0;

    h->asking = true;
    do {
        id = rd_kafka_clusterid(h->rk, SLICE_MS);
        rc = look(h, e);
    } while (rc == 0 && id == NULL && !is_lost(h) && clock_mono_us() < until);
    h->asking = false;
    if (id != NULL) {
        (void)snprintf(h->cluster, sizeof h->cluster, "%s", id);
        rd_kafka_mem_free(h->rk, id);
    }
    return rc < 0 ? -1 : id == NULL ? unreachable(h, e) : 0;
}
