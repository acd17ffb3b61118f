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
#include "vault/safe.h"

enum { KEEP = 1024 * 1024 };

struct transform_main {
    bool must_lock;
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

    if (m->must_lock && safe_init(true, e) < 0) {
        return -1;
    }
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
                                     struct slice line, struct err *e)
{
    struct event ev;
    bool reordered;

    if (event_parse(&ev, line, &reordered, e) < 0) {
        buf_clear(&m->sealed);
        buf_puts(&m->sealed, e->text);
        return SEALER_DEAD;
    }
    const enum sealer_outcome outcome =
        sealer_seal(m->sealer, &ev, &m->sealed, e);
    if (outcome == SEALER_PASS || outcome == SEALER_LINE) {
        buf_append_slice(&m->lines,
                         outcome == SEALER_PASS ? line : buf_slice(&m->sealed));
        buf_putc(&m->lines, '\n');
    }
    return outcome;
}

/* What became of an event goes out instead of it, or nothing of it. */
static int seal_lines(struct transform_main *m, const struct event *ev,
                      struct slice lines, struct filter *f, struct err *e)
{
    buf_clear(&m->lines);
    while (lines.n > 0) {
        const char *lf = memchr(lines.p, '\n', lines.n);
        const size_t n = lf != NULL ? (size_t)(lf - lines.p) : lines.n;
        switch (seal_line(m, (struct slice){lines.p, n}, e)) {
        case SEALER_DEAD:
            give_up(f, ev, &m->sealed);
            return 0;
        case SEALER_FAILED:
            return -1;
        default:
            break;
        }
        lines.p += n + (lf != NULL);
        lines.n -= n + (lf != NULL);
    }
    emit(f, buf_slice(&m->lines));
    return 0;
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
static int work(struct transform_main *m, const struct event *ev,
                const struct event *inside, struct filter *f, struct err *e)
{
    const enum transform_outcome outcome = map(m, inside);
    const struct slice lines =
        outcome == TRANSFORM_PASS ? inside->line : buf_slice(&m->out);

    if (outcome == TRANSFORM_DEAD) {
        filter_dead(f, ev, lines);
    } else if (m->sealing.seal.n > 0) {
        return seal_lines(m, ev, lines, f, e);
    } else if (outcome == TRANSFORM_PASS) {
        filter_pass(f, inside);
    } else {
        emit(f, lines);
    }
    return 0;
}

static int event(void *ctx, const struct event *ev, struct filter *f,
                 struct err *e)
{
    struct transform_main *m = ctx;
    struct event inside = *ev;
    enum sealer_outcome outcome = SEALER_PASS;
    int rc = 0;

    if (m->sealing.open.n > 0) {
        outcome = sealer_open(m->sealer, ev, &inside, &m->out, e);
    }
    switch (outcome) {
    case SEALER_DEAD:
        give_up(f, ev, &m->out);
        break;
    case SEALER_FAILED:
        rc = -1;
        break;
    case SEALER_DROP:
        break;
    default:
        rc = work(m, ev, &inside, f, e);
    }
    buf_shrink(&m->out, KEEP);
    buf_shrink(&m->sealed, KEEP);
    buf_shrink(&m->lines, KEEP);
    return rc;
}

static int flush(void *ctx, struct err *e)
{
    const struct transform_main *m = ctx;

    return m->sealer != NULL ? sealer_sync(m->sealer, e) : 0;
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
        {0, "forgotten", "HOW",
         "events of forgotten subjects: erase, dead, pass (erase)", OPT_STRING,
         &m.sealing.forgotten, 0, 0},
        {0, "require-mlock", NULL, "no secrets where memory may be swapped",
         OPT_FLAG, &m.must_lock, 0, 0},
        {0},
    };
    const struct stage_program program = {
        .name = "dpp-transform",
        .synopsis = "[--arg NAME TEXT] PROGRAM\n[--arg NAME TEXT] -f FILE\n"
                    "[--open KEY] [--forgotten HOW] [--seal KEY[=PATH]] "
                    "[PROGRAM]",
        .about = "Events in, events out, by a jq program.",
        .options = options,
        .setup = setup,
    };
    const struct filter_ops ops = {open_limits, event, close_all, flush};
    const int status = filter_main(&program, &ops, &m, argc, argv);

    transform_free(m.transform);
    sealer_free(m.sealer);
    buf_release(&m.out);
    buf_release(&m.sealed);
    buf_release(&m.lines);
    while (m.places > 0) {
        free(m.place[--m.places]);
    }
    return status;
}
