/* Two values and a text are walked together: `now` and `old` as libjq holds
 * them, raw as `old` was written. libjq copies on write, so a subtree that the
 * program did not touch is the same pointer, which ends the walk there.
 *
 * An object in which a name comes twice has more members in the text than in
 * the value; it is copied if it is equal as a whole and printed anew if not.
 * Until that is found out, raw may be the text of the other member of that
 * name: nothing below may rely on its shape. */
#include "jq/over.h"

#include "record/json.h"

enum { AHEAD = 256 }; /* how far to look for the element that is next now */

void over_compact(struct buf *out, struct slice raw)
{
    const char *end = raw.p + raw.n;
    const char *p = raw.p;

    while (p < end) {
        p = value_blanks(p, end);
        const char *from = p;
        while (p < end && strchr(" \t\r\n", *p) == NULL) {
            p = *p == '"' ? json_skip(p, end) : p + 1;
        }
        buf_append(out, from, (size_t)(p - from));
    }
}

static void copy(const struct over *o, struct slice raw)
{
    if (o->compact) {
        over_compact(o->out, raw);
    } else {
        buf_append_slice(o->out, raw);
    }
}

/* Walks the items of a container, in valid text. */
struct walk {
    const char *p; /* behind the opening bracket, or an item */
    const char *end;
};

static void walk_init(struct walk *w, struct slice container)
{
    *w = (struct walk){container.p + 1, container.p + container.n};
}

/* False at the closing bracket. */
static bool next_item(struct walk *w, struct slice *item)
{
    const char *p = value_blanks(w->p, w->end);

    if (*p == ']' || *p == '}') {
        return false;
    }
    p = value_blanks(*p == ',' ? p + 1 : p, w->end);
    w->p = json_skip(p, w->end);
    *item = (struct slice){p, (size_t)(w->p - p)};
    return true;
}

/* The name comes without its quotes. */
static bool next_member(struct walk *w, struct slice *name, struct slice *value)
{
    if (!next_item(w, name)) {
        return false;
    }
    *name = (struct slice){name->p + 1, name->n - 2};
    const char *p = value_blanks(w->p, w->end) + 1; /* the colon */
    p = value_blanks(p, w->end);
    w->p = json_skip(p, w->end);
    *value = (struct slice){p, (size_t)(w->p - p)};
    return true;
}

static bool identical(jv a, jv b)
{
    return jv_identical(jv_copy(a), jv_copy(b)) != 0;
}

static bool equal(jv a, jv b)
{
    return jv_equal(jv_copy(a), jv_copy(b)) != 0;
}

static int print(const struct over *, jv now, jv old, struct slice raw,
                 int depth);

/* Elements are matched in order. Where the program has left some out, the next
 * one that is still the same is looked for; in place changes need no look. */
static struct slice match(struct walk *w, jv item, jv old, int *at, int count,
                          int spare)
{
    struct slice raw = {NULL, 0};
    struct walk ahead = *w;
    int skipped = 0;

    for (; *at + skipped < count && skipped <= spare; skipped++) {
        jv was = jv_array_get(jv_copy(old), *at + skipped);
        const bool same = identical(item, was);
        jv_free(was);
        if (!next_item(&ahead, &raw)) {
            break;
        }
        if (same) {
            *at += skipped;
            *w = ahead;
            return raw;
        }
    }
    return next_item(w, &raw) ? raw : (struct slice){NULL, 0};
}

static int print_array(const struct over *o, jv now, jv old, struct slice raw,
                       int depth)
{
    const int n = jv_array_length(jv_copy(now));
    const int count = jv_array_length(jv_copy(old));
    const int less = count - n;
    struct walk w;
    bool same = n == count;
    int at = 0;
    int rc = 0;

    walk_init(&w, raw);
    buf_putc(o->out, '[');
    for (int i = 0; i < n && rc >= 0; i++) {
        jv item = jv_array_get(jv_copy(now), i);
        const int spare = less - (at - i) < AHEAD ? less - (at - i) : AHEAD;
        if (i > 0) {
            buf_putc(o->out, ',');
        }
        const struct slice text = match(&w, item, old, &at, count, spare);
        if (text.p == NULL) {
            rc = value_print(o->out, item);
        } else {
            jv was = jv_array_get(jv_copy(old), at++);
            rc = print(o, item, was, text, depth);
            same = same && rc == 1;
            jv_free(was);
        }
        jv_free(item);
    }
    buf_putc(o->out, ']');
    return rc < 0 ? -1 : same;
}

/* The members of `now` that `old` has not. */
static int print_new(const struct over *o, jv now, jv old, const char *sep)
{
    int rc = 0;

    for (int i = jv_object_iter(now); rc == 0 && jv_object_iter_valid(now, i);
         i = jv_object_iter_next(now, i)) {
        jv key = jv_object_iter_key(now, i);
        if (!jv_object_has(jv_copy(old), jv_copy(key))) {
            jv item = jv_object_iter_value(now, i);
            buf_puts(o->out, sep);
            json_encode(o->out, value_text(key));
            buf_putc(o->out, ':');
            rc = value_print(o->out, item);
            sep = ",";
            jv_free(item);
        }
        jv_free(key);
    }
    return rc;
}

struct counts {
    int members; /* of the text */
    int kept;    /* that `now` still has */
    int same;
};

static int print_members(const struct over *o, jv now, jv old, struct slice raw,
                         int depth, struct counts *c)
{
    struct walk w;
    struct slice name;
    struct slice text;
    int rc = 0;

    walk_init(&w, raw);
    while (rc >= 0 && next_member(&w, &name, &text)) {
        jv key = value_key(o->keys, name);
        jv item = jv_object_get(jv_copy(now), jv_copy(key));
        c->members++;
        if (jv_is_valid(item)) {
            jv was = jv_object_get(jv_copy(old), jv_copy(key));
            buf_puts(o->out, c->kept++ > 0 ? ",\"" : "\"");
            buf_append_slice(o->out, name);
            buf_puts(o->out, "\":");
            rc = print(o, item, was, text, depth);
            c->same += rc == 1;
            jv_free(was);
        }
        jv_free(item);
        jv_free(key);
    }
    return rc < 0 ? -1 : 0;
}

static int print_object(const struct over *o, jv now, jv old, struct slice raw,
                        int depth)
{
    const int n = jv_object_length(jv_copy(now));
    const size_t start = o->out->n;
    struct counts c = {0};

    buf_putc(o->out, '{');
    if (print_members(o, now, old, raw, depth, &c) < 0) {
        return -1;
    }
    if (c.members > jv_object_length(jv_copy(old))) {
        const bool same = equal(now, old); /* a name comes twice */
        o->out->n = start;
        if (same) {
            copy(o, raw);
        }
        return same ? 1 : value_print(o->out, now);
    }
    if (c.kept < n && print_new(o, now, old, c.kept > 0 ? "," : "") < 0) {
        return -1;
    }
    buf_putc(o->out, '}');
    return c.same == c.members && c.kept == n;
}

static int print(const struct over *o, jv now, jv old, struct slice raw,
                 int depth)
{
    const size_t start = o->out->n;
    const jv_kind kind = jv_get_kind(now);
    int same = 0;

    if (identical(now, old)) {
        same = 1;
    } else if (kind != jv_get_kind(old)) {
        return value_print(o->out, now);
    } else if (kind == JV_KIND_ARRAY || kind == JV_KIND_OBJECT) {
        if (depth == 0) {
            return -1;
        }
        if (*raw.p != (kind == JV_KIND_ARRAY ? '[' : '{')) {
            return value_print(o->out, now);
        }
        same = kind == JV_KIND_ARRAY
                   ? print_array(o, now, old, raw, depth - 1)
                   : print_object(o, now, old, raw, depth - 1);
    } else {
        same = kind != JV_KIND_NUMBER && equal(now, old); /* 0 is not -0 */
        if (!same) {
            return value_print(o->out, now);
        }
    }
    if (same == 1) {
        o->out->n = start;
        copy(o, raw);
    }
    return same;
}

int over_print(const struct over *o, jv now, jv old, struct slice raw)
{
    return print(o, now, old, raw, VALUE_DEPTH + 1);
}
