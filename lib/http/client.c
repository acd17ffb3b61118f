#include "http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

enum { CONNECT_MS = 10000, WAIT_FDS = 64 };

/* One request at a time; an easy handle is made once and used again. */
struct slot {
    struct http_client *client;
    CURL *easy;
    bool busy;
    bool cut;      /* the answer's body was too long */
    bool too_many; /* header lines */
    unsigned headers;
    size_t received;
    struct buf body;
    char *url; /* as set last */
    const char *method;
    void *tag;
    uint64_t sent_us;
    char error[CURL_ERROR_SIZE];
    /* nodes of our own: a list per request would be two allocations a line */
    struct curl_slist node[HTTP_HEADERS];
};

struct http_client {
    CURLM *multi;
    size_t slots;
    size_t busy;
    struct slot *last; /* whose answer was given out last */
    struct slot **idle;
    struct slot *slot;
};

/* Which of libcurl's errors say that nothing can have arrived. */
static const struct {
    CURLcode code;
    enum http_failure failure;
} failures[] = {
    {CURLE_URL_MALFORMAT, HTTP_UNSENDABLE},
    {CURLE_UNSUPPORTED_PROTOCOL, HTTP_UNSENDABLE},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_UNREACHABLE},
    {CURLE_COULDNT_CONNECT, HTTP_UNREACHABLE},
    {CURLE_SSL_CONNECT_ERROR, HTTP_UNREACHABLE},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_UNREACHABLE},
    {CURLE_SSL_CACERT_BADFILE, HTTP_UNREACHABLE},
    {CURLE_SSL_ISSUER_ERROR, HTTP_UNREACHABLE},
    {CURLE_SSL_CIPHER, HTTP_UNREACHABLE},
};

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;
    const size_t total = size * n;
    const size_t room = HTTP_ANSWER_KEEP - s->body.n;

    s->received += total;
    if (s->received > HTTP_ANSWER_MAX) {
        s->cut = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_append(&s->body, p, total < room ? total : room);
    return total;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
    struct slot *s = arg;

    (void)p;
    if (++s->headers > HTTP_ANSWER_HEADERS) {
        s->too_many = true;
        return 0;
    }
    return size * n;
}

static bool setup_easy(struct slot *s, uint64_t timeout_ms)
{
    CURL *c = s->easy;
    const long ms = (long)timeout_ms;
    unsigned bad = 0;

    bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, s);
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(c, CURLOPT_PROXY, ""); /* not from environment */
    bad |= curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    bad |= curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    bad |= curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    bad |=
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
    bad |=
        curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms);
    bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                            ms < CONNECT_MS ? ms : (long)CONNECT_MS);
    bad |= curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "dpp/" DPP_VERSION);
    bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
    bad |= curl_easy_setopt(c, CURLOPT_POST, 1L);
    return bad == 0;
}

struct http_client *http_client_new(size_t slots, uint64_t timeout_ms,
                                    struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        (void)err_set(e, STATUS_SYSTEM, "libcurl does not start");
        return NULL;
    }
    struct http_client *c = mem_new(sizeof *c);
    c->slots = slots;
    c->slot = mem_new(slots * sizeof *c->slot);
    c->idle = mem_new(slots * sizeof(struct slot *));
    c->multi = curl_multi_init();
    bool good = c->multi != NULL;
    if (good) {
        /* one connection a slot, none more */
        (void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)slots);
        (void)curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                                (long)slots);
    }
    for (size_t i = 0; i < slots; i++) {
        struct slot *s = &c->slot[i];
        s->client = c;
        s->easy = curl_easy_init();
        c->idle[slots - 1 - i] = s;
        good = good && s->easy != NULL && setup_easy(s, timeout_ms);
    }
    if (!good) {
        (void)err_set(e, STATUS_SYSTEM, "libcurl: no handles, or too old");
        http_client_free(c);
        return NULL;
    }
    return c;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->slots; i++) {
        struct slot *s = &c->slot[i];
        if (s->busy) {
            (void)curl_multi_remove_handle(c->multi, s->easy);
        }
        curl_easy_cleanup(s->easy);
        buf_release(&s->body);
        free(s->url);
    }
    if (c->multi != NULL) {
        (void)curl_multi_cleanup(c->multi);
    }
    free(c->slot);
    free(c->idle);
    free(c);
    curl_global_cleanup();
}

size_t http_client_busy(const struct http_client *c)
{
    return c->busy;
}

static void set_target(struct slot *s, const struct http_request *q)
{
    if (s->url == NULL || strcmp(s->url, q->url) != 0) {
        free(s->url);
        s->url = mem_strdup(q->url);
        (void)curl_easy_setopt(s->easy, CURLOPT_URL, s->url);
    }
    if (s->method == NULL || strcmp(s->method, q->method) != 0) {
        s->method = q->method;
        (void)curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, q->method);
    }
}

void http_client_send(struct http_client *c, const struct http_request *q)
{
    struct slot *s = c->idle[c->slots - 1 - c->busy];
    struct curl_slist *list = NULL;

    set_target(s, q);
    for (size_t i = q->headers; i > 0; i--) {
        /* libcurl reads the text only */
        s->node[i - 1].data = (char *)(uintptr_t)q->header[i - 1];
        s->node[i - 1].next = list;
        list = &s->node[i - 1];
    }
    (void)curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, list);
    (void)curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)q->body.n);
    (void)curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS,
                           q->body.n > 0 ? q->body.p : "");
    s->tag = q->tag;
    s->cut = s->too_many = false;
    s->headers = 0;
    s->received = 0;
    s->error[0] = '\0';
    buf_clear(&s->body);
    s->busy = true;
    s->sent_us = clock_mono_us();
    c->busy++;
    (void)curl_multi_add_handle(c->multi, s->easy);
}

int http_client_run(struct http_client *c, struct err *e)
{
    int running;
    const CURLMcode rc = curl_multi_perform(c->multi, &running);

    return rc == CURLM_OK ? 0
                          : err_set(e, STATUS_SYSTEM, "libcurl: %s",
                                    curl_multi_strerror(rc));
}

static void release_slot(struct slot *s)
{
    struct http_client *c = s->client;

    (void)curl_multi_remove_handle(c->multi, s->easy);
    s->busy = false;
    c->busy--;
    c->idle[c->slots - 1 - c->busy] = s;
}

static enum http_failure failure_of(const struct slot *s, CURLcode code)
{
    curl_off_t connected_us = 0;

    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (failures[i].code == code) {
            return failures[i].failure;
        }
    }
    if (code == CURLE_OPERATION_TIMEDOUT &&
        curl_easy_getinfo(s->easy, CURLINFO_PRETRANSFER_TIME_T,
                          &connected_us) == CURLE_OK &&
        connected_us == 0) {
        return HTTP_UNREACHABLE;
    }
    return HTTP_BROKEN;
}

static void judge(struct slot *s, CURLcode code, struct http_answer *a)
{
    long status = 0;

    (void)curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    *a = (struct http_answer){.tag = s->tag,
                              .status = (int)status,
                              .body = buf_slice(&s->body),
                              .why = "",
                              .sent_us = s->sent_us,
                              .slot = (size_t)(s - s->client->slot)};
    if (code == CURLE_OK || s->cut) {
        a->failure = HTTP_ANSWERED; /* too much of an answer is one */
    } else if (s->too_many) {
        a->failure = HTTP_BROKEN;
        a->why = "an answer with too many header lines";
    } else {
        a->failure = failure_of(s, code);
        a->why = s->error[0] != '\0' ? s->error : curl_easy_strerror(code);
    }
}

bool http_client_next(struct http_client *c, struct http_answer *a)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct slot *s = NULL;
        char *private = NULL;
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        s = (struct slot *)(void *)private;
        judge(s, m->data.result, a);
        c->last = s;
        release_slot(s);
        return true;
    }
    return false;
}

const char *http_client_header(struct http_client *c, const char *name)
{
    struct curl_header *h;

    if (c->last == NULL ||
        curl_easy_header(c->last->easy, name, 0, CURLH_HEADER, -1, &h) !=
            CURLHE_OK) {
        return NULL;
    }
    if (h->amount > 1 && curl_easy_header(c->last->easy, name, h->amount - 1,
                                          CURLH_HEADER, -1, &h) != CURLHE_OK) {
        return NULL;
    }
    return h->value;
}

void http_client_cancel(struct http_client *c, const void *tag)
{
    for (size_t i = 0; i < c->slots; i++) {
        if (c->slot[i].busy && c->slot[i].tag == tag) {
            release_slot(&c->slot[i]);
        }
    }
}

/* Our pollfd and libcurl's, both ways; descriptors below 0 are left out. */
int http_client_wait(struct http_client *c, struct pollfd *fds, size_t n,
                     int timeout_ms)
{
    struct curl_waitfd w[WAIT_FDS];
    unsigned m = 0;

    for (size_t i = 0; i < n && m < WAIT_FDS; i++) {
        fds[i].revents = 0;
        if (fds[i].fd >= 0) {
            short events = 0;
            events |= (fds[i].events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0;
            events |= (fds[i].events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0;
            w[m++] = (struct curl_waitfd){fds[i].fd, events, 0};
        }
    }
    const CURLMcode rc = curl_multi_poll(
        c->multi, w, m, timeout_ms < 0 ? 60000 : timeout_ms, NULL);
    if (rc != CURLM_OK) {
        errno = EIO;
        return -1;
    }
    m = 0;
    for (size_t i = 0; i < n && m < WAIT_FDS; i++) {
        if (fds[i].fd >= 0) {
            const short got = w[m++].revents;
            fds[i].revents |= (got & CURL_WAIT_POLLIN) != 0 ? POLLIN : 0;
            fds[i].revents |= (got & CURL_WAIT_POLLOUT) != 0 ? POLLOUT : 0;
        }
    }
    return 0;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    const bool there =
        curl_url_get(u, part, &text, 0) == CURLUE_OK && text[0] != '\0';

    curl_free(text);
    return there;
}

int http_url_check(const char *url, struct err *e)
{
    char *scheme = NULL;
    int rc = 0;
    CURLU *u = curl_url();

    if (u == NULL) {
        return err_set(e, STATUS_SYSTEM, "libcurl: no memory");
    }
    /* libcurl takes "http:///x" for "http://x" */
    const char *slashes = strstr(url, "://");
    if (slashes == NULL || slashes[3] == '/' ||
        curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) !=
            CURLUE_OK) {
        rc = err_set(e, STATUS_USAGE, "this is not a URL: %s", url);
    } else if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD)) {
        rc = err_set(e, STATUS_USAGE,
                     "no user or password in a URL: secrets are given with -k");
    } else if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
               (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        rc = err_set(e, STATUS_USAGE, "not an http or https URL: %s", url);
    }
    curl_free(scheme);
    curl_url_cleanup(u);
    return rc;
}
