/* dpp-transform: events in, events out, by a jq program; opened before it and
 * sealed behind it. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/share.h"
#include "jq/limit.h"
#include "jq/transform.h"
#include "seal/sealer.h"
#include "stage/filter.h"

enum { KEEP = 1024 * 1024 };

struct transform_main {
    struct transform_options options;
    uint64_t timeout_ms;
    uint64_t memory;
    struct transform *transform; /* NULL: none, they pass */
    struct sealer_options sealing;
    struct sealer *sealer; /* NULL: nothing is sealed or opened */
    struct buf out;
    struct buf sealed;
    struct buf lines;          /* all that one event becomes */
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

    if (m->sealing.seal.n + m->sealing.open.n > 0) {
        m->sealer = sealer_new(&m->sealing, e);
        if (m->sealer == NULL || (o->file == NULL && argc == 0)) {
            return m->sealer != NULL ? 0 : -1;
        }
    }
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

    if (m->sealer != NULL && sealer_start(m->sealer, e) < 0) {
        return -1;
    }
    return limit_open(m->timeout_ms, m->memory, e);
}

/* Lines that were made of an event, one by one, so that they are counted. */
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

/* The dead letter is the event as it came, and so as sealed as it was. */
static void give_up(struct filter *f, const struct event *ev,
                    const struct buf *why)
{
    struct buf text;

    buf_init(&text);
    buf_puts(&text, "dpp-transform: ");
    buf_append_slice(&text, buf_slice(why));
    filter_dead(f, ev, buf_slice(&text));
    buf_release(&text);
}

/* One line that goes out, to the lines of its event. */
static enum sealer_outcome seal_line(struct transform_main *m,
                                     struct slice line)
{
    enum sealer_outcome outcome = SEALER_PASS;
    struct event ev;
    bool reordered;
    struct err e;

    if (m->sealing.seal.n > 0) {
        if (event_parse(&ev, line, &reordered, &e) < 0) {
            buf_clear(&m->sealed);
            buf_puts(&m->sealed, e.text);
            return SEALER_DEAD;
        }
        outcome = sealer_seal(m->sealer, &ev, &m->sealed);
    }
    if (outcome != SEALER_DEAD) {
        buf_append_slice(&m->lines,
                         outcome == SEALER_PASS ? line : buf_slice(&m->sealed));
        buf_putc(&m->lines, '\n');
    }
    return outcome;
}

/* What became of an event (inside) goes out instead of it. */
static void seal_lines(struct transform_main *m, const struct event *ev,
                       struct slice lines, struct filter *f)
{
    buf_clear(&m->lines);
    while (lines.n > 0) {
        const char *lf = memchr(lines.p, '\n', lines.n);
        const size_t n = lf != NULL ? (size_t)(lf - lines.p) : lines.n;
        if (seal_line(m, (struct slice){lines.p, n}) == SEALER_DEAD) {
            give_up(f, ev, &m->sealed);
            return;
        }
        lines.p += n + (lf != NULL);
        lines.n -= n + (lf != NULL);
    }
    emit(f, buf_slice(&m->lines));
}

static enum transform_outcome map(struct transform_main *m,
                                  const struct event *ev)
{
    if (m->transform == NULL) {
        return TRANSFORM_PASS;
    }
    limit_enter(ev->id);
    const enum transform_outcome outcome =
        transform_event(m->transform, ev, &m->out);
    limit_leave();
    return outcome;
}

/* inside: the event, opened. */
static void work(struct transform_main *m, const struct event *ev,
                 const struct event *inside, struct filter *f)
{
    const bool plain = m->sealing.seal.n == 0;

    switch (map(m, inside)) {
    case TRANSFORM_PASS:
        if (plain) {
            filter_pass(f, inside);
        } else {
            seal_lines(m, ev, inside->line, f);
        }
        break;
    case TRANSFORM_LINES:
        if (plain) {
            emit(f, buf_slice(&m->out));
        } else {
            seal_lines(m, ev, buf_slice(&m->out), f);
        }
        break;
    case TRANSFORM_DEAD:
        filter_dead(f, ev, buf_slice(&m->out));
        break;
    }
}

static int event(void *ctx, const struct event *ev, struct filter *f,
                 struct err *e)
{
    struct transform_main *m = ctx;
    struct event inside = *ev;

    (void)e;
    if (m->sealing.open.n > 0 &&
        sealer_open(m->sealer, ev, &inside, &m->out) == SEALER_DEAD) {
        give_up(f, ev, &m->out);
    } else {
        work(m, ev, &inside, f);
    }
    buf_shrink(&m->out, KEEP);
    buf_shrink(&m->sealed, KEEP);
    buf_shrink(&m->lines, KEEP);
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
        {0, "seal", "KEY[=PATH]", "seal the data, or this field of it",
         OPT_LIST, &m.sealing.seal, 0, 0},
        {0, "open", "KEY", "open what is sealed under this key", OPT_LIST,
         &m.sealing.open, 0, 0},
        {0},
    };
    const struct stage_program program = {
        .name = "dpp-transform",
        .synopsis = "[--arg NAME TEXT] PROGRAM\n[--arg NAME TEXT] -f FILE\n"
                    "[--open KEY] [--seal KEY[=PATH]] [PROGRAM]",
        .about = "Events in, events out, by a jq program.",
        .options = options,
        .setup = setup,
    };
    const struct filter_ops ops = {open_limits, event, close_all};
    const int status = filter_main(&program, &ops, &m, argc, argv);

    transform_free(m.transform);
    sealer_free(m.sealer);
    buf_release(&m.out);
    buf_release(&m.sealed);
    buf_release(&m.lines);
    free(m.sealing.seal.v);
    free(m.sealing.open.v);
    free(o->arg.v);
    free(o->argjson.v);
    free(o->folders.v);
    while (m.places > 0) {
        free(m.place[--m.places]);
    }
    return status;
}
