#include "keep/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/client.h"
#include "vault/json.h"
#include "vault/kind.h"

enum {
    SHOWN = 120,                       /* of the endpoint's own words */
    TEXT_MAX = 4 * 3 * KIND_SHORT_MAX, /* more than fits: no growing */
    LIFETIME_MAX_S = 10 * 366 * 24 * 3600,
};

/* What goes out. Growing buffers would leave copies of secrets behind. */
struct message {
    struct buf authorization;
    struct buf body;
};

static void message_init(struct message *m)
{
    buf_init(&m->authorization);
    buf_init(&m->body);
    (void)buf_reserve(&m->authorization, TEXT_MAX);
    (void)buf_reserve(&m->body, TEXT_MAX);
}

static void wipe(struct buf *b)
{
    safe_wipe(b->p, b->cap);
    buf_release(b);
}

static void put_encoded(struct buf *b, const struct safe *s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s->n; i++) {
        const unsigned char c = s->p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (c != '\0' && strchr("-._", c))) {
            buf_putc(b, (char)c);
        } else {
            const char out[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_append(b, out, sizeof out);
        }
    }
}

/* The client names itself in a header, as every server must take it; or, for
 * those that do not, in the body. */
static void fill(struct message *m, const struct token_client *c, bool in_body)
{
    buf_clear(&m->authorization);
    buf_clear(&m->body);
    buf_puts(&m->body, "grant_type=refresh_token&refresh_token=");
    put_encoded(&m->body, c->refresh);
    if (c->secret->p != NULL && !in_body) {
        struct buf pair;
        buf_init(&pair);
        (void)buf_reserve(&pair, TEXT_MAX);
        put_encoded(&pair, c->id);
        buf_putc(&pair, ':');
        put_encoded(&pair, c->secret);
        buf_puts(&m->authorization, "Authorization: Basic ");
        base64_encode(&m->authorization, pair.p, pair.n);
        wipe(&pair);
    } else {
        buf_puts(&m->body, "&client_id=");
        put_encoded(&m->body, c->id);
    }
    if (c->secret->p != NULL && in_body) {
        buf_puts(&m->body, "&client_secret=");
        put_encoded(&m->body, c->secret);
    }
}

/* --- the answer ------------------------------------------------------------
 */

/* Text of theirs in a message of ours. */
static const char *shown(const json_t *object, const char *name,
                         char out[SHOWN + 1])
{
    const char *text = json_string_value(json_object_get(object, name));
    size_t n = 0;

    for (; text != NULL && text[n] != '\0' && n < SHOWN; n++) {
        out[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
    }
    out[n] = '\0';
    return out;
}

static int take_text(const json_t *object, const char *name, bool optional,
                     struct safe *out, struct err *e)
{
    const json_t *value = json_object_get(object, name);
    const size_t n = json_string_length(value);
    const char *p = json_string_value(value);

    if (value == NULL && optional) {
        return 0;
    }
    if (n == 0 || n > KIND_SHORT_MAX) {
        return err_set(e, STATUS_STREAM,
                       "the answer has no \"%s\" that could be one", name);
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] <= 0x20 || p[i] >= 0x7f) {
            return err_set(e, STATUS_STREAM, "the answer's \"%s\" is no token",
                           name);
        }
    }
    safe_copy(out, p, n);
    return 0;
}

static int take_tokens(const json_t *object, struct token *t, struct err *e)
{
    const json_t *type = json_object_get(object, "token_type");
    const double seconds =
        json_number_value(json_object_get(object, "expires_in"));

    if (json_is_string(type) &&
        strcasecmp(json_string_value(type), "Bearer") != 0) {
        return err_set(e, STATUS_STREAM,
                       "the answer is a token of another type than Bearer");
    }
    if (take_text(object, "access_token", false, &t->access, e) < 0 ||
        take_text(object, "refresh_token", true, &t->refresh, e) < 0) {
        return -1;
    }
    t->lifetime_ms = seconds >= 1 && seconds <= LIFETIME_MAX_S
                         ? (uint64_t)(seconds * 1000)
                         : 0;
    return 0;
}

/* Their words are shown, unless they repeat ours. */
static int refusal(const json_t *object, const struct http_answer *a,
                   const struct safe *sent, struct err *e)
{
    const bool quotes = memmem(a->body.p, a->body.n, sent->p, sent->n) != NULL;
    char code[SHOWN + 1];
    char text[SHOWN + 1];

    (void)shown(quotes ? NULL : object, "error", code);
    (void)shown(quotes ? NULL : object, "error_description", text);
    return err_set(e, STATUS_REFUSED, "%d %s%s%s", a->status, code,
                   text[0] != '\0' ? ": " : "", text);
}

static int read_answer(const struct http_answer *a, const struct safe *sent,
                       struct token *t, struct err *e)
{
    struct vault_json was;
    json_error_t where;
    int rc;

    if (a->status >= 500 || a->status == 429 || a->status == 408) {
        return err_set(e, STATUS_RETRY, "it answered %d", a->status);
    }
    vault_json_begin(&was);
    json_t *object = json_loadb(a->body.p, a->body.n, 0, &where);
    if (a->status >= 400) {
        rc = refusal(object, a, sent, e);
    } else if (a->status != 200 || !json_is_object(object)) {
        rc = err_set(e, STATUS_STREAM, "it answered %d, and %s", a->status,
                     object != NULL ? "no tokens" : "no JSON");
    } else {
        rc = take_tokens(object, t, e);
    }
    json_decref(object);
    vault_json_end(&was);
    return rc;
}

/* --- the exchange ----------------------------------------------------------
 */

static int post(struct http_client *http, const char *url, struct message *m,
                struct http_answer *a, struct err *e)
{
    const char *header[3] = {"Content-Type: application/x-www-form-urlencoded",
                             "Accept: application/json"};
    size_t n = 2;

    if (m->authorization.n > 0) {
        header[n++] = buf_cstr(&m->authorization);
    }
    const struct http_request q = {.method = "POST",
                                   .url = url,
                                   .header = header,
                                   .headers = n,
                                   .body = buf_slice(&m->body)};
    http_client_send(http, &q);
    for (;;) {
        if (http_client_run(http, e) < 0) {
            return -1;
        }
        if (http_client_next(http, a)) {
            return 0;
        }
        if (http_client_wait(http, NULL, 0, TOKEN_LIMIT_MS) < 0) {
            return err_errno(e, STATUS_SYSTEM, "poll");
        }
    }
}

static int exchange(struct http_client *http, const char *url,
                    struct message *m, const struct safe *sent, struct token *t,
                    bool *lost, struct err *e)
{
    struct http_answer a;

    if (post(http, url, m, &a, e) < 0) {
        return -1;
    }
    *lost = a.failure == HTTP_BROKEN ||
            (a.failure == HTTP_ANSWERED && a.status >= 500);
    if (a.failure != HTTP_ANSWERED) {
        return err_set(e, *lost ? STATUS_RETRY : STATUS_UNREACHABLE, "%s",
                       a.why);
    }
    const int rc = read_answer(&a, sent, t, e);
    safe_wipe((void *)(uintptr_t)a.body.p, a.body.n); /* the client's buffer */
    return rc;
}

/* It did not see who we are; so it has not looked at the refresh token. */
static bool not_known(const struct err *e)
{
    return e->status == STATUS_REFUSED &&
           (strstr(e->text, " invalid_client") != NULL ||
            strstr(e->text, " invalid_request") != NULL);
}

int token_renew(const struct token_client *c, struct token *t, bool *lost,
                struct err *e)
{
    char *url = mem_strndup((const char *)c->url->p, c->url->n);
    struct http_client *http = NULL;
    struct message m;
    int rc = -1;

    *t = (struct token){0};
    *lost = false;
    message_init(&m);
    if (http_url_check(url, e) == 0) {
        http = http_client_new(1, TOKEN_LIMIT_MS, e);
    }
    if (http != NULL) {
        fill(&m, c, false);
        rc = exchange(http, url, &m, c->refresh, t, lost, e);
    }
    if (rc < 0 && http != NULL && c->secret->p != NULL && not_known(e)) {
        fill(&m, c, true);
        rc = exchange(http, url, &m, c->refresh, t, lost, e);
    }
    if (rc < 0) {
        token_release(t);
        (void)err_wrap(e, "%s", url);
    }
    http_client_free(http);
    wipe(&m.authorization);
    wipe(&m.body);
    free(url);
    return rc;
}

void token_release(struct token *t)
{
    safe_release(&t->access);
    safe_release(&t->refresh);
}
