#include "listen/explain.h"

#include "base/err.h"
#include "connector/connector.h"
#include "connector/envelope.h"
#include "http/server.h"
#include "listen/gate.h"

static void show_route(const struct route *r, struct buf *out)
{
    buf_printf(out, "route:     %s", r->path != NULL ? r->path : "every path");
    if (r->connector != NULL) {
        buf_printf(out, ", connector %s", r->connector->name);
    }
    if (r->topic != NULL) {
        buf_printf(out, ", topic %s", r->topic);
    }
    buf_putc(out, '\n');
}

static void show_signature(const struct route *r, unsigned status,
                           const struct err *why, struct buf *out)
{
    if (r->sign == NULL) {
        buf_printf(out, "signature: not asked for%s\n",
                   r->is_open ? ", because of --unsigned" : "");
    } else if (status == 401) {
        buf_printf(out, "signature: refused: %s\n", why->text);
    } else {
        buf_printf(out, "signature: %s is right (%u key%s)\n",
                   r->connector->sign.header, sign_keys(r->sign),
                   sign_keys(r->sign) == 1 ? "" : "s");
    }
}

static void show_answer(unsigned status, const char *note, struct buf *out)
{
    buf_printf(out, "answer:    %u %s%s\n", status, http_reason(status), note);
}

static void show_event(const struct route *r, const struct http_message *m,
                       struct buf *out)
{
    struct envelope env;
    struct slice key;
    struct buf line;

    envelope_init(&env);
    buf_init(&line);
    envelope_write(&env, r->connector, r->source, m, &line, &key);
    buf_puts(out, "key:       ");
    if (key.p != NULL) {
        buf_append_slice(out, key);
    } else {
        buf_puts(out, "none: this event has no order");
    }
    buf_puts(out, "\nevent:     ");
    buf_append_slice(out, buf_slice(&line));
    buf_putc(out, '\n');
    buf_release(&line);
    envelope_release(&env);
}

static unsigned explain_message(const struct routes *rs,
                                const struct http_message *m, uint64_t now_ms,
                                struct buf *out)
{
    const struct route *r;
    struct err why;
    const unsigned status = gate_check(rs, m, now_ms, &r, &why);

    if (r != NULL) {
        show_route(r, out);
    }
    if (r != NULL && status != 405) {
        show_signature(r, status, &why, out);
    }
    if (status != 0) {
        buf_printf(out, "refused:   %s\n", why.text);
        show_answer(status, "", out);
        return status;
    }
    show_event(r, m, out);
    show_answer(200, ", once the event is durable", out);
    return 200;
}

unsigned explain_request(const struct routes *rs, struct slice request,
                         uint64_t max_body, uint64_t now_ms, struct buf *out)
{
    struct http_parser p;
    struct http_field room[HTTP_FIELDS_MAX];
    struct http_message m;
    struct buf kept;
    size_t used = 0;
    size_t more;
    unsigned status;

    buf_init(&kept);
    http_parser_init(&p, &kept, max_body);
    enum http_parse got = http_parser_feed(&p, request.p, request.n, &used);
    if (got == HTTP_PARSE_HEAD) {
        got = http_parser_feed(&p, request.p + used, request.n - used, &more);
        used += more;
    }
    if (got == HTTP_PARSE_DONE) {
        http_message_of(&m, &p, room);
        buf_printf(out, "request:   %.*s %.*s, %u fields, %zu bytes of body\n",
                   (int)m.method.n, m.method.p, (int)m.path.n, m.path.p,
                   m.fields, m.body.n);
        if (used < request.n) {
            buf_printf(out,
                       "           %zu bytes behind it are left out: they "
                       "would be the next request\n",
                       request.n - used);
        }
        status = explain_message(rs, &m, now_ms, out);
    } else if (got == HTTP_PARSE_BAD) {
        buf_printf(out, "request:   refused in byte %zu: %s\n", used, p.why);
        if (used > 0 && request.p[used - 1] == '\n') {
            buf_puts(out, "           (lines end with CR LF; if an editor "
                          "took the CRs away: sed 's/$/\\r/')\n");
        }
        status = p.status;
        show_answer(status, ", and the connection ends", out);
    } else {
        buf_printf(out, "request:   incomplete: %s is missing\n",
                   p.body_at == 0 ? "the blank line behind the header"
                   : p.chunked    ? "the last chunk"
                                  : "a part of the body");
        status = 408;
        show_answer(status, " in the end", out);
    }
    buf_release(&kept);
    return status;
}
