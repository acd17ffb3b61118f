/* Fields of the data. Each becomes a string, "dpp-seal:" and its piece in
 * base 64; what is sealed is the JSON text of the value as it stood. All other
 * bytes of the data are copied.
 *
 * To seal, the path leads to them. To open, the text is searched for such
 * strings, with a stack of what each stands in, as it is bound to its place. */
#include <stdlib.h>

#include "base/base64.h"
#include "record/json.h"
#include "seal/part.h"

static const char mark[] = "\"dpp-seal:";

enum { MARK = sizeof mark - 1 };

/* A text on its way from the old data to the new. */
struct edit {
    struct sealer *s;
    const struct seal_rule *rule; /* to seal by */
    const char *at;               /* copied up to here */
    struct buf *out;
    size_t done; /* fields that were sealed, or opened */
};

static void replace(struct edit *e, struct slice old, const char *with,
                    struct slice piece)
{
    buf_append(e->out, e->at, (size_t)(old.p - e->at));
    e->at = old.p + old.n;
    e->done++;
    if (with == NULL) {
        buf_append_slice(e->out, piece);
    } else {
        buf_puts(e->out, with);
        base64_encode(e->out, piece.p, piece.n);
        buf_putc(e->out, '"');
    }
}

/* Is the string a piece? Its bytes are in s->sealed then. */
static bool take_piece(struct sealer *s, struct slice v)
{
    struct buf text = {0};
    struct slice in = {v.p + MARK, v.n - MARK - 1};

    if (v.n <= MARK || memcmp(v.p, mark, MARK) != 0) {
        return false;
    }
    if (memchr(v.p, '\\', v.n) != NULL) { /* others may write "\/" */
        json_decode(&text, v);
        in = (struct slice){text.p + MARK - 1, text.n - MARK + 1};
    }
    buf_clear(&s->sealed);
    const bool good = base64_decode(&s->sealed, in.p, in.n) == 0;
    buf_release(&text);
    return good;
}

/* --- to seal ---------------------------------------------------------------
 */

static int seal_value(struct edit *e, struct slice v)
{
    struct sealer *s = e->s;
    struct seal_piece piece;

    if (take_piece(s, v) && seal_is_under(e->rule, buf_slice(&s->sealed))) {
        return 0; /* it was done before */
    }
    if (seal_begin(s, e->rule, &piece) < 0) {
        return -1;
    }
    buf_append_slice(&s->sealed, v);
    seal_end(s, &piece, buf_slice(&s->pointer));
    replace(e, v, mark, buf_slice(&s->sealed));
    return 0;
}

static int no_way(struct edit *e, const char *what)
{
    buf_clear(&e->s->why);
    buf_printf(&e->s->why, "--seal %s: the data%s", e->rule->path.text,
               e->s->pointer.n > 0 ? " at " : "");
    buf_append_slice(&e->s->why, buf_slice(&e->s->pointer));
    buf_puts(&e->s->why, what);
    return -1;
}

static bool is_name(struct slice raw, const struct buf *name)
{
    struct buf text = {0};

    if (memchr(raw.p, '\\', raw.n) == NULL) {
        return slice_eq((struct slice){raw.p + 1, raw.n - 2}, buf_slice(name));
    }
    json_decode(&text, raw);
    const bool same = slice_eq(buf_slice(&text), buf_slice(name));
    buf_release(&text);
    return same;
}

/* Recursion is as deep as the path, at most PATH_STEPS. A name that comes twice
 * is sealed twice. What is missing, or null on the way, is left alone; a value
 * that cannot have the field gives the event up, as it may be what was meant.
 */
static int seal_below(struct edit *e, struct slice v, size_t at)
{
    const struct path *path = &e->rule->path;
    const size_t pointer = e->s->pointer.n;
    struct path_walk w;
    struct slice name;
    struct slice item;
    int rc = 0;

    if (at == path->n) {
        return seal_value(e, v);
    }
    const struct path_step *step = &path->step[at];
    if (slice_is(v, "null")) {
        return 0;
    }
    if (!path_walk_init(&w, v) ||
        (step->kind != PATH_EACH && w.object != (step->kind == PATH_NAME))) {
        return no_way(e, step->kind == PATH_NAME    ? " is no object"
                         : step->kind == PATH_INDEX ? " is no array"
                                                    : " is no array or object");
    }
    while (rc == 0 && path_walk_next(&w, &name, &item)) {
        if ((step->kind == PATH_NAME && !is_name(name, &step->name)) ||
            (step->kind == PATH_INDEX && w.index != step->index)) {
            continue;
        }
        if (w.object) {
            path_put_name(&e->s->pointer, name);
        } else {
            path_put_index(&e->s->pointer, w.index);
        }
        rc = seal_below(e, item, at + 1);
        e->s->pointer.n = pointer;
    }
    return rc;
}

/* --- to open ---------------------------------------------------------------
 */

/* What the scanner is in, from the outside to the inside. */
struct level {
    bool object;
    size_t index;
    struct slice name; /* of the member that it is at */
};

static struct level *top(struct buf *stack)
{
    return stack->n == 0 ? NULL
                         : (struct level *)(void *)(stack->p + stack->n) - 1;
}

static void put_pointer(struct buf *pointer, const struct buf *stack)
{
    const struct level *level = (const void *)stack->p;

    buf_clear(pointer);
    for (size_t i = 0; i < stack->n / sizeof *level; i++) {
        if (level[i].object) {
            path_put_name(pointer, level[i].name);
        } else {
            path_put_index(pointer, level[i].index);
        }
    }
}

static int open_string(struct edit *e, struct slice v, const struct buf *stack)
{
    struct sealer *s = e->s;
    struct slice plain;

    if (!take_piece(s, v)) {
        return 0;
    }
    put_pointer(&s->pointer, stack);
    switch (seal_open_piece(s, buf_slice(&s->pointer), &plain)) {
    case SEAL_NOT_OURS:
        return 0;
    case SEAL_FORGOTTEN:
        replace(e, v, NULL, SLICE("null"));
        return 0;
    case SEAL_REFUSED:
    case SEAL_FAILED:
        return -1;
    case SEAL_OPENED:
        break;
    }
    if (!seal_is_line(plain)) {
        buf_clear(&s->why);
        buf_puts(&s->why, "what was sealed is no value: ");
        buf_append_slice(&s->why, buf_slice(&s->pointer));
        return -1;
    }
    replace(e, v, NULL, plain);
    return 0;
}

static int open_all(struct edit *e, struct slice text, struct buf *stack)
{
    const char *end = text.p + text.n;
    int rc = 0;

    for (const char *p = text.p; rc == 0 && p < end;) {
        const char c = *p;
        struct level *in = top(stack);
        if (c == '"') {
            const char *q = json_skip(p, end);
            const struct slice v = {p, (size_t)(q - p)};
            if (in != NULL && in->object && in->name.p == NULL) {
                in->name = v;
            } else {
                rc = open_string(e, v, stack);
            }
            p = q;
            continue;
        }
        if (c == '{' || c == '[') {
            const struct level level = {.object = c == '{'};
            buf_append(stack, &level, sizeof level);
        } else if (c == '}' || c == ']') {
            stack->n -= sizeof *in;
        } else if (c == ',' && in != NULL) {
            in->index++;
            in->name.p = NULL;
        }
        p++;
    }
    return rc;
}

/* --- the data --------------------------------------------------------------
 */

/* The data as JSON text: 1; 0: there is none; -1: it is no JSON. */
static int json_of(struct sealer *s, const struct event *ev, struct slice *text)
{
    struct buf type = {0};

    if (ev->data.p != NULL) {
        *text = ev->data;
        return event_data_is_text(ev) ? -1 : 1;
    }
    if (ev->data_base64.p == NULL) {
        return 0;
    }
    if (ev->datacontenttype.p != NULL) {
        json_decode(&type, ev->datacontenttype);
    }
    const bool json = event_type_is_json(buf_slice(&type));
    buf_release(&type);
    buf_clear(&s->body);
    if (!json || event_value(ev, &s->body) != 1 ||
        !json_valid(buf_slice(&s->body))) {
        return -1;
    }
    buf_putc(&s->body, '\0'); /* blanks are skipped up to something else */
    s->body.n--;
    *text = buf_slice(&s->body);
    return 1;
}

static void finish(struct edit *e, struct slice text)
{
    buf_append(e->out, e->at, (size_t)(text.p + text.n - e->at));
}

static struct edit begin(struct sealer *s, struct slice text, struct buf *out)
{
    buf_clear(out);
    return (struct edit){.s = s, .at = text.p, .out = out};
}

/* The line with this as its data. */
static enum sealer_outcome write_line(const struct event *ev, struct slice text,
                                      struct buf *out)
{
    const bool data = ev->data.p != NULL;
    const struct slice old = data ? ev->data : ev->data_base64;
    const char *behind = old.p + old.n;

    buf_append(out, ev->line.p, (size_t)(old.p - ev->line.p));
    if (data) {
        buf_append_slice(out, text);
    } else {
        buf_putc(out, '"');
        base64_encode(out, text.p, text.n);
        buf_putc(out, '"');
    }
    buf_append(out, behind, (size_t)(ev->line.p + ev->line.n - behind));
    return SEALER_LINE;
}

static enum sealer_outcome no_json(struct sealer *s, const struct event *ev)
{
    struct envelope v;

    if (seal_take_whole(s, ev) && envelope_parse(&v, buf_slice(&s->sealed))) {
        return SEALER_PASS; /* all of it is sealed already */
    }
    buf_clear(&s->why);
    buf_printf(&s->why, "--seal %s: the data is no JSON", s->seal[0].path.text);
    return SEALER_DEAD;
}

enum sealer_outcome seal_fields(struct sealer *s, const struct event *ev,
                                struct buf *out)
{
    struct slice text;
    size_t done = 0;

    switch (json_of(s, ev, &text)) {
    case 0:
        return SEALER_PASS;
    case -1:
        return no_json(s, ev);
    default:
        break;
    }
    for (size_t i = 0; i < s->seals; i++) {
        struct buf *to = &s->fields[i % 2];
        struct edit e = begin(s, text, to);
        e.rule = &s->seal[i];
        buf_clear(&s->pointer);
        const char *first = text.p + strspn(text.p, " \t\r\n");
        const size_t n = (size_t)(text.p + text.n - first);
        if (seal_below(&e, (struct slice){first, n}, 0) < 0) {
            return SEALER_DEAD;
        }
        finish(&e, text);
        done += e.done;
        buf_putc(to, '\0');
        to->n--;
        text = buf_slice(to);
    }
    return done == 0 ? SEALER_PASS : write_line(ev, text, out);
}

enum sealer_outcome seal_open_fields(struct sealer *s, const struct event *ev,
                                     struct buf *out)
{
    struct slice text;
    struct buf stack = {0};

    if (json_of(s, ev, &text) != 1 ||
        memmem(text.p, text.n, mark, MARK) == NULL) {
        return SEALER_PASS;
    }
    struct edit e = begin(s, text, &s->fields[0]);
    const int rc = open_all(&e, text, &stack);
    buf_release(&stack);
    finish(&e, text);
    return rc < 0        ? SEALER_DEAD
           : e.done == 0 ? SEALER_PASS
                         : write_line(ev, buf_slice(&s->fields[0]), out);
}
