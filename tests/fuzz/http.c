/* The request parser: the first byte says how the rest is cut; in one piece and
 * in cut pieces the same requests must come out, one behind the other. */
#include "http/parse.h"

#include "driver/must.h"

enum { MAX_BODY = 4096, REQUESTS = 16 };

struct seen {
    unsigned requests;
    unsigned status;
    size_t used;
    uint64_t sum;
};

static uint64_t mix(uint64_t sum, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        sum = (sum ^ (unsigned char)s.p[i]) * 1099511628211U;
    }
    return (sum ^ s.n) * 1099511628211U;
}

static void look(struct seen *seen, const struct http_parser *p)
{
    FUZZ_MUST(http_token_valid(http_parser_method(p)));
    FUZZ_MUST(http_parser_path(p).n > 0);
    FUZZ_MUST(!(p->chunked && p->has_length));
    FUZZ_MUST(p->body_n <= MAX_BODY && p->fields <= HTTP_FIELDS_MAX);
    FUZZ_MUST(p->buf->n <= HTTP_HEAD_MAX + MAX_BODY);
    seen->sum = mix(seen->sum, http_parser_method(p));
    seen->sum = mix(seen->sum, http_parser_path(p));
    seen->sum = mix(seen->sum, http_parser_query(p));
    seen->sum = mix(seen->sum, http_parser_body(p));
    for (unsigned i = 0; i < p->fields; i++) {
        struct http_field f;
        http_parser_field(p, i, &f);
        FUZZ_MUST(http_token_valid(f.name) && http_value_valid(f.value));
        seen->sum = mix(mix(seen->sum, f.name), f.value);
    }
}

static void run(struct seen *seen, const char *at, size_t n, size_t piece)
{
    struct http_parser p;
    struct buf b;

    *seen = (struct seen){0};
    buf_init(&b);
    http_parser_init(&p, &b, MAX_BODY);
    while (n > 0 && seen->requests < REQUESTS) {
        size_t used;
        const size_t give = n < piece ? n : piece;
        const enum http_parse r = http_parser_feed(&p, at, give, &used);
        FUZZ_MUST(used <= give && (r != HTTP_PARSE_MORE || used == give));
        at += used;
        n -= used;
        seen->used += used;
        if (r == HTTP_PARSE_BAD) {
            FUZZ_MUST(p.status >= 400 && p.why != NULL);
            seen->status = p.status;
            break;
        }
        if (r == HTTP_PARSE_DONE) {
            look(seen, &p);
            seen->requests++;
            http_parser_init(&p, &b, MAX_BODY);
        }
    }
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct seen whole;
    struct seen cut;

    if (n == 0) {
        return 0;
    }
    run(&whole, (const char *)data + 1, n - 1, n);
    run(&cut, (const char *)data + 1, n - 1, (size_t)data[0] % 32 + 1);
    FUZZ_MUST(whole.requests == cut.requests && whole.status == cut.status);
    FUZZ_MUST(whole.used == cut.used && whole.sum == cut.sum);
    return 0;
}
