/* dpp-transform: events in, events out, by a jq program. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/share.h"
#include "jq/limit.h"
#include "jq/transform.h"
#include "stage/filter.h"

enum { KEEP = 1024 * 1024 };

struct transform_main {
    struct transform_options options;
    uint64_t timeout_ms;
    uint64_t memory;
    struct transform *transform;
    struct buf out;
    char *place[SHARE_PLACES]; /* of shared programs */
    unsigned places;
};

static void add_folder(struct opt_list *list, const char *folder)
{
    list->v = mem_resize(list->v, (list->n + 1) * sizeof *list->v);
    list->v[list->n++] = folder;
}

static int setup(void *ctx, int argc, char **argv, struct err *e)
{
    struct transform_main *m = ctx;
    struct transform_options *o = &m->options;

    if (o->file == NULL && argc == 0) {
        return err_set(e, STATUS_USAGE, "a jq program is missing (try -h)");
    }
    if (o->file == NULL) {
        o->program = *argv++;
        argc--;
    }
    if (argc > 0) {
        return err_set(e, STATUS_USAGE, "what is \"%s\"? %s (try -h)", argv[0],
                       argv[0][0] == '-' ? "options come before the program"
                       : o->file != NULL ? "the program is in the file"
                                         : "the program is one word: quote it");
    }
    m->places = share_places("jq", m->place);
    for (unsigned i = 0; i < m->places; i++) {
        add_folder(&o->folders, m->place[i]);
    }
    m->transform = transform_new(o, e);
    return m->transform != NULL ? 0 : -1;
}

static int open_limits(void *ctx, struct err *e)
{
    const struct transform_main *m = ctx;

    return limit_open(m->timeout_ms, m->memory, e);
}

/* Lines that the program made, one by one, so that they are counted. */
static void emit(struct filter *f, struct slice lines)
{
    while (lines.n > 0) {
        const char *lf = memchr(lines.p, '\n', lines.n);
        const size_t n = (size_t)(lf - lines.p);
        buf_append(filter_line(f), lines.p, n);
        filter_line_done(f);
        lines.p += n + 1;
        lines.n -= n + 1;
    }
}

static int event(void *ctx, const struct event *ev, struct filter *f,
                 struct err *e)
{
    struct transform_main *m = ctx;

    (void)e;
    limit_enter(ev->id);
    const enum transform_outcome outcome =
        transform_event(m->transform, ev, &m->out);
    limit_leave();
    switch (outcome) {
    case TRANSFORM_PASS:
        filter_pass(f, ev);
        break;
    case TRANSFORM_LINES:
        emit(f, buf_slice(&m->out));
        break;
    case TRANSFORM_DEAD:
        filter_dead(f, ev, buf_slice(&m->out));
        break;
    }
    buf_shrink(&m->out, KEEP);
    return 0;
}

static void close_all(void *ctx)
{
    (void)ctx;
}

int main(int argc, char **argv)
{
    struct transform_main m = {.timeout_ms = 5000, .memory = 512 << 20};
    struct transform_options *o = &m.options;
    const struct opt options[] = {
        {'f', "from-file", "FILE", "the program is in this file", OPT_STRING,
         &o->file, 0, 0},
        {0, "arg", "NAME TEXT", "$NAME is this text", OPT_PAIR, &o->arg, 0, 0},
        {0, "argjson", "NAME JSON", "$NAME is this value", OPT_PAIR,
         &o->argjson, 0, 0},
        {'L', "library", "DIR", "search here for include and import", OPT_LIST,
         &o->folders, 0, 0},
        {0, "timeout", "DUR", "processor time for one event (5s)", OPT_DURATION,
         &m.timeout_ms, 10, 3600000},
        {0, "memory", "SIZE", "memory of the program (512M)", OPT_SIZE,
         &m.memory, 32 << 20, 0},
        {0},
    };
    const struct stage_program program = {
        .name = "dpp-transform",
        .synopsis = "[--arg NAME TEXT] PROGRAM\n[--arg NAME TEXT] -f FILE",
        .about = "Events in, events out, by a jq program.",
        .options = options,
        .setup = setup,
    };
    const struct filter_ops ops = {open_limits, event, close_all};
    const int status = filter_main(&program, &ops, &m, argc, argv);

    transform_free(m.transform);
    buf_release(&m.out);
    free(o->arg.v);
    free(o->argjson.v);
    free(o->folders.v);
    while (m.places > 0) {
        free(m.place[--m.places]);
    }
    return status;
}
