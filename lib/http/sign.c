#include "http/sign.h"

#include <stdlib.h>
#include <strings.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/mem.h"

enum { PIECES = 16, ID_MAX = 256, TIME_DIGITS = 15 };

enum piece_kind { LITERAL, BODY, TIME, ID };

struct piece {
    enum piece_kind kind;
    struct slice text;
};

struct sign {
    struct sign_scheme scheme;
    struct piece piece[PIECES];
    unsigned pieces;
    struct hmac *key[SIGN_KEYS_MAX];
    uint64_t until_ms[SIGN_KEYS_MAX];
    unsigned keys;
    struct buf decoded;
};

struct candidate {
    unsigned char mac[HMAC_MAX];
    size_t n;
};

/* --- a scheme ----------------------------------------------------------- */

static int add_piece(struct sign *s, enum piece_kind kind, const char *p,
                     size_t n, struct err *e)
{
    if (s->pieces == PIECES) {
        return err_set(e, STATUS_CONFIG, "\"signed\" has too many parts");
    }
    s->piece[s->pieces++] = (struct piece){kind, {p, n}};
    return 0;
}

static int parse_text(struct sign *s, struct err *e)
{
    static const struct {
        struct slice name;
        enum piece_kind kind;
    } names[] = {
        {SLICE("{body}"), BODY}, {SLICE("{ts}"), TIME}, {SLICE("{id}"), ID}};
    const char *p = s->scheme.text;

    while (*p != '\0') {
        const size_t literal = strcspn(p, "{");
        if (literal > 0) {
            if (add_piece(s, LITERAL, p, literal, e) < 0) {
                return -1;
            }
            p += literal;
            continue;
        }
        size_t i = 0;
        while (i < 3 && strncmp(p, names[i].name.p, names[i].name.n) != 0) {
            i++;
        }
        if (i == 3) {
            return err_set(e, STATUS_CONFIG,
                           "\"signed\": \"%.20s\" is none of {body}, {ts}, "
                           "{id}",
                           p);
        }
        if (add_piece(s, names[i].kind, p, names[i].name.n, e) < 0) {
            return -1;
        }
        p += names[i].name.n;
    }
    return 0;
}

static bool has_piece(const struct sign *s, enum piece_kind kind)
{
    for (unsigned i = 0; i < s->pieces; i++) {
        if (s->piece[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static int check_scheme(const struct sign *s, struct err *e)
{
    const struct sign_scheme *c = &s->scheme;
    const bool time = c->time != NULL || c->time_item != NULL;
    const char *why = NULL;

    if (!has_piece(s, BODY)) {
        why = "\"signed\" has no {body}: anything could be sent under it";
    } else if (has_piece(s, ID) && c->id == NULL) {
        why = "\"signed\" has an {id}, and \"id\" does not say which header";
    } else if (has_piece(s, TIME) != time) {
        why = time ? "a \"timestamp\" that is not in \"signed\" protects "
                     "nothing"
                   : "\"signed\" has a {ts}, and \"timestamp\" is missing";
    } else if (time && c->tolerance_ms == 0) {
        why = "\"tolerance\" is missing: how old a timestamp may be";
    } else if (!time && c->tolerance_ms > 0) {
        why = "a \"tolerance\", and no \"timestamp\"";
    } else if ((c->item != NULL || c->time_item != NULL) &&
               c->list == SIGN_ONE) {
        why = "an \"item\", and no \"list\" that it could be in";
    }
    return why == NULL ? 0 : err_set(e, STATUS_CONFIG, "%s", why);
}

struct sign *sign_new(const struct sign_scheme *scheme, struct err *e)
{
    struct sign *s = mem_new(sizeof *s);

    s->scheme = *scheme;
    buf_init(&s->decoded);
    if (parse_text(s, e) < 0 || check_scheme(s, e) < 0) {
        sign_free(s);
        return NULL;
    }
    return s;
}

void sign_free(struct sign *s)
{
    if (s == NULL) {
        return;
    }
    for (unsigned i = 0; i < s->keys; i++) {
        hmac_free(s->key[i]);
    }
    buf_release(&s->decoded);
    free(s);
}

unsigned sign_keys(const struct sign *s)
{
    return s->keys;
}

bool sign_is_field(const struct sign_scheme *c, struct slice name)
{
    return name.n == strlen(c->header) &&
           strncasecmp(name.p, c->header, name.n) == 0;
}

/* --- keys --------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_decode(struct buf *out, struct slice s)
{
    if (s.n % 2 != 0) {
        return -1;
    }
    for (size_t i = 0; i < s.n; i += 2) {
        const int high = hex_digit(s.p[i]);
        const int low = hex_digit(s.p[i + 1]);
        if (high < 0 || low < 0) {
            return -1;
        }
        buf_putc(out, (char)(high << 4 | low));
    }
    return 0;
}

static bool has_prefix(struct slice s, const char *prefix)
{
    const size_t n = strlen(prefix);

    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

int sign_add_key(struct sign *s, struct slice secret, uint64_t until_ms,
                 struct err *e)
{
    const char *prefix = s->scheme.key_prefix;
    struct buf key;
    int rc = 0;

    if (s->keys == SIGN_KEYS_MAX) {
        return err_set(e, STATUS_CONFIG, "more than %d keys", SIGN_KEYS_MAX);
    }
    if (has_prefix(secret, prefix)) {
        secret.p += strlen(prefix);
        secret.n -= strlen(prefix);
    }
    buf_init(&key);
    if (s->scheme.key == SIGN_KEY_HEX) {
        rc = hex_decode(&key, secret);
    } else if (s->scheme.key == SIGN_KEY_BASE64) {
        rc = base64_decode(&key, secret.p, secret.n);
    } else {
        buf_append_slice(&key, secret);
    }
    if (rc < 0 || key.n == 0) {
        rc = err_set(e, STATUS_CONFIG, "the secret is %s",
                     rc == 0                         ? "empty"
                     : s->scheme.key == SIGN_KEY_HEX ? "no hexadecimal"
                                                     : "no base 64");
    } else {
        struct hmac *h = hmac_new(s->scheme.hmac, key.p, key.n);
        if (h == NULL) {
            rc = err_set(e, STATUS_SYSTEM,
                         "the cryptographic library refuses "
                         "this kind of HMAC");
        } else {
            s->until_ms[s->keys] = until_ms;
            s->key[s->keys++] = h;
        }
    }
    if (key.n > 0) {
        crypto_wipe(key.p, key.n);
    }
    buf_release(&key);
    return rc;
}

/* --- a request ---------------------------------------------------------- */

static int one_field(const struct http_message *m, const char *name,
                     struct slice *value, struct err *why)
{
    switch (http_message_find(m, name, value)) {
    case 0:
        return err_set(why, STATUS_REFUSED, "there is no %s", name);
    case 1:
        return 0;
    default:
        return err_set(why, STATUS_REFUSED, "there is more than one %s", name);
    }
}

/* The next element of the field; false at its end. */
static bool next_element(unsigned list, struct slice *rest, struct slice *out)
{
    const char separator = list == SIGN_COMMA ? ',' : ' ';

    if (rest->p == NULL) {
        return false;
    }
    const char *end =
        list != SIGN_ONE ? memchr(rest->p, separator, rest->n) : NULL;
    *out = *rest;
    if (end != NULL) {
        out->n = (size_t)(end - rest->p);
        rest->p = end + 1;
        rest->n -= out->n + 1;
    } else {
        *rest = (struct slice){0};
    }
    while (out->n > 0 && out->p[0] == ' ') {
        out->p++;
        out->n--;
    }
    return true;
}

/* Without "name=" if the element has this name. */
static bool element_is(struct slice *s, const char *name)
{
    const size_t n = strlen(name);

    if (s->n <= n || memcmp(s->p, name, n) != 0 || s->p[n] != '=') {
        return false;
    }
    s->p += n + 1;
    s->n -= n + 1;
    return true;
}

static bool decode(struct sign *s, struct slice text, struct candidate *c)
{
    buf_clear(&s->decoded);
    const int rc = s->scheme.encoding == SIGN_HEX
                       ? hex_decode(&s->decoded, text)
                       : base64_decode(&s->decoded, text.p, text.n);
    if (rc < 0 || s->decoded.n == 0 || s->decoded.n > HMAC_MAX) {
        return false;
    }
    memcpy(c->mac, s->decoded.p, s->decoded.n);
    c->n = s->decoded.n;
    return true;
}

/* All candidates of the field, and the time if it is in there. */
static int read_candidates(struct sign *s, struct slice field,
                           struct candidate *c, unsigned *n, struct slice *time,
                           struct err *why)
{
    const struct sign_scheme *k = &s->scheme;
    struct slice part;

    *n = 0;
    while (next_element(k->list, &field, &part)) {
        struct slice t = part;
        if (k->time_item != NULL && element_is(&t, k->time_item)) {
            if (time->p != NULL) {
                return err_set(why, STATUS_REFUSED,
                               "%s has more than one %s=", k->header,
                               k->time_item);
            }
            *time = t;
            continue;
        }
        if ((k->item != NULL && !element_is(&part, k->item)) ||
            !has_prefix(part, k->prefix)) {
            continue;
        }
        part.p += strlen(k->prefix);
        part.n -= strlen(k->prefix);
        if (*n == SIGN_CANDIDATES_MAX) {
            return err_set(why, STATUS_REFUSED, "%s has too many signatures",
                           k->header);
        }
        *n += decode(s, part, &c[*n]);
    }
    return *n > 0
               ? 0
               : err_set(why, STATUS_REFUSED,
                         "%s has no signature of the expected form", k->header);
}

static int check_time(const struct sign *s, struct slice time, uint64_t now_ms,
                      struct err *why)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < time.n; i++) {
        if (time.p[i] < '0' || time.p[i] > '9' || time.n > TIME_DIGITS) {
            return err_set(why, STATUS_REFUSED, "the timestamp is no number");
        }
        ms = ms * 10 + (uint64_t)(time.p[i] - '0');
    }
    if (time.n == 0) {
        return err_set(why, STATUS_REFUSED, "there is no timestamp");
    }
    ms *= s->scheme.unit == SIGN_SECONDS ? 1000 : 1;
    const uint64_t off = ms > now_ms ? ms - now_ms : now_ms - ms;
    if (off > s->scheme.tolerance_ms) {
        return err_set(why, STATUS_REFUSED,
                       "the timestamp is %llu s %s, tolerated are %llu s",
                       (unsigned long long)off / 1000,
                       ms > now_ms ? "ahead" : "old",
                       (unsigned long long)s->scheme.tolerance_ms / 1000);
    }
    return 0;
}

/* An id is signed beside other text: it may not look like that text. */
static int check_id(struct slice id, struct err *why)
{
    bool good = id.n > 0 && id.n <= ID_MAX;

    for (size_t i = 0; i < id.n; i++) {
        good &= id.p[i] > ' ' && id.p[i] <= '~' && id.p[i] != '.';
    }
    return good ? 0 : err_set(why, STATUS_REFUSED, "the id is not acceptable");
}

static bool matches(struct sign *s, const struct http_message *m,
                    struct slice time, struct slice id,
                    const struct candidate *c, unsigned n, uint64_t now_ms)
{
    bool good = false;

    for (unsigned k = 0; k < s->keys; k++) {
        unsigned char mac[HMAC_MAX];
        for (unsigned i = 0; i < s->pieces; i++) {
            const struct piece *p = &s->piece[i];
            const struct slice part = p->kind == BODY   ? m->body
                                      : p->kind == TIME ? time
                                      : p->kind == ID   ? id
                                                        : p->text;
            hmac_add(s->key[k], part.p, part.n);
        }
        const size_t size = hmac_end(s->key[k], mac);
        const bool holds = s->until_ms[k] == 0 || now_ms < s->until_ms[k];
        for (unsigned i = 0; i < n; i++) {
            good |=
                crypto_equal(mac, c[i].mac, size) & (c[i].n == size) & holds;
        }
    }
    return good;
}

int sign_verify(struct sign *s, const struct http_message *m, uint64_t now_ms,
                struct err *why)
{
    const struct sign_scheme *k = &s->scheme;
    struct candidate c[SIGN_CANDIDATES_MAX] = {0};
    struct slice field = {0};
    struct slice time = {0};
    struct slice id = {0};
    unsigned n;

    if (one_field(m, k->header, &field, why) < 0 ||
        read_candidates(s, field, c, &n, &time, why) < 0 ||
        (k->time != NULL && one_field(m, k->time, &time, why) < 0) ||
        (k->id != NULL && has_piece(s, ID) &&
         (one_field(m, k->id, &id, why) < 0 || check_id(id, why) < 0))) {
        return -1;
    }
    if (k->tolerance_ms > 0 && check_time(s, time, now_ms, why) < 0) {
        return -1;
    }
    if (!matches(s, m, time, id, c, n, now_ms)) {
        return err_set(why, STATUS_REFUSED,
                       "no key made this signature (%u key%s, %u signature%s)",
                       s->keys, s->keys == 1 ? "" : "s", n, n == 1 ? "" : "s");
    }
    return 0;
}
