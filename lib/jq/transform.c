#include "jq/transform.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "jq/program.h"
#include "jq/select.h"
#include "jq/view.h"
#include "record/json.h"

enum { PROGRAM_MAX = 4 * 1024 * 1024 };

struct transform {
    struct transform_options options;
    struct buf text;
    struct select select;
    struct program *program; /* NULL: not needed yet */
    struct view view;
};

static int check_arguments(const struct transform_options *o, struct err *e)
{
    for (size_t i = 0; i + 1 < o->argjson.n; i += 2) {
        const char *text = o->argjson.v[i + 1];
        if (!json_valid(slice_of(text))) {
            return err_set(e, STATUS_USAGE, "--argjson %s: \"%s\" is no JSON",
                           o->argjson.v[i], text);
        }
    }
    return 0;
}

struct transform *transform_new(const struct transform_options *o,
                                struct err *e)
{
    struct transform *t = mem_new(sizeof *t);

    t->options = *o;
    view_init(&t->view);
    if (check_arguments(o, e) < 0) {
        goto fail;
    }
    if (o->file == NULL) {
        buf_puts(&t->text, o->program);
    } else if (file_read(o->file, PROGRAM_MAX, &t->text, e) < 0) {
        goto fail;
    }
    (void)buf_cstr(&t->text);
    select_parse(&t->select, buf_slice(&t->text));
    if (t->select.kind == SELECT_UNKNOWN || t->select.kind == SELECT_FIRST) {
        t->program = program_new(o, buf_slice(&t->text), e);
        if (t->program == NULL) {
            goto fail;
        }
    }
    return t;
fail:
    transform_free(t);
    return NULL;
}

void transform_free(struct transform *t)
{
    if (t != NULL) {
        program_free(t->program);
        view_release(&t->view);
        buf_release(&t->text);
        free(t);
    }
}

/* select(…) alone needs libjq only for a value with an escape. Its text was
 * understood, so it compiles. */
static int need_program(struct transform *t, struct err *e)
{
    if (t->program == NULL) {
        t->program = program_new(&t->options, buf_slice(&t->text), e);
    }
    return t->program != NULL ? 0 : -1;
}

/* All outputs of the program, or the reason why there is one that is none. */
static enum transform_outcome run(struct transform *t, struct buf *out)
{
    struct buf why;
    jv output;
    int rc;

    buf_init(&why);
    program_start(t->program, jv_copy(t->view.whole));
    while ((rc = program_next(t->program, &output, &why)) == 1) {
        rc = view_print(&t->view, output, out, &why);
        jv_free(output);
        if (rc == 0 && out->n > TRANSFORM_OUT_MAX) {
            buf_printf(&why, "more than %d MiB of output",
                       TRANSFORM_OUT_MAX >> 20);
            rc = -1;
        }
        if (rc < 0) {
            break;
        }
    }
    if (rc < 0) {
        buf_clear(out);
        buf_puts(out, "dpp-transform: ");
        buf_append_slice(out, buf_slice(&why));
    }
    buf_release(&why);
    return rc < 0 ? TRANSFORM_DEAD : TRANSFORM_LINES;
}

enum transform_outcome transform_event(struct transform *t,
                                       const struct event *ev, struct buf *out)
{
    const enum select_answer answer = select_ask(&t->select, ev);
    struct err e;

    buf_clear(out);
    if (t->select.kind == SELECT_IDENTITY ||
        (t->select.kind == SELECT_ONLY && answer == SELECT_YES)) {
        return TRANSFORM_PASS;
    }
    if (answer == SELECT_NO) {
        return TRANSFORM_LINES;
    }
    if (need_program(t, &e) < 0) {
        buf_puts(out, e.text);
        return TRANSFORM_DEAD;
    }
    if (view_open(&t->view, ev) < 0) {
        buf_printf(out,
                   "dpp-transform: nested deeper than %d levels: only the "
                   "program . passes it on",
                   VALUE_DEPTH);
        return TRANSFORM_DEAD;
    }
    const enum transform_outcome outcome = run(t, out);
    view_close(&t->view);
    return outcome;
}
