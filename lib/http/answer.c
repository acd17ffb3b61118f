#include <stdio.h>
#include <time.h>

#include "http/conn.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Answer";
}

/* As RFC 9110 wants it, and not in the locale's language. */
static const char *date(struct http_server *s)
{
    static const char day[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                   "Thu", "Fri", "Sat"};
    static const char month[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = time(NULL);
    struct tm tm;

    if ((uint64_t)now != s->date_s && gmtime_r(&now, &tm) != NULL) {
        s->date_s = (uint64_t)now;
        (void)snprintf(
            s->date, sizeof s->date, "%s, %02u %s %04u %02u:%02u:%02u GMT",
            day[tm.tm_wday], (unsigned)tm.tm_mday % 100, month[tm.tm_mon],
            (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
            (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    }
    return s->date;
}

static void put_number(struct buf *b, uint64_t v)
{
    char digit[20];
    size_t i = sizeof digit;

    do {
        digit[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_append(b, digit + i, sizeof digit - i);
}

static void put_fields(struct buf *b, const struct http_field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (http_token_valid(f[i].name) && http_value_valid(f[i].value)) {
            buf_append_slice(b, f[i].name);
            buf_puts(b, ": ");
            buf_append_slice(b, f[i].value);
            buf_puts(b, "\r\n");
        }
    }
}

static bool has_field(const struct http_field *f, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++) {
        if (http_name_is(f[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool is_head(const struct conn *c)
{
    return c->parser.method.n > 0 &&
           slice_is(http_parser_method(&c->parser), "HEAD");
}

void answer_build(struct http_server *s, const struct conn *c, unsigned status,
                  const struct http_field *f, size_t fields, struct slice body)
{
    struct buf *b = &s->head;
    const char *reason = http_reason(status);
    const bool plain = body.n == 0 && status >= 400;

    buf_clear(b);
    buf_puts(b, "HTTP/1.1 ");
    put_number(b, status);
    buf_putc(b, ' ');
    buf_puts(b, reason);
    buf_puts(b, "\r\nDate: ");
    buf_puts(b, date(s));
    buf_puts(b, c->close ? "\r\nConnection: close\r\n" : "\r\n");
    if ((status == 429 || status == 503) &&
        !has_field(f, fields, SLICE("retry-after"))) {
        buf_puts(b, "Retry-After: ");
        put_number(b, s->conf.retry_after);
        buf_puts(b, "\r\n");
    }
    put_fields(b, f, fields);
    if (plain) {
        body = slice_of(reason);
        buf_puts(b, "Content-Type: text/plain\r\n");
    }
    if (status != 204) {
        buf_puts(b, "Content-Length: ");
        put_number(b, body.n + plain);
        buf_puts(b, "\r\n");
    }
    buf_puts(b, "\r\n");
    if (!is_head(c) && status != 204) {
        buf_append_slice(b, body);
        buf_append(b, "\n", plain);
    }
}
