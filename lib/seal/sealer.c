#include "seal/part.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/json.h"

enum { KEEP = 1024 * 1024 };

static int add_rule(struct seal_rule **rules, size_t *n, const char *text,
                    struct err *e)
{
    *rules = mem_resize(*rules, (*n + 1) * sizeof **rules);
    struct seal_rule *r = &(*rules)[(*n)++];
    const size_t ref = strcspn(text, "=");
    *r = (struct seal_rule){.ref = mem_strndup(text, ref)};
    if (text[ref] == '=' && path_parse(&r->path, text + ref + 1, e) < 0) {
        return -1;
    }
    return ring_check(r->ref, e);
}

/* All of it, or fields. */
static int check_rules(const struct sealer *s, struct err *e)
{
    for (size_t i = 0; i < s->seals; i++) {
        if (s->seal[i].path.n == 0 && s->seals > 1) {
            return err_set(e, STATUS_USAGE,
                           "--seal %s seals all of the data: no other --seal "
                           "can stand beside it",
                           s->seal[i].ref);
        }
    }
    for (size_t i = 0; i < s->opens; i++) {
        if (s->open[i].path.text != NULL) {
            return err_set(e, STATUS_USAGE,
                           "--open %s finds its fields by itself: leave %s out",
                           s->open[i].ref, s->open[i].path.text);
        }
    }
    return 0;
}

static int read_forgotten(struct sealer *s, const char *text, struct err *e)
{
    static const char *const words[] = {"erase", "dead", "pass"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text == NULL || strcmp(words[i], text) == 0) {
            s->forgotten = i;
            return 0;
        }
    }
    return err_set(e, STATUS_USAGE, "--forgotten %.40s: erase, dead or pass",
                   text);
}

struct sealer *sealer_new(const struct sealer_options *o, struct err *e)
{
    struct sealer *s = mem_new(sizeof *s);

    if (read_forgotten(s, o->forgotten, e) < 0) {
        goto fail;
    }
    for (size_t i = 0; i < o->seal.n; i++) {
        if (add_rule(&s->seal, &s->seals, o->seal.v[i], e) < 0) {
            (void)err_wrap(e, "--seal");
            goto fail;
        }
    }
    for (size_t i = 0; i < o->open.n; i++) {
        if (add_rule(&s->open, &s->opens, o->open.v[i], e) < 0) {
            (void)err_wrap(e, "--open");
            goto fail;
        }
    }
    if (check_rules(s, e) < 0) {
        goto fail;
    }
    return s;
fail:
    sealer_free(s);
    return NULL;
}

static void free_rules(struct seal_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ring_close(rules[i].ring);
        path_release(&rules[i].path);
        free(rules[i].ref);
    }
    free(rules);
}

void sealer_free(struct sealer *s)
{
    if (s == NULL) {
        return;
    }
    free_rules(s->seal, s->seals);
    free_rules(s->open, s->opens);
    buf_release(&s->text);
    buf_release(&s->ad);
    buf_release(&s->sealed);
    buf_release(&s->plain);
    buf_release(&s->body);
    buf_release(&s->pointer);
    for (int i = 0; i < 2; i++) {
        buf_release(&s->fields[i]);
        buf_release(&s->line[i]);
    }
    buf_release(&s->why);
    free(s);
}

static int start_rules(struct seal_rule *rules, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (rules[i].ring == NULL) {
            rules[i].ring = ring_open(rules[i].ref, e);
        }
        if (rules[i].ring == NULL) {
            return -1;
        }
    }
    return 0;
}

int sealer_start(struct sealer *s, struct err *e)
{
    return start_rules(s->seal, s->seals, e) < 0 ||
                   start_rules(s->open, s->opens, e) < 0
               ? -1
               : 0;
}

/* --- pieces ----------------------------------------------------------------
 */

/* A string's text; its place in room is kept, as room may move. */
static void decode(struct slice raw, struct slice *out, struct buf *room)
{
    *out = (struct slice){raw.p + 1, raw.n - 2};
    if (raw.p == NULL) {
        *out = (struct slice){"", 0};
    } else if (memchr(raw.p, '\\', raw.n) != NULL) {
        const size_t from = room->n;
        json_decode(room, raw);
        *out = (struct slice){room->p + from, room->n - from};
    }
}

void seal_enter(struct sealer *s, const struct event *ev)
{
    buf_clear(&s->text);
    /* No text is longer when it is decoded. */
    (void)buf_reserve(&s->text, ev->source.n + ev->id.n + ev->subject.n);
    decode(ev->source, &s->place.source, &s->text);
    decode(ev->id, &s->place.id, &s->text);
    decode(ev->subject, &s->place.subject, &s->text);
}

static int no_subject(struct sealer *s, const struct seal_rule *r)
{
    buf_clear(&s->why);
    buf_printf(&s->why, "no subject, and %s has a key for each", r->ref);
    return -1;
}

int seal_begin(struct sealer *s, const struct seal_rule *r,
               struct seal_piece *p)
{
    const bool subjects = ring_has_subjects(r->ring);

    if (subjects && s->place.subject.n == 0) {
        return no_subject(s, r);
    }
    p->key = subjects ? ring_subject(r->ring, s->place.subject, s->e)
                      : ring_current(r->ring);
    if (p->key == NULL) {
        s->failed = true;
        return -1;
    }
    buf_clear(&s->sealed);
    p->head =
        envelope_begin(&s->sealed, subjects ? ENVELOPE_SUBJECT : ENVELOPE_KEY,
                       ring_name(r->ring), p->key->id, ring_nonce(r->ring));
    p->from = s->sealed.n;
    return 0;
}

void seal_end(struct sealer *s, const struct seal_piece *p, struct slice path)
{
    const size_t n = s->sealed.n - p->from;

    (void)buf_reserve(&s->sealed, KEYS_TAG);
    s->place.path = path;
    envelope_bind(&s->ad, (struct slice){s->sealed.p, p->head}, &s->place);
    keys_seal_here(&p->key->key, buf_slice(&s->ad),
                   (unsigned char *)s->sealed.p + p->head,
                   s->sealed.p + p->from, n);
    s->sealed.n += KEYS_TAG;
}

/* Without "#2" behind it; false if there is none. */
static bool cut_split(struct slice *id)
{
    size_t n = id->n;

    while (n > 0 && id->p[n - 1] >= '0' && id->p[n - 1] <= '9') {
        n--;
    }
    if (n == 0 || n == id->n || id->p[n - 1] != '#') {
        return false;
    }
    id->n = n - 1;
    return true;
}

static bool try_to_open(struct sealer *s, const struct envelope *v,
                        const struct safe *key, struct slice path)
{
    struct envelope_place at = s->place;
    bool good;

    at.path = path;
    buf_clear(&s->plain);
    char *out = buf_reserve(&s->plain, v->sealed.n);
    do {
        envelope_bind(&s->ad, v->head, &at);
        good = keys_open_into(key, buf_slice(&s->ad), v->nonce, v->sealed, out);
    } while (!good && cut_split(&at.id));
    s->plain.n = good ? v->sealed.n - KEYS_TAG : 0;
    return good;
}

bool seal_is_under(const struct seal_rule *r, struct slice bytes)
{
    struct envelope v;

    return envelope_parse(&v, bytes) && slice_eq(v.name, ring_name(r->ring));
}

static enum seal_opened refuse(struct sealer *s, const struct envelope *v,
                               struct slice path, const char *what)
{
    buf_clear(&s->why);
    buf_printf(&s->why, "sealed under %.*s", (int)v->name.n, v->name.p);
    if (path.n > 0) {
        buf_puts(&s->why, " at ");
        buf_append_slice(&s->why, path);
    }
    buf_puts(&s->why, what);
    return SEAL_REFUSED;
}

static enum ring_found find_key(struct sealer *s, const struct seal_rule *r,
                                const struct envelope *v,
                                const struct ring_key **key)
{
    if ((v->form == ENVELOPE_SUBJECT) != ring_has_subjects(r->ring)) {
        return RING_NONE;
    }
    if (v->form == ENVELOPE_SUBJECT) {
        return ring_find_subject(r->ring, s->place.subject, v->id, key, s->e);
    }
    *key = ring_find(r->ring, v->id);
    return *key != NULL ? RING_KEY : RING_NONE;
}

enum seal_opened seal_open_piece(struct sealer *s, struct slice path,
                                 struct slice *plain)
{
    struct envelope v;
    const struct seal_rule *r = NULL;
    const struct ring_key *k = NULL;

    if (!envelope_parse(&v, buf_slice(&s->sealed))) {
        return SEAL_NOT_OURS;
    }
    for (size_t i = 0; i < s->opens; i++) {
        r = slice_eq(v.name, ring_name(s->open[i].ring)) ? &s->open[i] : r;
    }
    if (r == NULL) {
        return SEAL_NOT_OURS;
    }
    switch (find_key(s, r, &v, &k)) {
    case RING_KEY:
        break;
    case RING_NONE:
        return refuse(s, &v, path,
                      v.form == ENVELOPE_SUBJECT
                          ? ", with a subject's key that is not here"
                          : ", with a version the vault does not hold");
    case RING_FORGOTTEN:
        return s->forgotten == SEAL_ERASE  ? SEAL_FORGOTTEN
               : s->forgotten == SEAL_PASS ? SEAL_NOT_OURS
                                           : refuse(s, &v, path,
                                                    ", and its subject was "
                                                    "forgotten");
    case RING_FAILED:
        s->failed = true;
        return SEAL_FAILED;
    }
    if (!try_to_open(s, &v, &k->key, path)) {
        return refuse(s, &v, path,
                      ", and changed since, or moved here from another event "
                      "or place");
    }
    *plain = buf_slice(&s->plain);
    return SEAL_OPENED;
}

bool seal_is_line(struct slice s)
{
    return s.n > 0 && memchr(s.p, '\n', s.n) == NULL &&
           memchr(s.p, '\r', s.n) == NULL && json_valid(s);
}

/* --- events ----------------------------------------------------------------
 */

static void shrink(struct sealer *s)
{
    buf_shrink(&s->sealed, KEEP);
    buf_shrink(&s->plain, KEEP);
    buf_shrink(&s->body, KEEP);
    buf_shrink(&s->fields[0], KEEP);
    buf_shrink(&s->fields[1], KEEP);
}

static enum sealer_outcome finish(struct sealer *s, enum sealer_outcome outcome,
                                  struct buf *out)
{
    if (s->failed) {
        outcome = SEALER_FAILED;
    } else if (outcome == SEALER_DEAD) {
        buf_clear(out);
        buf_append_slice(out, buf_slice(&s->why));
    }
    shrink(s);
    return outcome;
}

enum sealer_outcome sealer_seal(struct sealer *s, const struct event *ev,
                                struct buf *out, struct err *e)
{
    buf_clear(out);
    s->e = e;
    s->failed = false;
    if (s->seals == 0) {
        return SEALER_PASS;
    }
    seal_enter(s, ev);
    return finish(s,
                  s->seal[0].path.n == 0 ? seal_whole(s, &s->seal[0], ev, out)
                                         : seal_fields(s, ev, out),
                  out);
}

/* What is sealed in what was sealed lies at most this deep. */
enum { ROUNDS = 16 };

enum sealer_outcome sealer_open(struct sealer *s, const struct event *ev,
                                struct event *inside, struct buf *why,
                                struct err *e)
{
    enum sealer_outcome outcome = SEALER_PASS;
    enum sealer_outcome last = SEALER_LINE;
    bool reordered;
    struct err bad;

    *inside = *ev;
    s->e = e;
    s->failed = false;
    buf_clear(why);
    for (int i = 0; i < ROUNDS && s->opens > 0 && last == SEALER_LINE; i++) {
        struct buf *line = &s->line[i % 2];
        buf_clear(line);
        buf_shrink(line, KEEP);
        seal_enter(s, inside);
        last = seal_open_whole(s, inside, line);
        if (last == SEALER_PASS) {
            last = seal_open_fields(s, inside, line);
        }
        if (last == SEALER_LINE &&
            event_parse(inside, buf_slice(line), &reordered, &bad) < 0) {
            buf_clear(&s->why);
            buf_puts(&s->why, bad.text);
            last = SEALER_DEAD;
        }
        outcome = last == SEALER_PASS ? outcome : last;
    }
    return finish(s, outcome, why);
}

int sealer_sync(struct sealer *s, struct err *e)
{
    for (size_t i = 0; i < s->seals; i++) {
        if (ring_sync(s->seal[i].ring, e) < 0) {
            return -1;
        }
    }
    return 0;
}
