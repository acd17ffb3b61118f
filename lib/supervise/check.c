/* The probe's steps.
 *
 *   hello     one line; it must come out within 2 s of being read
 *   rounds    20 small batches, each only after the mark of the one before came
 *             out: nothing may wait for more input
 *   bulk      10,000 events in batches of 1 to 400, as fast as they go
 *   end       the end line, then the end of the input: status 0
 *   death     a second process whose input ends without an end line
 */
#include "supervise/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "supervise/probe.h"
#include "supervise/words.h"

enum {
    LIMIT_MS = 2000,
    BULK_LIMIT_MS = 5000,
    ROUNDS = 20,
    EVENTS = 10000,
    BULK_BYTES = 64 * 1024
};

struct check {
    struct probe probe;
    uint64_t hello_us;
    uint64_t round_us[ROUNDS];
    size_t rounds;
    bool late; /* what was missing came when the input ended */
};

/* --- steps ---------------------------------------------------------------- */

static bool saw_hello(const struct probe *p)
{
    return p->witness.hello_seen;
}

static bool saw_marks(const struct probe *p)
{
    return p->out.n == 0 && p->witness.marks == p->witness.batches;
}

static bool saw_end(const struct probe *p)
{
    return p->witness.end_seen;
}

static bool took_all(const struct probe *p)
{
    return p->out.n == 0;
}

static bool never(const struct probe *p)
{
    (void)p;
    return false;
}

/* Nothing comes: is it late or lost? Its input ends, and we see. */
static bool fail_missing(struct check *c, enum witness_promise promise,
                         const char *what)
{
    struct probe *p = &c->probe;
    const size_t marks = p->witness.marks;
    const bool hello = p->witness.hello_seen;

    if (p->witness.broken) {
        return false;
    }
    const bool ended = p->eof;
    probe_finish(p);
    (void)probe_pump(p, never, LIMIT_MS);
    c->late = (p->witness.hello_seen && !hello) || p->witness.marks > marks;
    if (ended && probe_wait(p, LIMIT_MS)) {
        char how[OUTCOME_TEXT];
        outcome_text(&p->segment.end[p->segment.n - 1], how);
        return witness_break(&p->witness, promise, "it %s", how);
    }
    if (c->late) {
        return witness_break(&p->witness, promise,
                             "%s came only when the input ended: it holds its "
                             "output back",
                             what);
    }
    p->witness.broken = false; /* the first thing missing is what counts */
    return witness_break(&p->witness, promise, "%s never came out", what);
}

static bool check_hello(struct check *c)
{
    struct probe *p = &c->probe;
    const uint64_t start = clock_mono_us();

    witness_put_hello(&p->witness, &p->out);
    if (!probe_pump(p, saw_hello, LIMIT_MS)) {
        return fail_missing(c, WITNESS_HELLO, "the hello line");
    }
    c->hello_us = clock_mono_us() - start;
    return true;
}

static bool check_rounds(struct check *c)
{
    static const uint32_t sizes[] = {1, 1, 2, 3, 1, 7, 1, 4};
    struct probe *p = &c->probe;

    for (; c->rounds < ROUNDS; c->rounds++) {
        const uint64_t start = clock_mono_us();
        witness_put_events(&p->witness, &p->out,
                           sizes[c->rounds % (sizeof sizes / sizeof sizes[0])]);
        witness_put_mark(&p->witness, &p->out);
        if (!probe_pump(p, saw_marks, LIMIT_MS)) {
            return fail_missing(c, WITNESS_HOLDS, "a mark");
        }
        c->round_us[c->rounds] = clock_mono_us() - start;
    }
    return true;
}

static bool check_bulk(struct check *c)
{
    struct probe *p = &c->probe;
    uint32_t size = 1;

    while (p->witness.events < EVENTS) {
        while (p->out.n < BULK_BYTES && p->witness.events < EVENTS) {
            const uint32_t left = EVENTS - p->witness.events;
            size = size * 7 % 401; /* from 1 to 400, mixed */
            witness_put_events(&p->witness, &p->out, size < left ? size : left);
            witness_put_mark(&p->witness, &p->out);
        }
        if (!probe_pump(p, took_all, BULK_LIMIT_MS)) {
            return fail_missing(c, WITNESS_MARKS, "the next mark");
        }
    }
    return probe_pump(p, saw_marks, BULK_LIMIT_MS) ||
           fail_missing(c, WITNESS_MARKS, "the last mark");
}

static bool check_end(struct check *c)
{
    struct probe *p = &c->probe;
    char how[OUTCOME_TEXT];

    witness_put_end(&p->witness, &p->out);
    if (!probe_pump(p, saw_end, LIMIT_MS)) {
        return fail_missing(c, WITNESS_END, "the end line");
    }
    probe_finish(p);
    (void)probe_pump(p, never, LIMIT_MS);
    if (p->witness.broken) {
        return false;
    }
    if (!p->eof || !probe_wait(p, LIMIT_MS)) {
        return witness_break(&p->witness, WITNESS_END,
                             "it does not end within %d ms of its input",
                             LIMIT_MS);
    }
    for (size_t i = 0; i < p->segment.n; i++) {
        if (p->segment.end[i].wstatus != 0) {
            outcome_text(&p->segment.end[i], how);
            return witness_break(&p->witness, WITNESS_END, "it %s", how);
        }
    }
    return true;
}

static bool check_death(struct check *c)
{
    struct probe *p = &c->probe;

    witness_put_hello(&p->witness, &p->out);
    witness_put_events(&p->witness, &p->out, 3);
    witness_put_mark(&p->witness, &p->out);
    witness_put_events(&p->witness, &p->out, 1);
    if (!probe_pump(p, saw_marks, LIMIT_MS)) {
        return fail_missing(c, WITNESS_DEATH, "the mark of a second start");
    }
    probe_finish(p);
    (void)probe_pump(p, never, LIMIT_MS);
    if (!p->witness.broken && (!p->eof || !probe_wait(p, LIMIT_MS))) {
        return witness_break(&p->witness, WITNESS_DEATH,
                             "it does not end within %d ms of its input",
                             LIMIT_MS);
    }
    return !p->witness.broken;
}

/* --- the verdict ---------------------------------------------------------- */

static const char *const promises[WITNESS_PROMISES][2] = {
    {"hello", "the hello line is passed on"},
    {"lines", "what comes out is events and control lines"},
    {"marks", "marks come once each, in order and unchanged"},
    {"holds", "nothing is held back past a mark"},
    {"order", "events keep their order"},
    {"end", "the end line is passed on, and the end is clean"},
    {"death", "no end line is made up when the input breaks off"},
};

static const struct {
    const char *name;
    const char *hint;
} hints[] = {
    {"jq", "add --unbuffered"},
    {"sed", "add -u"},
    {"gsed", "add -u"},
    {"grep", "add --line-buffered"},
    {"egrep", "add --line-buffered"},
    {"fgrep", "add --line-buffered"},
    {"mawk", "add -W interactive"},
    {"gawk", "call fflush() behind each print"},
    {"awk", "add -W interactive (mawk), or call fflush() (gawk)"},
    {"perl", "set $| = 1"},
    {"ruby", "set $stdout.sync = true"},
    {"node", "write each line as it comes"},
    {"sort", "it must see all of its input, and cannot stand in a segment"},
    {"tac", "it must see all of its input, and cannot stand in a segment"},
    {"uniq", "it waits for the next line, and cannot stand in a segment"},
};

static const char *hint(const char *name)
{
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (strcmp(hints[i].name, name) == 0) {
            return hints[i].hint;
        }
    }
    return strncmp(name, "python", 6) == 0 ? "add -u"
                                           : "flush the output behind each "
                                             "line";
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void print_notes(struct check *c)
{
    const struct witness *w = &c->probe.witness;
    const uint64_t kept = w->passed - w->born;

    if (c->rounds > 0) {
        qsort(c->round_us, c->rounds, sizeof c->round_us[0], by_size);
        (void)printf("note  a mark comes back after %llu us (the slowest of "
                     "%zu after %llu us)\n",
                     (unsigned long long)c->round_us[c->rounds / 2], c->rounds,
                     (unsigned long long)c->round_us[c->rounds - 1]);
    }
    (void)printf("note  of %u events: %llu came out, %llu were dropped, %llu "
                 "born, %llu dead\n",
                 w->events, (unsigned long long)kept,
                 (unsigned long long)(w->events - kept),
                 (unsigned long long)w->born, (unsigned long long)w->died);
    if (w->strange > 0) {
        (void)printf("note  %llu came out with ids of their own\n",
                     (unsigned long long)w->strange);
    }
    if (w->rounded) {
        (void)printf("note  it rounds long numbers: 12345678901234567890 "
                     "lost its last digits\n");
    }
}

/* The promises that were looked at before the first broken one hold. */
static void print_verdict(const struct witness *w)
{
    for (int i = 0; i < WITNESS_PROMISES; i++) {
        const bool bad = w->broken && (int)w->promise == i;
        if (w->broken && (int)w->promise < i && !bad) {
            (void)printf("-     %-6s not looked at\n", promises[i][0]);
        } else {
            (void)printf("%s  %-6s %s\n", bad ? "FAIL" : "ok  ", promises[i][0],
                         bad ? w->why : promises[i][1]);
        }
    }
}

static int verdict(struct check *c, const char *name, bool good, struct err *e)
{
    struct witness *w = &c->probe.witness;

    print_verdict(w);
    if (good) {
        return 0;
    }
    return err_set(e, STATUS_STREAM, "%s does not conform: %s%s%s", name,
                   w->why, c->late ? ": " : "", c->late ? hint(name) : "");
}

int check_filter(const struct words *words, struct err *e)
{
    struct check first = {0};
    struct check second = {0};
    int rc = -1;

    if (probe_open(&first.probe, words, e) < 0) {
        goto out;
    }
    const char *name = first.probe.segment.stage[0].name;
    bool good = check_hello(&first) && check_rounds(&first) &&
                check_bulk(&first) && check_end(&first);
    if (!good) {
        rc = verdict(&first, name, false, e);
        goto out;
    }
    probe_stop(&first.probe);
    if (probe_open(&second.probe, words, e) < 0) {
        goto out_second;
    }
    good = check_death(&second);
    rc = verdict(&second, name, good, e);
    print_notes(&first);
    if (good) {
        msg_info("%s conforms", name);
    }
out_second:
    probe_close(&second.probe);
out:
    probe_close(&first.probe);
    return rc;
}
