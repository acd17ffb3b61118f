#include "seal/path.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/json.h"

static const char root[] = ".data";

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= '0' && c <= '9');
}

/* A quoted name; the text behind it, or NULL. */
static const char *take_quoted(struct path_step *s, const char *p)
{
    const char *end = p + strlen(p);
    const char *q = *p == '"' ? json_skip(p, end) : NULL;

    if (q == NULL || memmem(p, (size_t)(q - p), "\\(", 2) != NULL) {
        return NULL;
    }
    s->kind = PATH_NAME;
    json_decode(&s->name, (struct slice){p, (size_t)(q - p)});
    return q;
}

static const char *take_word(struct path_step *s, const char *p)
{
    const char *q = p;

    while (is_word(*q)) {
        q++;
    }
    if (q == p || (*p >= '0' && *p <= '9')) {
        return NULL;
    }
    s->kind = PATH_NAME;
    buf_append(&s->name, p, (size_t)(q - p));
    return q;
}

/* Behind the opening bracket. */
static const char *take_bracket(struct path_step *s, const char *p)
{
    char *q = NULL;

    if (*p == ']') {
        s->kind = PATH_EACH;
        return p + 1;
    }
    if (*p == '"') {
        p = take_quoted(s, p);
    } else if (*p >= '0' && *p <= '9') {
        s->kind = PATH_INDEX;
        s->index = strtoul(p, &q, 10);
        p = q;
    } else {
        p = NULL;
    }
    return p != NULL && *p == ']' ? p + 1 : NULL;
}

static const char *take_step(struct path_step *s, const char *p)
{
    const bool dot = *p == '.';

    p += dot;
    if (*p == '[') {
        return take_bracket(s, p + 1);
    }
    return !dot ? NULL : *p == '"' ? take_quoted(s, p) : take_word(s, p);
}

int path_parse(struct path *path, const char *text, struct err *e)
{
    const char *p = text + strlen(root);

    *path = (struct path){.text = mem_strdup(text)};
    if (strncmp(text, root, strlen(root)) != 0 || is_word(*p)) {
        p = NULL;
    }
    while (p != NULL && *p != '\0' && path->n < PATH_STEPS) {
        p = take_step(&path->step[path->n++], p);
    }
    if (p != NULL && path->n == 0) {
        return err_set(e, STATUS_USAGE,
                       "\"%s\" is all of the data, which is sealed without a "
                       "path",
                       text);
    }
    if (p == NULL || *p != '\0') {
        return err_set(e, STATUS_USAGE,
                       "\"%.80s\" is no path to a field: .data and then .name, "
                       "[\"name\"], [0] or [], at most %d of them",
                       text, PATH_STEPS);
    }
    return 0;
}

void path_release(struct path *path)
{
    for (size_t i = 0; i < path->n; i++) {
        buf_release(&path->step[i].name);
    }
    free(path->text);
    *path = (struct path){0};
}

/* --- in a text -------------------------------------------------------------
 */

static const char *over_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
        p++;
    }
    return p;
}

bool path_walk_init(struct path_walk *w, struct slice value)
{
    *w = (struct path_walk){.p = value.p + 1,
                            .end = value.p + value.n,
                            .object = *value.p == '{',
                            .index = (size_t)-1};
    return w->object || *value.p == '[';
}

static const char *take_value(const struct path_walk *w, const char *p,
                              struct slice *value)
{
    p = over_blanks(p);
    const char *q = json_skip(p, w->end);
    *value = (struct slice){p, (size_t)(q - p)};
    return q;
}

bool path_walk_next(struct path_walk *w, struct slice *name,
                    struct slice *value)
{
    const char *p = over_blanks(w->p);

    if (*p == '}' || *p == ']') {
        return false;
    }
    p += *p == ',';
    *name = (struct slice){0};
    if (w->object) {
        p = over_blanks(take_value(w, p, name)) + 1; /* the colon */
    }
    w->p = take_value(w, p, value);
    w->index++;
    return true;
}

void path_put_name(struct buf *pointer, struct slice name)
{
    struct buf text = {0};

    json_decode(&text, name);
    buf_putc(pointer, '/');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '~' || text.p[i] == '/') {
            buf_puts(pointer, text.p[i] == '~' ? "~0" : "~1");
        } else {
            buf_putc(pointer, text.p[i]);
        }
    }
    buf_release(&text);
}

void path_put_index(struct buf *pointer, size_t index)
{
    buf_printf(pointer, "/%zu", index);
}
