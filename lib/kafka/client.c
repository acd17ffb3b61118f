#include "kafka/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "kafka/handle.h"
#include "vault/secret.h"

enum { FILE_MAX = 64 * 1024, PROPERTIES = 64 };

struct property {
    char *name;
    char *value;
    char *ref; /* of a secret */
};

struct class;

struct kafka_client {
    char *servers;
    struct property property[PROPERTIES];
    size_t n;
    const struct class *class;
};

/* --- what is ours --------------------------------------------------------
 */

/* dpp's promises rest on these; nobody else sets them. */
static const struct kafka_setting both[] = {
    {"allow.auto.create.topics", "false"},
    {"log.connection.close", "false"},
    {NULL, NULL},
};
static const struct kafka_setting producing[] = {
    {"acks", "all"},
    {"enable.idempotence", "true"},
    {"message.timeout.ms", "0"},
    {"partitioner", "murmur2_random"},
    {NULL, NULL},
};
static const struct kafka_setting consuming[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"check.crcs", "true"},
    {"enable.partition.eof", "true"},
    {"partition.assignment.strategy", "cooperative-sticky"},
    {NULL, NULL},
};
/* The same, under other names as well. */
static const char *const ours[] = {"bootstrap.servers",
                                   "metadata.broker.list",
                                   "transactional.id",
                                   "group.id",
                                   "group.instance.id",
                                   "enable.gapless.guarantee",
                                   "log_level",
                                   "request.required.acks",
                                   "delivery.timeout.ms",
                                   "auto.commit.enable",
                                   NULL};

/* Where -X says nothing else: of both, of producers, of consumers. */
enum { BOTH, PRODUCING, CONSUMING, ROLES };
static const struct kafka_setting defaults[ROLES][6] = {
    {{"client.id", "dpp"}, {"reconnect.backoff.max.ms", "2000"}, {NULL, NULL}},
    {{"message.max.bytes", "8388608"},
     {"queue.buffering.max.messages", "1000000"},
     {"queue.buffering.max.kbytes", "131072"},
     {NULL, NULL}},
    /* a full queue of fetched records rests for a second (librdkafka before
     * 2.2), so it is bounded by bytes alone, and generously */
    {{"queued.min.messages", "10000000"},
     {"queued.max.messages.kbytes", "65536"},
     {"session.timeout.ms", "6000"},
     {"fetch.wait.max.ms", "100"},
     {NULL, NULL}},
};

/* Classes of service: what may differ from one source to another. */
static const struct class
{
    const char *name;
    struct kafka_setting settings[ROLES][3];
} classes[] = {
    {"latency", {{{NULL, NULL}}, {{"linger.ms", "1"}}, {{NULL, NULL}}}},
    {"throughput",
     {{{NULL, NULL}},
      {{"linger.ms", "20"}, {"compression.codec", "lz4"}},
      {{"fetch.min.bytes", "65536"}}}},
};

/* Their values are given by reference. */
static const char *const secrets[] = {
    "sasl.password",         "ssl.key.password",
    "ssl.keystore.password", "sasl.oauthbearer.client.secret",
    "ssl.key.pem",           NULL};

static bool holds(const char *const *list, const char *name)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool sets(const struct kafka_setting *list, const char *name)
{
    for (; list->name != NULL; list++) {
        if (strcmp(list->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* --- properties ----------------------------------------------------------
 */

static int set_class(struct kafka_client *c, const char *name, struct err *e)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strcmp(classes[i].name, name) == 0) {
            c->class = &classes[i];
            return 0;
        }
    }
    return err_set(e, STATUS_USAGE,
                   "-X class=%s: a class is latency or throughput", name);
}

static int add_secret(struct property *p, const char *ref, struct err *e)
{
    struct safe text;

    if (secret_read(ref, &text, e) < 0) {
        return err_wrap(e, "-X %s", p->name);
    }
    p->value = mem_strndup((const char *)text.p, text.n);
    p->ref = mem_strdup(ref);
    safe_release(&text);
    return 0;
}

static int add(struct kafka_client *c, const char *name, const char *value,
               struct err *e)
{
    if (strcmp(name, "class") == 0) {
        return set_class(c, value, e);
    }
    if (sets(both, name) || sets(producing, name) || sets(consuming, name) ||
        holds(ours, name)) {
        return err_set(e, STATUS_USAGE,
                       "-X %s: dpp sets this itself, its promises rest on it",
                       name);
    }
    if (c->n == PROPERTIES) {
        return err_set(e, STATUS_USAGE, "-X: more than %d properties",
                       PROPERTIES);
    }
    struct property *p = &c->property[c->n++];
    p->name = mem_strdup(name);
    if (holds(secrets, name)) {
        return add_secret(p, value, e);
    }
    p->value = mem_strdup(value);
    return 0;
}

static char *trimmed(char *s)
{
    size_t n = strlen(s);

    while (n > 0 && strchr(" \t\r", s[n - 1]) != NULL) {
        s[--n] = '\0';
    }
    return s + strspn(s, " \t");
}

static int add_text(struct kafka_client *c, char *text, struct err *e)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        return err_set(e, STATUS_USAGE,
                       "-X \"%.100s\": not name=value, nor @FILE", text);
    }
    *equals = '\0';
    return add(c, trimmed(text), trimmed(equals + 1), e);
}

static int add_file(struct kafka_client *c, const char *path, struct err *e)
{
    struct buf text;
    int rc;
    int n = 0;

    buf_init(&text);
    rc = file_read(path, FILE_MAX, &text, e);
    char *rest = NULL;
    char *line = rc == 0 ? (char *)buf_cstr(&text) : NULL;
    for (; rc == 0 && line != NULL; line = rest) {
        rest = strchr(line, '\n');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        n++;
        line = trimmed(line);
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        if (add_text(c, line, e) < 0) {
            e->status = STATUS_CONFIG;
            rc = err_wrap(e, "%s:%d", path, n);
        }
    }
    buf_release(&text);
    return rc;
}

static const struct property *find(const struct kafka_client *c,
                                   const char *name)
{
    const struct property *found = NULL;

    for (size_t i = 0; i < c->n; i++) {
        found =
            strcmp(c->property[i].name, name) == 0 ? &c->property[i] : found;
    }
    return found;
}

static const char *value_of(const struct kafka_client *c, const char *name)
{
    const struct property *p = find(c, name);

    return p != NULL ? p->value : NULL;
}

static bool is_renewable(const char *ref)
{
    return ref != NULL &&
           (strncmp(ref, "file:", 5) == 0 || strncmp(ref, "cred:", 5) == 0 ||
            strncmp(ref, "vault:", 6) == 0);
}

const char *kafka_client_renewable(const struct kafka_client *c)
{
    const struct property *p = find(c, "sasl.password");

    return p != NULL && is_renewable(p->ref) ? p->ref : NULL;
}

const char *kafka_client_certificate(const struct kafka_client *c)
{
    return value_of(c, "ssl.certificate.location");
}

/* A secret as it stands there now, as a string; NULL if it cannot be read.
 * forget() takes it back. */
static char *fresh(const char *ref)
{
    struct safe text;
    struct err ignored;

    if (!is_renewable(ref) || secret_read(ref, &text, &ignored) < 0) {
        return NULL;
    }
    char *s = mem_strndup((const char *)text.p, text.n);
    safe_release(&text);
    return s;
}

static void forget(char *secret)
{
    if (secret != NULL) {
        safe_wipe(secret, strlen(secret));
        free(secret);
    }
}

void kafka_client_renew(const struct kafka_client *c, rd_kafka_t *rk)
{
    const char *user = value_of(c, "sasl.username");
    char *password = fresh(kafka_client_renewable(c));

    if (password != NULL && user != NULL) {
        rd_kafka_error_t *error =
            rd_kafka_sasl_set_credentials(rk, user, password);
        if (error != NULL) {
            rd_kafka_error_destroy(error);
        }
    }
    forget(password);
}

/* The library would take Kerberos. */
static int check_sasl(const struct kafka_client *c, struct err *e)
{
    const char *protocol = value_of(c, "security.protocol");

    if (protocol != NULL && strncasecmp(protocol, "sasl", 4) == 0 &&
        value_of(c, "sasl.mechanism") == NULL &&
        value_of(c, "sasl.mechanisms") == NULL) {
        return err_set(e, STATUS_USAGE,
                       "-X security.protocol=%s: say how, with -X "
                       "sasl.mechanism=PLAIN (or SCRAM-SHA-512, ...)",
                       protocol);
    }
    return 0;
}

struct kafka_client *kafka_client_open(const struct kafka_client_conf *conf,
                                       struct err *e)
{
    struct kafka_client *c = mem_new(sizeof *c);

    c->servers = mem_strdup(conf->servers);
    c->class = &classes[0];
    for (size_t i = 0; i < conf->properties; i++) {
        char *text = mem_strdup(conf->property[i]);
        const int rc =
            text[0] == '@' ? add_file(c, text + 1, e) : add_text(c, text, e);
        free(text);
        if (rc < 0) {
            goto fail;
        }
    }
    if ((conf->secret != NULL &&
         add(c, "sasl.password", conf->secret, e) < 0) ||
        check_sasl(c, e) < 0) {
        goto fail;
    }
    return c;
fail:
    kafka_client_close(c);
    return NULL;
}

void kafka_client_close(struct kafka_client *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (c->property[i].value != NULL) {
            explicit_bzero(c->property[i].value, strlen(c->property[i].value));
        }
        free(c->property[i].name);
        free(c->property[i].value);
        free(c->property[i].ref);
    }
    free(c->servers);
    free(c);
}

const char *kafka_client_servers(const struct kafka_client *c)
{
    return c->servers;
}

/* --- into librdkafka -----------------------------------------------------
 */

static int set(rd_kafka_conf_t *conf, const char *name, const char *value,
               struct err *e)
{
    char why[400];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
        why[strcspn(why, "\n")] = '\0';
        return err_set(e, STATUS_USAGE, "-X %s: %s", name, why);
    }
    return 0;
}

static int set_all(rd_kafka_conf_t *conf, const struct kafka_setting *s,
                   struct err *e)
{
    for (; s != NULL && s->name != NULL; s++) {
        if (set(conf, s->name, s->value, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int set_property(rd_kafka_conf_t *conf, const struct property *p,
                        struct err *e)
{
    char *secret = fresh(p->ref);
    const int rc = set(conf, p->name, secret != NULL ? secret : p->value, e);

    forget(secret);
    return rc;
}

int kafka_client_configure(const struct kafka_client *c, rd_kafka_conf_t *conf,
                           rd_kafka_type_t type,
                           const struct kafka_setting *extra, struct err *e)
{
    const int role = type == RD_KAFKA_PRODUCER ? PRODUCING : CONSUMING;

    if (set(conf, "bootstrap.servers", c->servers, e) < 0 ||
        set_all(conf, defaults[BOTH], e) < 0 ||
        set_all(conf, defaults[role], e) < 0 ||
        set_all(conf, c->class->settings[role], e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (set_property(conf, &c->property[i], e) < 0) {
            return -1;
        }
    }
    return set_all(conf, both, e) < 0 ||
                   set_all(conf, role == PRODUCING ? producing : consuming, e) <
                       0
               ? -1
               : set_all(conf, extra, e);
}
