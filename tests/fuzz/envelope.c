/* From bytes off the wire to an event line: whatever request the parser
 * accepts, the line is one valid event that gives its body back. */
#include "connector/envelope.h"

#include "base/err.h"
#include "connector/connector.h"
#include "driver/must.h"
#include "record/event.h"
#include "record/json.h"

enum { MAX_BODY = 65536 };

static void check(const struct connector *c, const struct http_message *m)
{
    struct envelope env;
    struct buf line;
    struct buf value;
    struct slice key;
    struct event ev;
    struct err e;
    bool reordered;

    envelope_init(&env);
    buf_init(&line);
    buf_init(&value);
    envelope_write(&env, c, NULL, m, &line, &key);
    FUZZ_MUST(memchr(line.p, '\n', line.n) == NULL);
    FUZZ_MUST(json_valid(buf_slice(&line)));
    FUZZ_MUST(event_parse(&ev, buf_slice(&line), &reordered, &e) == 0);
    FUZZ_MUST(event_value(&ev, &value) == 1);
    FUZZ_MUST(slice_eq(buf_slice(&value), m->body));
    FUZZ_MUST((key.p != NULL) == (ev.partitionkey.p != NULL));
    buf_release(&line);
    buf_release(&value);
    envelope_release(&env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct connector c = {
        .source = "/x",
        .id = {CONNECTOR_HEADER, "x-id"},
        .type = {CONNECTOR_HEADER, "x-type"},
        .key = {CONNECTOR_BODY, "/a/b"},
        .subject = {CONNECTOR_BODY, "/s"},
    };
    struct http_field room[HTTP_FIELDS_MAX];
    struct http_message m;
    struct http_parser p;
    struct buf b;
    size_t used = 0;
    size_t more = 0;

    buf_init(&b);
    http_parser_init(&p, &b, MAX_BODY);
    enum http_parse r = http_parser_feed(&p, (const char *)data, n, &used);
    if (r == HTTP_PARSE_HEAD) {
        r = http_parser_feed(&p, (const char *)data + used, n - used, &more);
    }
    if (r == HTTP_PARSE_DONE) {
        http_message_of(&m, &p, room);
        check(NULL, &m);
        check(&c, &m);
    }
    buf_release(&b);
    return 0;
}
