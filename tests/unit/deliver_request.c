/* Templates, and the request that an event becomes. */
#include "deliver/request.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/rand.h"
#include "deliver/target.h"
#include "record/event.h"
#include "unit.h"

#define EVENT(rest)                                                            \
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":"        \
    "\"t\"" rest "}"

static struct target *target(const char *url, const char *header)
{
    const char *const headers[] = {header};
    const struct target_conf conf = {.url = url,
                                     .method = "POST",
                                     .header = headers,
                                     .headers = header != NULL};
    struct err e;
    struct target *t = target_new(&conf, &e);

    if (t == NULL) {
        unit_check(false, "%s: %s", url, e.text);
        exit(1);
    }
    return t;
}

static int fill(struct target *t, const char *line, struct request *r,
                struct err *e)
{
    static struct event ev;
    bool reordered;

    return event_parse(&ev, slice_of(line), &reordered, e) < 0
               ? -2
               : request_fill(t, &ev, r, e);
}

static const char *header(const struct request *r, const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < r->headers; i++) {
        if (strncmp(r->header[i], name, n) == 0 && r->header[i][n] == ':') {
            return r->header[i] + n + 1;
        }
    }
    return "(none)";
}

static void urls(void)
{
    static const struct {
        const char *url;
        const char *event;
        const char *want; /* NULL: the event is at fault */
    } cases[] = {
        {"http://h/{id}", EVENT(""), "http://h/1"},
        {"http://h/a{{b}}", EVENT(""), "http://h/a{b}"},
        {"http://h/{data}", EVENT(",\"data\":7"), "http://h/7"},
        {"http://h/{data.a.b}", EVENT(",\"data\":{\"a\":{\"b\":true}}"),
         "http://h/true"},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":\"/?#%&+ \\u00e9~\"}"),
         "http://h/%2F%3F%23%25%26%2B%20%C3%A9~"},
        {"http://h/{data.a}", EVENT(",\"data_base64\":\"eyJhIjoxfQ==\""),
         "http://h/1"},
        {"http://h/{my}", EVENT(",\"my\":\"ext\""), "http://h/ext"},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":1e400}"),
         "http://h/1e400"},
        {"http://h/x{data.a}", EVENT(",\"data\":{\"a\":\".\"}"), "http://h/x."},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":\"..\"}"), NULL},
        {"http://h/{data.a}{data.a}/x", EVENT(",\"data\":{\"a\":\".\"}"), NULL},
        {"http://h/?q={data.a}", EVENT(",\"data\":{\"a\":\"..\"}"),
         "http://h/?q=.."},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":\"\"}"), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":null}"), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":[1]}"), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":[]"), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":\"a\""), NULL},
        {"http://h/{data.a}", EVENT(""), NULL},
        {"http://h/{data.a}", EVENT(",\"data_base64\":\"AP8=\""), NULL},
        {"http://h/{data.a}", EVENT(",\"data_base64\":\"!\""), NULL},
        {"http://h/{subject}", EVENT(""), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":\"\\u0000\"}"), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":\"x\\ny\"}"), NULL},
        {"http://h/{data.a}", EVENT(",\"data\":{\"a\":\"\\u007f\"}"), NULL},
    };
    struct request r = {0};
    struct err e;
    bool good = true;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target *t = target(cases[i].url, NULL);
        const int rc = fill(t, cases[i].event, &r, &e);
        const bool as_wanted =
            cases[i].want == NULL
                ? rc == -1
                : rc == 0 && strcmp(r.url, cases[i].want) == 0;
        good = (as_wanted ||
                unit_check(false, "%s of %s gives %s", cases[i].url,
                           cases[i].event, rc == 0 ? r.url : e.text)) &&
               good;
        target_free(t);
    }
    unit_check(good, "URLs are filled, encoded, or the event is at fault");
    request_release(&r);
}

static void headers(void)
{
    struct target *t = target("http://h/", "X-A: <{data.a}>");
    struct request r = {0};
    struct err e;
    const char *bad[] = {"\\r\\nEvil: 1", "\\n", "\\u0000", "\\u001b",
                         "\\u007f"};
    char line[300];
    bool good = true;

    unit_check(fill(t, EVENT(",\"data\":{\"a\":\"\\u00e9 x\"}"), &r, &e) == 0 &&
                   strcmp(header(&r, "X-A"), " <\xc3\xa9 x>") == 0,
               "a header is filled with the value as it is");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(line, sizeof line, EVENT(",\"data\":{\"a\":\"%s\"}"),
                       bad[i]);
        good = good && fill(t, line, &r, &e) == -1;
    }
    unit_check(good, "but never with a control character");
    target_free(t);
    t = target("http://h/", "X-E: {data.a}");
    unit_check(fill(t, EVENT(",\"data\":{\"a\":\"\"}"), &r, &e) == 0 &&
                   strcmp(r.header[r.headers - 1], "X-E;") == 0,
               "an empty one is sent empty");
    target_free(t);
    t = target("http://h/", "content-type: text/{type}");
    unit_check(fill(t, EVENT(",\"data\":1"), &r, &e) == 0 &&
                   strcmp(header(&r, "content-type"), " text/t") == 0 &&
                   strcmp(header(&r, "Content-Type"), "(none)") == 0,
               "one of ours gives way to the user's");
    target_free(t);
    request_release(&r);
}

static void keys(void)
{
    struct target *t = target("http://h/", NULL);
    struct request r = {0};
    struct err e;
    char first[100];

    (void)fill(t, EVENT(",\"data\":1"), &r, &e);
    (void)snprintf(first, sizeof first, "%s", header(&r, "Idempotency-Key"));
    (void)fill(t, EVENT(",\"data\":2,\"dpporigin\":\"a/0/1\""), &r, &e);
    unit_check(strlen(first) == 33 &&
                   strcmp(first, header(&r, "Idempotency-Key")) == 0,
               "the Idempotency-Key hangs on source and id only");
    (void)fill(t,
               "{\"specversion\":\"1.0\",\"id\":\"s/1\",\"source\":\"/\","
               "\"type\":\"t\"}",
               &r, &e);
    unit_check(strcmp(first, header(&r, "Idempotency-Key")) != 0,
               "and tells where one ends and the other begins");
    unit_check(strcmp(header(&r, "Content-Type"), "") == 0 && r.body.n == 0,
               "a tombstone has neither body nor type");
    unit_check(fill(t,
                    EVENT(",\"datacontenttype\":\"a/b\\r\\nX: y\",\"data\":1"),
                    &r, &e) == -1,
               "a type with a line end is refused");
    unit_check(fill(t, EVENT(",\"data_base64\":\"****\""), &r, &e) == -1,
               "so is a body that is no base 64");
    unit_check(fill(t,
                    EVENT(",\"datacontenttype\":\"text/xml\",\"data\":"
                          "\"<a b=\\\"c\\\"/>\""),
                    &r, &e) == 0 &&
                   slice_is(r.body, "<a b=\"c\"/>"),
               "a string of another type than JSON is sent as its text");
    target_free(t);
    request_release(&r);
}

static bool clean(const char *s)
{
    for (; *s != '\0'; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Whatever is in the attributes: no line end gets into a request. */
static void fuzz(void)
{
    static const char *const pieces[] = {
        "\\r", "\\n", "\\u0000", "\\u000d\\u000a", "\\\\",    "\\\"",   "{",
        "}",   ":",   " ",       "\xc3\xa9",       "\\ud800", "%",      "/",
        "..",  "a",   "\\t",     "\\u0085",        ";",       "\\u2028"};
    struct target *t = target("http://h/{subject}?{data.a}", "X: {subject}");
    struct request r = {0};
    struct err e;
    char line[2000];
    char v[5][300];
    bool good = true;
    int filled = 0;

    for (int i = 0; i < 50000; i++) {
        for (int k = 0; k < 5; k++) {
            v[k][0] = '\0';
            for (uint64_t n = rand_below(4); n > 0; n--) {
                const uint64_t p = rand_below(sizeof pieces / sizeof pieces[0]);
                (void)strcat(v[k], pieces[p]);
            }
        }
        (void)snprintf(line, sizeof line,
                       "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":"
                       "\"%s\",\"type\":\"%s\",\"subject\":\"%s\","
                       "\"datacontenttype\":\"%s\",\"data\":{\"a\":\"%s\"}}",
                       v[0], v[1], v[2], v[3], v[4], v[0]);
        if (fill(t, line, &r, &e) != 0) {
            continue;
        }
        filled++;
        good = good && clean(r.url);
        for (size_t h = 0; h < r.headers; h++) {
            good = good && clean(r.header[h]);
        }
    }
    unit_check(good && filled > 1000,
               "of %d requests from hostile events none has a control "
               "character",
               filled);
    target_free(t);
    request_release(&r);
}

int main(void)
{
    urls();
    headers();
    keys();
    fuzz();
    return unit_end();
}
