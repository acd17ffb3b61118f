#include "deliver/target.h"

#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "http/client.h"
#include "vault/kind.h"
#include "vault/secret.h"

const char *const target_own_name[TARGET_OWN] = {
    "Content-Type", "Idempotency-Key", "ce-specversion", "ce-id",
    "ce-source",    "ce-type",         "ce-time",        "Expect",
};

/* The framing of the message is libcurl's. */
static const char *const refused[] = {
    "Content-Length", "Transfer-Encoding", "Connection",
    "Upgrade",        "Trailer",           "TE",
    "Keep-Alive",
};

static const char *find_method(const char *name)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(name, methods[i]) == 0) {
            return methods[i];
        }
    }
    return NULL;
}

/* The host is the operator's word: an event chooses path and query only. */
static int check_host(const struct template *t, struct err *e)
{
    if (!t->has_places) {
        return 0;
    }
    struct slice first = t->piece[0].literal;
    const char *colon =
        first.p != NULL ? memmem(first.p, first.n, "://", 3) : NULL;
    for (const char *p = colon != NULL ? colon + 3 : first.p;
         colon != NULL && p < first.p + first.n; p++) {
        if (strchr("/?", *p) != NULL) {
            return 0;
        }
    }
    return err_set(e, STATUS_USAGE,
                   "a {place} in the host of a URL: an event may fill the path "
                   "and the query only");
}

static int parse_url(struct target *t, const char *url, struct err *e)
{
    struct buf example;
    int rc;

    if (template_parse(&t->template, url, TEMPLATE_URL, e) < 0) {
        return err_wrap(e, "%s", url);
    }
    buf_init(&example);
    for (size_t i = 0; i < t->template.n; i++) {
        const struct slice text = t->template.piece[i].literal;
        buf_append_slice(&example, text.p != NULL ? text : SLICE("x"));
    }
    rc = http_url_check(buf_cstr(&example), e);
    if (rc == 0) {
        rc = check_host(&t->template, e);
    }
    t->url = t->template.has_places ? mem_strdup(url)
                                    : mem_strndup(example.p, example.n);
    t->name = mem_strndup(url, strcspn(url, "?"));
    buf_release(&example);
    return rc;
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL))) {
            return false;
        }
    }
    return s.n > 0;
}

bool target_has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') ||
            s.p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static int check_name(struct target *t, struct slice name, struct err *e)
{
    if (!is_token(name)) {
        return err_set(e, STATUS_USAGE, "write it as 'Name: value'");
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (name.n == strlen(refused[i]) &&
            strncasecmp(name.p, refused[i], name.n) == 0) {
            return err_set(e, STATUS_USAGE, "this header is not yours to set");
        }
    }
    for (size_t i = 0; i < TARGET_OWN; i++) {
        if (name.n == strlen(target_own_name[i]) &&
            strncasecmp(name.p, target_own_name[i], name.n) == 0) {
            t->own[i] = false;
        }
    }
    return 0;
}

static int add_header(struct target *t, const char *text, struct err *e)
{
    const size_t n = strcspn(text, ":");
    const char *value = text + n + (text[n] == ':');

    value += strspn(value, " \t");
    if (t->headers == TARGET_HEADERS_MAX) {
        return err_set(e, STATUS_USAGE, "more than %d of -H",
                       TARGET_HEADERS_MAX);
    }
    if (text[n] != ':') {
        return err_set(e, STATUS_USAGE, "-H '%s': write it as 'Name: value'",
                       text);
    }
    if (check_name(t, (struct slice){text, n}, e) < 0) {
        return err_wrap(e, "-H '%.*s'", (int)n, text);
    }
    if (target_has_control(slice_of(value))) {
        return err_set(e, STATUS_USAGE, "-H '%.*s': a control character",
                       (int)n, text);
    }
    struct target_header *h = &t->header[t->headers++];
    h->name = mem_strndup(text, n);
    return template_parse(&h->value, value, TEMPLATE_HEADER, e) < 0
               ? err_wrap(e, "-H '%.*s'", (int)n, text)
               : 0;
}

static int check_secret(struct target *t, const char *ref, struct err *e)
{
    bool used = false;
    bool authorization = false;

    for (size_t i = 0; i < t->headers; i++) {
        used = used || t->header[i].value.has_secret;
        authorization = authorization ||
                        strcasecmp(t->header[i].name, "Authorization") == 0;
    }
    if (used && ref == NULL) {
        return err_set(e, STATUS_USAGE, "{secret} needs -k");
    }
    if (ref == NULL || used) {
        return ref != NULL ? secret_check(ref, e) : 0;
    }
    if (authorization) {
        return err_set(e, STATUS_USAGE,
                       "-k is used nowhere: write {secret} into the "
                       "Authorization header");
    }
    struct target_header *h = &t->header[t->headers++];
    h->name = mem_strdup("Authorization");
    h->ours = true;
    return secret_check(ref, e);
}

/* What a header of our own says: user and password, from an entry of that kind,
 * go by RFC 7617, all else is a token. */
static void fill_ours(struct target *t)
{
    const struct kind *k = t->secret != NULL ? secret_kind(t->secret) : NULL;
    const bool basic = k != NULL && strcmp(k->name, "basic") == 0 &&
                       strchr(secret_ref(t->secret), '.') == NULL;
    struct err never;

    for (size_t i = 0; i < t->headers; i++) {
        struct target_header *h = &t->header[i];
        if (h->ours) {
            template_release(&h->value);
            (void)template_parse(
                &h->value, basic ? "Basic {secret.base64}" : "Bearer {secret}",
                TEMPLATE_HEADER, &never);
        }
    }
}

static void forget_line(struct target_header *h)
{
    safe_wipe(h->line.p, h->line.cap);
    buf_release(&h->line);
}

/* Lines that no event fills are made once. */
static void make_lines(struct target *t)
{
    struct err never;

    fill_ours(t);
    for (size_t i = 0; i < t->headers; i++) {
        struct target_header *h = &t->header[i];
        if (h->value.has_places) {
            continue;
        }
        forget_line(h);
        if (h->value.has_secret) { /* growing would leave copies behind */
            (void)buf_reserve(&h->line, strlen(h->value.text) +
                                            strlen(h->name) + 2 * SECRET_MAX);
        }
        buf_puts(&h->line, h->name);
        buf_puts(&h->line, h->value.n > 0 ? ": " : ":");
        (void)template_fill(&h->value, TEMPLATE_HEADER, NULL,
                            safe_slice(&t->value), NULL, &h->line, &never);
        buf_putc(&h->line, '\0');
    }
}

struct target *target_new(const struct target_conf *conf, struct err *e)
{
    struct target *t = mem_new(sizeof *t);

    for (size_t i = 0; i < TARGET_OWN; i++) {
        t->own[i] = true;
    }
    t->digest = digest_new();
    t->method = find_method(conf->method);
    if (t->method == NULL) {
        (void)err_set(e, STATUS_USAGE,
                      "--method %s: POST, PUT, PATCH or DELETE", conf->method);
        goto fail;
    }
    if (parse_url(t, conf->url, e) < 0) {
        goto fail;
    }
    for (size_t i = 0; i < conf->headers; i++) {
        if (add_header(t, conf->header[i], e) < 0) {
            goto fail;
        }
    }
    if (check_secret(t, conf->secret, e) < 0) {
        goto fail;
    }
    t->secret = conf->secret != NULL ? secret_new(conf->secret) : NULL;
    if (conf->sealing.open.n > 0) {
        t->sealer = sealer_new(&conf->sealing, e);
        if (t->sealer == NULL) {
            goto fail;
        }
    }
    make_lines(t);
    return t;
fail:
    target_free(t);
    return NULL;
}

void target_free(struct target *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->headers; i++) {
        free(t->header[i].name);
        template_release(&t->header[i].value);
        forget_line(&t->header[i]);
    }
    template_release(&t->template);
    safe_release(&t->value);
    secret_free(t->secret);
    digest_free(t->digest);
    sealer_free(t->sealer);
    free(t->url);
    free(t->name);
    free(t);
}

int target_start(struct target *t, struct err *e)
{
    return t->sealer != NULL ? sealer_start(t->sealer, e) : 0;
}

int target_load_secret(struct target *t, struct err *e)
{
    if (t->secret == NULL) {
        return 0;
    }
    if (secret_load(t->secret, e) < 0) {
        return -1;
    }
    const struct slice fresh = secret_value(t->secret);
    if (target_has_control(fresh) || fresh.n > TARGET_TEXT_MAX) {
        return err_set(e, STATUS_REFUSED,
                       "secret %s: it has a line end or a control character "
                       "in it, or is longer than %d bytes",
                       secret_ref(t->secret), TARGET_TEXT_MAX);
    }
    if (fresh.n == t->value.n && safe_equal(fresh.p, t->value.p, fresh.n)) {
        return 0;
    }
    safe_release(&t->value);
    safe_copy(&t->value, fresh.p, fresh.n);
    make_lines(t);
    return 1;
}

bool target_is_stale(const struct target *t)
{
    return t->secret != NULL && secret_is_stale(t->secret);
}

void target_refused(const struct target *t)
{
    if (t->secret != NULL) {
        secret_refused(t->secret);
    }
}

bool target_waits(const struct target *t)
{
    return t->secret != NULL && secret_waits(t->secret);
}

bool target_is_renewing(const struct target *t)
{
    return t->secret != NULL && secret_is_renewing(t->secret);
}

void target_hide_secret(struct target *t)
{
    static const char text[] = "(secret)";

    safe_release(&t->value);
    safe_copy(&t->value, text, sizeof text - 1);
    make_lines(t);
}
