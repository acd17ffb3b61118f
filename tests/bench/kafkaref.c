/* The limit for dpp-produce on Kafka: librdkafka alone. "KEY<TAB>VALUE" lines
 * of standard input, a file, become records with the same headers each; the
 * lines are there when it starts, and nothing is looked at in them but the tab
 * and the end.
 *
 *     kafkaref -b BROKERS -t TOPIC [-H NAME=VALUE]... [-X NAME=VALUE]...
 *
 * What is compared: the way from a file to records that the brokers have
 * acknowledged. Keys, values and headers are as many bytes as those of
 * dpp-produce, the caller gives the same properties, as much is under way at a
 * time, and the allocator is told the same (lib/kafka/producer.c), so that
 * what dpp-produce adds is left: events read, checked and encoded, marks, and
 * the receipt after the reports. */
#include <librdkafka/rdkafka.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADERS = 16, UNDER_WAY = 32 << 20, POLL_EACH = 200, WAIT_MS = 100 };

struct ref {
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    struct {
        const char *name;
        const char *value;
    } header[HEADERS];
    size_t headers;
    size_t bytes; /* under way: */
    size_t records;
};

static void die(const char *what)
{
    fprintf(stderr, "kafkaref: %s\n", what);
    exit(1);
}

/* "NAME=VALUE" is cut in two. */
static char *value_of(char *text)
{
    char *equals = strchr(text, '=');

    if (equals == NULL) {
        die(text);
    }
    *equals = '\0';
    return equals + 1;
}

static void set(struct ref *r, const char *name, const char *value)
{
    char why[200];

    if (rd_kafka_conf_set(r->conf, name, value, why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
        die(why);
    }
}

static void report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    struct ref *r = arg;

    (void)rk;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        die(rd_kafka_err2str(m->err));
    }
    r->bytes -= m->len + m->key_len;
    r->records--;
}

static void put(struct ref *r, const char *key, const char *tab,
                const char *end)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(r->headers);

    for (size_t i = 0; i < r->headers; i++) {
        (void)rd_kafka_header_add(h, r->header[i].name, -1, r->header[i].value,
                                  -1);
    }
    const rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = r->topic},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {(void *)(uintptr_t)key, (size_t)(tab - key)}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {(void *)(uintptr_t)(tab + 1), (size_t)(end - tab - 1)}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = h},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(r->rk, vus, sizeof vus / sizeof vus[0]);
    if (error != NULL) {
        die(rd_kafka_error_string(error));
    }
    r->bytes += (size_t)(end - key) - 1;
    r->records++;
}

static void put_all(struct ref *r, const char *p, size_t n)
{
    const char *end = p + n;

    for (size_t i = 1; p < end; i++) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *tab = lf != NULL ? memchr(p, '\t', (size_t)(lf - p)) : NULL;
        if (tab == NULL) {
            die("not lines of a key, a tab and a value");
        }
        put(r, p, tab, lf);
        if (i % POLL_EACH == 0) {
            (void)rd_kafka_poll(r->rk, 0);
        }
        while (r->bytes >= UNDER_WAY) {
            (void)rd_kafka_poll(r->rk, WAIT_MS);
        }
        p = lf + 1;
    }
    while (r->records > 0) {
        (void)rd_kafka_poll(r->rk, WAIT_MS);
    }
}

static const char *arguments(struct ref *r, int argc, char **argv)
{
    const char *topic = NULL;
    int c;

    while ((c = getopt(argc, argv, "b:t:H:X:")) != -1) {
        if (c == 'b') {
            set(r, "bootstrap.servers", optarg);
        } else if (c == 't') {
            topic = optarg;
        } else if (c == 'X') {
            const char *value = value_of(optarg);
            set(r, optarg, value);
        } else if (c == 'H' && r->headers < HEADERS) {
            const char *value = value_of(optarg);
            r->header[r->headers].name = optarg;
            r->header[r->headers++].value = value;
        } else {
            die("arguments; see the head of kafkaref.c");
        }
    }
    if (topic == NULL) {
        die("-t TOPIC is missing");
    }
    return topic;
}

int main(int argc, char **argv)
{
    static struct ref r;
    struct stat st;
    char why[200];

    (void)mallopt(M_MXFAST, 0);
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
    (void)mallopt(M_TOP_PAD, 1 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    r.conf = rd_kafka_conf_new();
    const char *topic = arguments(&r, argc, argv);
    if (fstat(STDIN_FILENO, &st) < 0 || st.st_size == 0) {
        die("standard input is no file, or empty");
    }
    const size_t n = (size_t)st.st_size;
    const char *lines = mmap(NULL, n, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (lines == MAP_FAILED) {
        die("cannot map standard input");
    }
    rd_kafka_conf_set_opaque(r.conf, &r);
    rd_kafka_conf_set_dr_msg_cb(r.conf, report);
    r.rk = rd_kafka_new(RD_KAFKA_PRODUCER, r.conf, why, sizeof why);
    if (r.rk == NULL) {
        die(why);
    }
    r.topic = rd_kafka_topic_new(r.rk, topic, NULL);
    put_all(&r, lines, n);
    rd_kafka_topic_destroy(r.topic);
    rd_kafka_destroy(r.rk);
    return 0;
}
