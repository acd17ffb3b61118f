#include "deliver/answer.h"

#include "http/client.h"
#include "record/json.h"

enum { BODY_SHOWN = 200 };

/* The first row that holds the status. */
static const struct {
    int from;
    int to;
    enum answer_action action;
} statuses[] = {
    {200, 299, ANSWER_ACCEPTED}, {300, 399, ANSWER_PAUSE}, /* never followed */
    {401, 401, ANSWER_PAUSE}, /* an expired token must not drain a stream */
    {403, 403, ANSWER_PAUSE}, /* into the dead letters */
    {407, 407, ANSWER_PAUSE},    {408, 409, ANSWER_RETRY},
    {410, 410, ANSWER_GONE},     {425, 425, ANSWER_RETRY},
    {429, 429, ANSWER_SLOW},     {400, 499, ANSWER_DEAD},
    {0, 999, ANSWER_RETRY}, /* 5xx, and what no HTTP server says */
};

static const enum answer_action failures[] = {
    [HTTP_ANSWERED] = ANSWER_RETRY,
    [HTTP_UNREACHABLE] = ANSWER_DOWN,
    [HTTP_BROKEN] = ANSWER_RETRY,
    [HTTP_UNSENDABLE] = ANSWER_DEAD,
};

/* For people only. */
static const struct {
    int status;
    const char *name;
} names[] = {
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

enum answer_action answer_judge(const struct http_answer *a)
{
    if (a->failure != HTTP_ANSWERED) {
        return failures[a->failure];
    }
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (a->status >= statuses[i].from && a->status <= statuses[i].to) {
            return statuses[i].action;
        }
    }
    return ANSWER_RETRY;
}

/* The body as one line: blanks for what would end it or steer a terminal. */
static void append_body(struct slice body, struct buf *b)
{
    size_t n = body.n < BODY_SHOWN ? body.n : (size_t)BODY_SHOWN;

    while (n > 0 && n < body.n && ((unsigned char)body.p[n] & 0xc0) == 0x80) {
        n--; /* not in the middle of a character */
    }
    if (n == 0 || !utf8_valid((struct slice){body.p, n})) {
        return;
    }
    buf_puts(b, ": ");
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)body.p[i];
        buf_putc(b, c < 0x20 || c == 0x7f ? ' ' : body.p[i]);
    }
    while (b->p[b->n - 1] == ' ') {
        b->n--;
    }
}

void answer_describe(const struct http_answer *a, struct buf *b)
{
    if (a->failure != HTTP_ANSWERED) {
        const size_t n = strcspn(a->why, "\r\n");
        buf_append(b, a->why, n < BODY_SHOWN ? n : (size_t)BODY_SHOWN);
        return;
    }
    buf_printf(b, "%d", a->status);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].status == a->status) {
            buf_putc(b, ' ');
            buf_puts(b, names[i].name);
        }
    }
    append_body(a->body, b);
}
