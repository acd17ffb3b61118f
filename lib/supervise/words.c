#include "supervise/words.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* --- stages --------------------------------------------------------------- */

/* Words as they come; a separator closes a stage. */
struct gather {
    struct words *to;
    size_t argc;  /* of the stage under way */
    size_t total; /* words in all */
};

void words_release(struct words *w)
{
    for (size_t i = 0; i < w->n; i++) {
        for (char **word = w->stage[i]; *word != NULL; word++) {
            free(*word);
        }
        free((void *)w->stage[i]);
    }
    free((void *)w->stage);
    *w = (struct words){0};
}

static int open_stage(struct gather *g, struct err *e)
{
    struct words *w = g->to;

    if (w->n == WORDS_STAGES) {
        return err_set(e, STATUS_USAGE, "more than %d stages", WORDS_STAGES);
    }
    w->stage = mem_resize((void *)w->stage, (w->n + 1) * sizeof *w->stage);
    w->stage[w->n] = mem_new(sizeof(char *));
    w->n++;
    g->argc = 0;
    return 0;
}

static int put_word(struct gather *g, const char *p, size_t n, struct err *e)
{
    char ***argv = &g->to->stage[g->to->n - 1];

    if (++g->total > WORDS_MAX) {
        return err_set(e, STATUS_USAGE, "more than %d words", WORDS_MAX);
    }
    *argv = mem_resize((void *)*argv, (g->argc + 2) * sizeof **argv);
    (*argv)[g->argc++] = mem_strndup(p, n);
    (*argv)[g->argc] = NULL;
    return 0;
}

static int close_stage(struct gather *g, struct err *e)
{
    if (g->argc > 0) {
        return 0;
    }
    if (g->to->n == 1 && g->total == 0) {
        return err_set(e, STATUS_USAGE, "there is no stage to start (try -h)");
    }
    return err_set(e, STATUS_USAGE,
                   "stage %zu is empty: a \"!\" or \"|\" stands between two "
                   "stages",
                   g->to->n);
}

static int separate(struct gather *g, struct err *e)
{
    return close_stage(g, e) < 0 ? -1 : open_stage(g, e);
}

static bool separates(const char *word)
{
    return (word[0] == '!' || word[0] == '|') && word[1] == '\0';
}

int words_from_argv(struct words *w, int argc, char **argv, struct err *e)
{
    struct gather g = {.to = w};

    *w = (struct words){0};
    int rc = open_stage(&g, e);
    for (int i = 0; rc == 0 && i < argc; i++) {
        rc = separates(argv[i]) ? separate(&g, e)
                                : put_word(&g, argv[i], strlen(argv[i]), e);
    }
    if (rc < 0 || close_stage(&g, e) < 0) {
        words_release(w);
        return -1;
    }
    return 0;
}

/* --- files ---------------------------------------------------------------- */

struct cut {
    struct gather g;
    const char *name;
    const char *p;
    const char *end;
    unsigned line;
    unsigned column;
    struct buf word;
    bool quoted; /* some of the word: it is no separator */
    bool placed; /* the error's text names its place already */
};

/* One byte on; columns count characters. */
static char step(struct cut *c)
{
    const char ch = *c->p++;

    if (ch == '\n') {
        c->line++;
        c->column = 1;
    } else if (((unsigned char)ch & 0xc0) != 0x80) {
        c->column++;
    }
    return ch;
}

static int place(struct cut *c, struct err *e, unsigned line, unsigned column)
{
    c->placed = true;
    return err_wrap(e, "%s:%u:%u", c->name, line, column);
}

static int refuse(struct cut *c, struct err *e)
{
    if (*c->p == '\0') {
        (void)err_set(e, STATUS_USAGE, "a NUL byte");
    } else if (*c->p == '|') {
        (void)err_set(e, STATUS_USAGE,
                      "put blanks around \"|\", or quotes if it belongs to a "
                      "word");
    } else {
        (void)err_set(e, STATUS_USAGE, "dpp-run is not a shell: \"%c\"", *c->p);
    }
    return place(c, e, c->line, c->column);
}

static int take_quoted(struct cut *c, struct err *e)
{
    const unsigned line = c->line;
    const unsigned column = c->column;
    const char quote = step(c);

    c->quoted = true;
    while (c->p < c->end && *c->p != quote) {
        if (*c->p == '\0') {
            return refuse(c, e);
        }
        char ch = step(c);
        if (ch == '\\' && quote == '"' && c->p < c->end) {
            if (*c->p == '\n') {
                (void)step(c);
                continue;
            }
            if (memchr("\"\\$`", *c->p, 4) != NULL) {
                ch = step(c);
            }
        }
        buf_putc(&c->word, ch);
    }
    if (c->p == c->end) {
        (void)err_set(e, STATUS_USAGE, "a %c that is not closed", quote);
        return place(c, e, line, column);
    }
    (void)step(c);
    return 0;
}

static int take_escaped(struct cut *c, struct err *e)
{
    const unsigned line = c->line;
    const unsigned column = c->column;

    (void)step(c);
    if (c->p == c->end) {
        (void)err_set(e, STATUS_USAGE, "a \\ with nothing behind it");
        return place(c, e, line, column);
    }
    if (*c->p == '\0') {
        return refuse(c, e);
    }
    const char ch = step(c);
    if (ch != '\n') { /* a line end behind it joins two lines */
        buf_putc(&c->word, ch);
        c->quoted = true;
    }
    return 0;
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

/* "|" alone is a separator; in a word a shell would see one, and we do not. */
static bool bar_in_word(const struct cut *c)
{
    return *c->p == '|' && (c->word.n > 0 || c->quoted ||
                            (c->p + 1 < c->end && !is_blank(c->p[1])));
}

/* One word, from its first byte to the blank behind it. */
static int take_word(struct cut *c, struct err *e)
{
    int rc = 0;

    buf_clear(&c->word);
    c->quoted = false;
    while (rc == 0 && c->p < c->end && !is_blank(*c->p)) {
        if (*c->p == '\'' || *c->p == '"') {
            rc = take_quoted(c, e);
        } else if (*c->p == '\\') {
            rc = take_escaped(c, e);
        } else if (memchr("$;&<>()*`", *c->p, 10) != NULL || bar_in_word(c)) {
            rc = refuse(c, e); /* the 10th is NUL */
        } else {
            buf_putc(&c->word, step(c));
        }
    }
    if (rc < 0 || (c->word.n == 0 && !c->quoted)) {
        return rc; /* only a joined line */
    }
    const char *word = buf_cstr(&c->word);
    return !c->quoted && separates(word) ? separate(&c->g, e)
                                         : put_word(&c->g, word, c->word.n, e);
}

static void skip_comment(struct cut *c)
{
    while (c->p < c->end && *c->p != '\n') {
        (void)step(c);
    }
}

int words_from_text(struct words *w, const char *name, struct slice text,
                    struct err *e)
{
    struct cut c = {.g.to = w,
                    .name = name,
                    .p = text.p,
                    .end = text.p + text.n,
                    .line = 1,
                    .column = 1};

    *w = (struct words){0};
    buf_init(&c.word);
    int rc = open_stage(&c.g, e);
    while (rc == 0 && c.p < c.end) {
        if (is_blank(*c.p)) {
            (void)step(&c);
        } else if (*c.p == '#') {
            skip_comment(&c);
        } else {
            const unsigned line = c.line;
            const unsigned column = c.column;
            rc = take_word(&c, e);
            if (rc < 0 && !c.placed) {
                (void)place(&c, e, line, column);
            }
        }
    }
    if (rc == 0 && (rc = close_stage(&c.g, e)) < 0) {
        (void)err_wrap(e, "%s", name);
    }
    buf_release(&c.word);
    if (rc < 0) {
        words_release(w);
    }
    return rc;
}

int words_from_file(struct words *w, const char *path, struct err *e)
{
    struct buf text;

    buf_init(&text);
    int rc = file_read(path, WORDS_FILE_MAX, &text, e);
    if (rc < 0) {
        e->status = STATUS_USAGE;
    } else {
        rc = words_from_text(w, path, buf_slice(&text), e);
    }
    buf_release(&text);
    return rc;
}
