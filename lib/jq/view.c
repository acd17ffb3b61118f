#include "jq/view.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "jq/over.h"
#include "record/json.h"

enum { BODY_KEEP = 1024 * 1024 };

static const char hint[] = "; an output must be an event: change its members, "
                           "as in .data |= …";

void view_init(struct view *v)
{
    *v = (struct view){.n = 0};
    value_keys_init(&v->keys);
}

void view_release(struct view *v)
{
    value_keys_release(&v->keys);
    buf_release(&v->body);
    free(v->member);
}

static void free_members(struct view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        jv_free(v->member[i].key);
        jv_free(v->member[i].value);
    }
    v->n = 0;
}

static struct view_member *add_member(struct view *v)
{
    if (v->n == v->cap) {
        v->cap = v->cap > 0 ? v->cap * 2 : 32;
        v->member = mem_resize(v->member, v->cap * sizeof *v->member);
    }
    return &v->member[v->n];
}

/* The members of the line, which is known to be a valid object. */
static int read_members(struct view *v, struct slice line)
{
    const char *end = line.p + line.n;
    const char *p = value_blanks(line.p, end) + 1;

    for (;;) {
        p = value_blanks(p, end);
        if (*p == '}') {
            return 0;
        }
        p = value_blanks(*p == ',' ? p + 1 : p, end);
        struct view_member *m = add_member(v);
        const char *q = json_skip(p, end);
        m->name = (struct slice){p + 1, (size_t)(q - p) - 2};
        p = value_blanks(value_blanks(q, end) + 1, end);
        q = value_parse(&v->keys, p, end, &m->value);
        if (q == NULL) {
            return -1;
        }
        m->raw = (struct slice){p, (size_t)(q - p)};
        m->key = value_key(&v->keys, m->name);
        v->n++;
        p = q;
    }
}

static bool type_is_json(struct view *v)
{
    const struct slice raw = v->ev->datacontenttype;

    if (raw.p == NULL) {
        return true;
    }
    buf_clear(&v->body);
    json_decode(&v->body, raw);
    return event_type_is_json(buf_slice(&v->body));
}

/* A JSON body in base 64 becomes .data. One that is nested too deep, or is
 * broken, stays what it is. */
static void decode_body(struct view *v)
{
    const struct slice raw = v->ev->data_base64;
    jv data;

    v->decoded = v->n;
    if (raw.p == NULL || !type_is_json(v)) {
        return;
    }
    buf_clear(&v->body);
    if (event_value(v->ev, &v->body) != 1 || !json_valid(buf_slice(&v->body)) ||
        value_parse(&v->keys, v->body.p, v->body.p + v->body.n, &data) ==
            NULL) {
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        struct view_member *m = &v->member[i];
        if (m->raw.p == raw.p) {
            jv_free(m->key);
            jv_free(m->value);
            m->key = jv_string("data");
            m->value = data;
            v->decoded = i;
        }
    }
}

int view_open(struct view *v, const struct event *ev)
{
    v->ev = ev;
    v->outputs = 0;
    v->same_id = 0;
    v->n = 0;
    if (read_members(v, ev->line) < 0) {
        free_members(v);
        return -1;
    }
    decode_body(v);
    v->whole = jv_object();
    for (size_t i = 0; i < v->n; i++) {
        v->whole = jv_object_set(v->whole, jv_copy(v->member[i].key),
                                 jv_copy(v->member[i].value));
    }
    v->twice = (size_t)jv_object_length(jv_copy(v->whole)) < v->n;
    return 0;
}

void view_close(struct view *v)
{
    jv_free(v->whole);
    free_members(v);
    buf_shrink(&v->body, BODY_KEEP);
}

/* --- and back ------------------------------------------------------------- */

/* One output under way. What stands in the line and passes as it is is copied
 * in long runs: run is what has not been copied yet. */
struct print {
    struct view *view;
    jv now;
    struct buf *out;
    struct slice run;
    bool first;
    int kept;          /* members of the line that `now` has */
    size_t passed;     /* those that are as they were */
    unsigned identity; /* id and source that are as they were */
};

static void end_run(struct print *p)
{
    if (p->run.n > 0) {
        buf_append_slice(p->out, p->run);
        p->run.n = 0;
    }
}

static void put_name(struct print *p, struct slice name)
{
    end_run(p);
    buf_puts(p->out, p->first ? "\"" : ",\"");
    buf_append_slice(p->out, name);
    buf_puts(p->out, "\":");
    p->first = false;
}

static bool is_identity(const struct view *v, const struct view_member *m)
{
    return m->raw.p == v->ev->id.p || m->raw.p == v->ev->source.p;
}

static void pass_member(struct print *p, const struct view_member *m)
{
    const char *start = m->name.p - 1;
    const char *end = m->raw.p + m->raw.n;

    p->passed++;
    p->identity += is_identity(p->view, m);
    if (p->run.n > 0) {
        const char *behind = p->run.p + p->run.n;
        if (*behind == ',' && behind + 1 == start) {
            p->run.n += (size_t)(end - behind);
            return;
        }
        end_run(p);
    }
    if (!p->first) {
        buf_putc(p->out, ',');
    }
    p->first = false;
    p->run = (struct slice){start, (size_t)(end - start)};
}

static bool is(const struct view_member *m, const char *name)
{
    return slice_is(m->name, name);
}

/* The bytes of data_base64, which the program saw as .data: data takes its
 * place if it has changed. */
static int print_decoded(struct print *p, const struct view_member *m, jv item)
{
    const struct over over = {p->out, &p->view->keys, true};

    end_run(p);
    const size_t start = p->out->n;
    const bool first = p->first;
    put_name(p, SLICE("data"));
    const int rc = over_print(&over, item, m->value, buf_slice(&p->view->body));
    if (rc == 1) {
        p->out->n = start;
        p->first = first;
        pass_member(p, m);
    }
    return rc;
}

static int print_changed(struct print *p, const struct view_member *m, jv item)
{
    const struct over over = {p->out, &p->view->keys, false};
    const bool data = is(m, "data");

    if (!data) {
        p->view->envelope_changed = true;
        if (jv_get_kind(item) == JV_KIND_NULL) {
            return 0; /* set to null: left out */
        }
    }
    put_name(p, m->name);
    const int rc = over_print(&over, item, m->value, m->raw);
    p->identity += rc == 1 && is_identity(p->view, m);
    return rc;
}

static bool has_data(jv object)
{
    return jv_object_has(jv_copy(object), jv_string("data")) != 0;
}

static bool identical(jv a, jv b)
{
    return jv_identical(jv_copy(a), jv_copy(b)) != 0;
}

static int print_member(struct print *p, const struct view_member *m, jv item)
{
    if (!jv_is_valid(item)) {
        p->view->envelope_changed = true;
        return 0;
    }
    p->kept++;
    if (identical(item, m->value)) {
        if (is(m, "data_base64") && has_data(p->now) &&
            p->view->decoded == p->view->n) {
            return 0; /* new data takes its place */
        }
        pass_member(p, m);
        return 0;
    }
    if (m == &p->view->member[p->view->decoded]) {
        return print_decoded(p, m, item);
    }
    return print_changed(p, m, item);
}

/* Members that the line has not; null ones are left out. */
static int print_new(struct print *p)
{
    int rc = 0;

    end_run(p);
    for (int i = jv_object_iter(p->now);
         rc >= 0 && jv_object_iter_valid(p->now, i);
         i = jv_object_iter_next(p->now, i)) {
        jv key = jv_object_iter_key(p->now, i);
        jv item = jv_object_iter_value(p->now, i);
        const bool data = slice_is(value_text(key), "data");
        if (!jv_object_has(jv_copy(p->view->whole), jv_copy(key)) &&
            (data || jv_get_kind(item) != JV_KIND_NULL)) {
            buf_puts(p->out, p->first ? "" : ",");
            json_encode(p->out, value_text(key));
            buf_putc(p->out, ':');
            rc = value_print(p->out, item);
            p->first = false;
            p->view->envelope_changed |= !data;
        }
        jv_free(item);
        jv_free(key);
    }
    return rc;
}

static int print_object(struct print *p, unsigned suffix)
{
    struct view *v = p->view;
    const size_t start = p->out->n;
    int rc = 0;

    buf_putc(p->out, '{');
    for (size_t i = 0; i < v->n && rc >= 0; i++) {
        struct view_member *m = &v->member[i];
        jv item = jv_object_get(jv_copy(p->now), jv_copy(m->key));
        if (suffix > 0 && m->raw.p == v->ev->id.p) {
            p->kept++;
            put_name(p, m->name);
            buf_append(p->out, m->raw.p, m->raw.n - 1);
            buf_printf(p->out, "#%u\"", suffix);
        } else {
            rc = print_member(p, m, item);
        }
        jv_free(item);
    }
    const int length = jv_object_length(jv_copy(p->now));
    if (rc >= 0 && (p->kept < length || v->twice)) {
        rc = print_new(p);
    } else if (p->passed == v->n) {
        p->out->n = start;
        buf_append_slice(p->out, v->ev->line);
        return 0;
    }
    end_run(p);
    buf_putc(p->out, '}');
    return rc < 0 ? -1 : 0;
}

/* Whatever the program did to the envelope, the line must be an event. */
static int check(struct slice line, struct buf *why)
{
    struct event ev;
    bool reordered;
    struct err e;

    if (event_parse(&ev, line, &reordered, &e) < 0) {
        buf_puts(why, e.text);
        buf_puts(why, strstr(e.text, " no \"") != NULL ? hint : "");
        return -1;
    }
    return 0;
}

/* True if the output has the id and the source of the event. */
static bool keeps_identity(const struct view *v, jv now)
{
    bool kept = true;

    for (size_t i = 0; i < v->n && kept; i++) {
        const struct view_member *m = &v->member[i];
        if (is_identity(v, m)) {
            jv item = jv_object_get(jv_copy(now), jv_copy(m->key));
            kept = jv_is_valid(item) && jv_equal(item, jv_copy(m->value)) != 0;
        }
    }
    return kept;
}

static int print_output(struct view *v, jv now, struct buf *out,
                        struct buf *why)
{
    struct print p = {.view = v, .now = now, .out = out, .first = true};
    const size_t start = out->n;

    if (jv_get_kind(now) != JV_KIND_OBJECT) {
        buf_printf(why, "%s is no event%s", jv_kind_name(jv_get_kind(now)),
                   hint);
        return -1;
    }
    if (v->same_id == 0 && identical(now, v->whole)) {
        v->same_id = 1;
        buf_append_slice(out, v->ev->line);
        return 0;
    }
    unsigned suffix = 0;
    if (v->same_id > 0 && keeps_identity(v, now)) {
        suffix = ++v->same_id;
    }
    v->envelope_changed = false;
    if (print_object(&p, suffix) < 0) {
        buf_puts(why, "nested too deep");
        return -1;
    }
    if (v->same_id == 0 && p.identity == 2) {
        v->same_id = 1;
    }
    return v->envelope_changed
               ? check((struct slice){out->p + start, out->n - start}, why)
               : 0;
}

int view_print(struct view *v, jv output, struct buf *out, struct buf *why)
{
    struct buf reason;

    v->outputs++;
    buf_init(&reason);
    const int rc = print_output(v, output, out, &reason);
    if (rc < 0) {
        buf_printf(why, "output %u: ", v->outputs);
        buf_append_slice(why, buf_slice(&reason));
    } else {
        buf_putc(out, '\n');
    }
    buf_release(&reason);
    return rc;
}
