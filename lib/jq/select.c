#include "jq/select.h"

#include <stddef.h>

#include "record/json.h"

static const struct {
    struct slice name;
    size_t at;
} members[] = {
#define M(name)                                                                \
    {                                                                          \
        SLICE(#name), offsetof(struct event, name)                             \
    }
    M(type),         M(source),          M(subject), M(id),
    M(partitionkey), M(datacontenttype), M(time),    M(dpporigin),
    M(dpphdr),       M(specversion),
#undef M
};

enum { MEMBERS = sizeof members / sizeof members[0] };

/* What is left of the program's text. */
struct scan {
    const char *p;
    const char *end;
};

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

/* Over blanks and comments. A comment with a backslash is no comment to us:
 * versions of jq differ on where it ends. */
static void blanks(struct scan *s)
{
    while (s->p < s->end) {
        if (strchr(" \t\r\n", *s->p) != NULL && *s->p != '\0') {
            s->p++;
            continue;
        }
        if (*s->p != '#') {
            return;
        }
        const char *p = s->p;
        while (p < s->end && *p != '\n' && *p != '\\' && *p != '\r') {
            p++;
        }
        if (p < s->end && *p != '\n') {
            return;
        }
        s->p = p;
    }
}

static bool take(struct scan *s, const char *token)
{
    const size_t n = strlen(token);
    const bool word = name_char(token[0]);

    blanks(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, token, n) != 0 ||
        (word && s->p + n < s->end && name_char(s->p[n]))) {
        return false;
    }
    s->p += n;
    return true;
}

/* .NAME */
static bool take_member(struct scan *s, size_t *at)
{
    if (!take(s, ".")) {
        return false;
    }
    const char *from = s->p;
    while (s->p < s->end && name_char(*s->p)) {
        s->p++;
    }
    const struct slice name = {from, (size_t)(s->p - from)};
    for (size_t i = 0; i < MEMBERS; i++) {
        if (slice_eq(name, members[i].name)) {
            *at = members[i].at;
            return true;
        }
    }
    return false;
}

/* A string without escapes, and so without \(…). */
static bool take_text(struct scan *s, struct slice *text)
{
    if (!take(s, "\"")) {
        return false;
    }
    const char *q = memchr(s->p, '"', (size_t)(s->end - s->p));
    if (q == NULL || memchr(s->p, '\\', (size_t)(q - s->p)) != NULL) {
        return false;
    }
    *text = (struct slice){s->p, (size_t)(q - s->p)};
    s->p = q + 1;
    return utf8_valid(*text);
}

static bool take_terms(struct select *sel, struct scan *s)
{
    bool or_before = false;

    for (;;) {
        if (sel->n == SELECT_TERMS) {
            return false;
        }
        struct select_term *t = &sel->term[sel->n++];
        t->or_before = or_before;
        if (!take_member(s, &t->at)) {
            return false;
        }
        t->negated = take(s, "!=");
        if (!t->negated && !take(s, "==")) {
            return false;
        }
        if (!take_text(s, &t->text)) {
            return false;
        }
        if (take(s, ")")) {
            return true;
        }
        or_before = take(s, "or");
        if (!or_before && !take(s, "and")) {
            return false;
        }
    }
}

static bool at_end(struct scan *s)
{
    blanks(s);
    return s->p == s->end;
}

void select_parse(struct select *sel, struct slice program)
{
    struct scan s = {program.p, program.p + program.n};

    *sel = (struct select){.kind = SELECT_UNKNOWN};
    if (take(&s, ".")) {
        sel->kind = at_end(&s) ? SELECT_IDENTITY : SELECT_UNKNOWN;
        return;
    }
    if (!take(&s, "select") || !take(&s, "(") || !take_terms(sel, &s)) {
        return;
    }
    if (at_end(&s)) {
        sel->kind = SELECT_ONLY;
    } else if (take(&s, "|") && (s.p == s.end || *s.p != '=')) {
        sel->kind = SELECT_FIRST;
    }
}

static enum select_answer ask(const struct select_term *t,
                              const struct event *ev)
{
    const struct slice *v =
        (const struct slice *)(const void *)((const char *)ev + t->at);

    if (v->p == NULL) { /* null is equal to no string */
        return t->negated ? SELECT_YES : SELECT_NO;
    }
    if (memchr(v->p, '\\', v->n) != NULL) {
        return SELECT_MAYBE;
    }
    const bool same = slice_eq((struct slice){v->p + 1, v->n - 2}, t->text);
    return same != t->negated ? SELECT_YES : SELECT_NO;
}

/* "and" is the least of its parts, "or" the greatest. */
enum select_answer select_ask(const struct select *sel, const struct event *ev)
{
    enum select_answer all = SELECT_NO;
    enum select_answer part = SELECT_YES;

    if (sel->kind != SELECT_FIRST && sel->kind != SELECT_ONLY) {
        return SELECT_MAYBE;
    }
    for (size_t i = 0; i < sel->n; i++) {
        if (sel->term[i].or_before) {
            all = part > all ? part : all;
            part = SELECT_YES;
        }
        const enum select_answer a = ask(&sel->term[i], ev);
        part = a < part ? a : part;
    }
    return part > all ? part : all;
}
