#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* Nodes lie in one array, so that they are freed at once and their number is
 * what is checked. */
struct conf_file {
    char *name;
    struct conf *node;
    size_t nodes;
};

/* The open collections, innermost last. */
struct reading {
    struct conf_file *file;
    struct err *e;
    yaml_event_t event;
    struct conf *open[CONF_DEPTH_MAX];
    struct conf *last[CONF_DEPTH_MAX]; /* newest child of each */
    unsigned depth;
    char *key; /* read, and waiting for its value */
    unsigned key_line;
    unsigned key_column;
};

static int error_at(struct reading *r, const yaml_mark_t *m, const char *text)
{
    return err_set(r->e, STATUS_CONFIG, "%s:%zu:%zu: %s", r->file->name,
                   m->line + 1, m->column + 1, text);
}

int conf_error(const struct conf *at, struct err *e, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e, STATUS_CONFIG, "%s:%u:%u: %s", at->file->name, at->line,
                   at->column, text);
}

/* --- building the tree -------------------------------------------------- */

static char *text_of(struct reading *r)
{
    const yaml_event_t *ev = &r->event;
    const char *p = (const char *)ev->data.scalar.value;

    if (memchr(p, '\0', ev->data.scalar.length) != NULL) {
        (void)error_at(r, &ev->start_mark, "a NUL in a text");
        return NULL;
    }
    return mem_strndup(p, ev->data.scalar.length);
}

static int take_key(struct reading *r)
{
    const yaml_mark_t *m = &r->event.start_mark;

    if (r->event.type != YAML_SCALAR_EVENT) {
        return error_at(r, m, "a key must be a word");
    }
    r->key = text_of(r);
    if (r->key == NULL) {
        return -1;
    }
    for (const struct conf *c = r->open[r->depth - 1]->first; c != NULL;
         c = c->next) {
        if (strcmp(c->key, r->key) == 0) {
            char text[128];
            (void)snprintf(text, sizeof text,
                           "key \"%.40s\" a second time (first in line %u)",
                           r->key, c->key_line);
            return error_at(r, m, text);
        }
    }
    r->key_line = (unsigned)m->line + 1;
    r->key_column = (unsigned)m->column + 1;
    return 0;
}

static struct conf *add(struct reading *r, enum conf_kind kind)
{
    struct conf_file *f = r->file;
    const yaml_mark_t *m = &r->event.start_mark;

    if (f->nodes == CONF_NODES_MAX) {
        (void)error_at(r, m, "more than 10,000 nodes");
        return NULL;
    }
    struct conf *c = &f->node[f->nodes++];
    *c = (struct conf){
        .kind = kind,
        .file = f,
        .line = (unsigned)m->line + 1,
        .column = (unsigned)m->column + 1,
        .key = r->key,
        .key_line = r->key_line,
        .key_column = r->key_column,
    };
    r->key = NULL;
    if (r->depth > 0) {
        struct conf **last = &r->last[r->depth - 1];
        *(*last != NULL ? &(*last)->next : &r->open[r->depth - 1]->first) = c;
        *last = c;
    }
    return c;
}

static int enter(struct reading *r, enum conf_kind kind)
{
    if (r->depth == CONF_DEPTH_MAX) {
        return error_at(r, &r->event.start_mark, "deeper than 32 levels");
    }
    struct conf *c = add(r, kind);
    if (c == NULL) {
        return -1;
    }
    r->open[r->depth] = c;
    r->last[r->depth++] = NULL;
    return 0;
}

static int take_text(struct reading *r)
{
    struct conf *c = add(r, CONF_TEXT);

    if (c == NULL) {
        return -1;
    }
    c->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    c->text = text_of(r);
    return c->text != NULL ? 0 : -1;
}

/* Anchors, tags, aliases, directives: all that makes a document mean more
 * than it shows. */
static int check_plain(struct reading *r)
{
    const yaml_event_t *ev = &r->event;
    const void *anchor = NULL;
    const void *tag = NULL;

    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        break;
    case YAML_ALIAS_EVENT:
        return error_at(r, &ev->start_mark, "aliases (*) are not taken");
    case YAML_DOCUMENT_START_EVENT:
        if (ev->data.document_start.tag_directives.start !=
            ev->data.document_start.tag_directives.end) {
            return error_at(r, &ev->start_mark, "%TAG is not taken");
        }
        if (r->file->nodes > 0) {
            return error_at(r, &ev->start_mark, "a second document");
        }
        break;
    default:
        break;
    }
    if (anchor != NULL) {
        return error_at(r, &ev->start_mark, "anchors (&) are not taken");
    }
    if (tag != NULL) {
        return error_at(r, &ev->start_mark, "tags (!) are not taken");
    }
    return 0;
}

static int take(struct reading *r)
{
    const yaml_event_type_t t = r->event.type;
    const bool value = t == YAML_SCALAR_EVENT ||
                       t == YAML_SEQUENCE_START_EVENT ||
                       t == YAML_MAPPING_START_EVENT;

    if (check_plain(r) < 0) {
        return -1;
    }
    if (value && r->depth > 0 && r->open[r->depth - 1]->kind == CONF_MAP &&
        r->key == NULL) {
        return take_key(r);
    }
    if (t == YAML_SCALAR_EVENT) {
        return take_text(r);
    }
    if (value) {
        return enter(r, t == YAML_MAPPING_START_EVENT ? CONF_MAP : CONF_LIST);
    }
    if (t == YAML_SEQUENCE_END_EVENT || t == YAML_MAPPING_END_EVENT) {
        r->depth--;
    }
    return 0;
}

/* libyaml's own complaints; those of its reader have an offset only. */
static int parser_error(struct reading *r, const yaml_parser_t *p,
                        struct slice text)
{
    yaml_mark_t m = p->problem_mark;

    if (p->error == YAML_READER_ERROR) {
        m = (yaml_mark_t){0};
        for (size_t i = 0; i < p->problem_offset && i < text.n; i++) {
            m.column++;
            if (text.p[i] == '\n') {
                m.line++;
                m.column = 0;
            }
        }
    }
    return error_at(r, &m, p->problem != NULL ? p->problem : "no YAML");
}

static int read_all(struct reading *r, yaml_parser_t *p, struct slice text)
{
    for (bool end = false; !end;) {
        if (yaml_parser_parse(p, &r->event) == 0) {
            return parser_error(r, p, text);
        }
        const int rc = take(r);
        end = r->event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&r->event);
        if (rc < 0) {
            return -1;
        }
    }
    if (r->file->nodes == 0) {
        return err_set(r->e, STATUS_CONFIG, "%s:1:1: the file is empty",
                       r->file->name);
    }
    return 0;
}

struct conf_file *conf_parse(const char *name, struct slice text, struct err *e)
{
    yaml_parser_t p;
    struct reading r = {.e = e};

    if (text.n > CONF_BYTES_MAX) {
        (void)err_set(e, STATUS_CONFIG, "%s: larger than 1 MiB", name);
        return NULL;
    }
    if (yaml_parser_initialize(&p) == 0) {
        (void)err_set(e, STATUS_SYSTEM, "no memory for a YAML parser");
        return NULL;
    }
    r.file = mem_new(sizeof *r.file);
    r.file->name = mem_strdup(name);
    r.file->node = mem_alloc(CONF_NODES_MAX * sizeof *r.file->node);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text.p, text.n);
    const int rc = read_all(&r, &p, text);
    yaml_parser_delete(&p);
    free(r.key);
    if (rc < 0) {
        conf_free(r.file);
        return NULL;
    }
    return r.file;
}

struct conf_file *conf_load(const char *path, struct err *e)
{
    struct buf b;
    struct conf_file *f = NULL;

    buf_init(&b);
    if (file_read(path, CONF_BYTES_MAX, &b, e) < 0) {
        e->status = STATUS_CONFIG;
    } else {
        f = conf_parse(path, buf_slice(&b), e);
    }
    buf_release(&b);
    return f;
}

void conf_free(struct conf_file *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < f->nodes; i++) {
        free((void *)(uintptr_t)f->node[i].key);
        free((void *)(uintptr_t)f->node[i].text);
    }
    free(f->node);
    free(f->name);
    free(f);
}

const struct conf *conf_root(const struct conf_file *f)
{
    return &f->node[0];
}

const struct conf *conf_get(const struct conf *map, const char *key)
{
    for (const struct conf *c = map->first; c != NULL; c = c->next) {
        if (c->key != NULL && strcmp(c->key, key) == 0) {
            return c;
        }
    }
    return NULL;
}
