/* How a segment ends: the pressure on its stages, and the judgement. The whole
 * is told in supervise.c. */
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/msg.h"
#include "stage/notify.h"
#include "supervise/process.h"
#include "supervise/supervisor.h"

enum {
    GRACE_US = 1000 * 1000,
    EARLY_US = 2000 * 1000,
    TERM_US = 2000 * 1000,
    KILL_US = 1000 * 1000,
    HELD_DEAD_US = 200 * 1000, /* for what a dead stage left behind */
    HELD_DONE_US =
        2000 * 1000, /* a stage that ended well: it may still write */
    CALM_US = 30 * 1000 * 1000, /* a run without a position that went well */
    UNANSWERED = 3,
    SECONDS = 32
};

/* --- pressure ------------------------------------------------------------- */

static void rise(struct supervisor *s, enum pressure p, uint64_t us)
{
    if (p > s->pressure) {
        s->pressure = p;
        s->pressure_us = clock_mono_us() + us;
    }
}

void ending_press(struct supervisor *s, uint64_t kill_after_us)
{
    if (s->pressure < PRESSURE_TERM) {
        segment_force(&s->segment, SIGTERM);
        rise(s, PRESSURE_TERM, kill_after_us);
    }
}

void ending_press_on(struct supervisor *s)
{
    if (s->pressure == PRESSURE_GRACE) {
        ending_press(s, TERM_US);
    } else {
        segment_force(&s->segment, SIGKILL);
        s->pressure = PRESSURE_KILL;
        s->pressure_us = clock_mono_us() + KILL_US;
    }
}

/* What stage i left behind may keep the next one from seeing its end. */
static void plan_to_free(struct supervisor *s, size_t i, bool dead)
{
    const struct segment *g = &s->segment;

    if (i + 1 < g->n && g->stage[i + 1].pid > 0 && s->free_us == 0) {
        s->free_us = clock_mono_us() + (dead ? HELD_DEAD_US : HELD_DONE_US);
    }
}

void ending_look(struct supervisor *s)
{
    const struct segment *g = &s->segment;
    bool above = false; /* a stage still runs above this one */
    bool early = false;
    bool died = false;

    for (size_t i = 0; i < g->n; i++) {
        if (g->stage[i].pid > 0) {
            above = true;
            continue;
        }
        const bool dead = outcome_status(&g->end[i]) != STATUS_OK;
        died |= dead && g->end[i].cause == OUTCOME_OWN;
        early |= above;
        plan_to_free(s, i, dead);
    }
    if (died || early) {
        rise(s, PRESSURE_GRACE, died ? GRACE_US : EARLY_US);
    } else if (s->pressure == PRESSURE_GRACE) {
        s->pressure = PRESSURE_NONE; /* it only lagged behind its own end */
    }
}

void ending_free_pipes(struct supervisor *s)
{
    struct segment *g = &s->segment;

    s->free_us = 0;
    for (size_t i = 0; i + 1 < g->n; i++) {
        if (g->stage[i].pid > 0 || g->stage[i + 1].pid == 0) {
            continue;
        }
        const pid_t pid = segment_free_pipe(g, i);
        if (pid > 0) {
            msg_warn("%s (stage %zu) left process %ld behind, which held the "
                     "pipe open: killed",
                     g->stage[i].name, i + 1, (long)pid);
        }
    }
}

/* --- judgement ------------------------------------------------------------ */

static void format_seconds(uint64_t ms, char out[SECONDS])
{
    (void)snprintf(out, SECONDS, "%llu.%02llu s", (unsigned long long)ms / 1000,
                   (unsigned long long)ms % 1000 / 10);
}

static const char *caution_text(const struct poison *p)
{
    if (p->state == POISON_SUSPECT) {
        return ", and the event that it died on goes to the dead letters";
    }
    if (p->state == POISON_CAUTION) {
        return p->row < POISON_ROW_MAX
                   ? ", one event at a time"
                   : ", one event at a time (it dies on every event: the "
                     "fault is not in the events, and they are kept)";
    }
    return "";
}

/* text says what ended, or why it did not start. */
static void start_again(struct supervisor *s, const char *text)
{
    char wait[SECONDS];

    format_seconds(supervise_pause(s), wait);
    msg_warn("%s; next start in %s%s", text, wait, caution_text(&s->poison));
    notify_send(NOTIFY_ONCE, "STATUS=%s; next start in %s", text, wait);
}

/* A reader that never answers is no accident after three starts. */
static bool silent(struct supervisor *s, int status)
{
    if (!s->unanswered || status != STATUS_UNREACHABLE) {
        s->unanswered_row = 0;
        return false;
    }
    return ++s->unanswered_row >= UNANSWERED;
}

static void end_for_good(struct supervisor *s, int status, const char *text)
{
    s->done = status;
    if (status != STATUS_OK) {
        msg_error("%s%s", text, s->stops > 0 ? "" : "; not started again");
    }
}

/* Somebody killed a segment that worked: no reason to wait longer. */
static bool from_outside(const struct supervisor *s, size_t culprit, bool oom)
{
    const int wstatus = s->segment.end[culprit].wstatus;

    return s->whole && !WIFEXITED(wstatus) && !oom &&
           (WTERMSIG(wstatus) == SIGKILL || WTERMSIG(wstatus) == SIGTERM);
}

static int judge(struct supervisor *s, char *text, size_t size)
{
    const struct segment *g = &s->segment;
    const bool oom = process_oom_kills() > s->oom;
    const uint64_t lasted = clock_mono_us() - s->started_us;
    char how[OUTCOME_TEXT];
    size_t i;

    const int status = outcome_judge(g->end, g->n, s->stops > 0, &i);
    if (status != STATUS_OK) {
        outcome_text(&g->end[i], how);
        (void)snprintf(text, size, "%s (stage %zu) %s", g->stage[i].name, i + 1,
                       how);
    }
    poison_end(&s->poison, poison_blame(g->end, s->ours, g->n, oom), lasted);
    if (s->progress || lasted >= CALM_US ||
        (status != STATUS_OK && from_outside(s, i, oom))) {
        backoff_reset(&s->backoff);
    }
    return status;
}

void ending_judge(struct supervisor *s)
{
    char text[OUTCOME_TEXT + 256] = "";
    struct err e;

    if (segment_sweep(&s->segment, &e) < 0) {
        /* It may still write: nothing of ours may run beside it. */
        end_for_good(s, e.status, e.text);
        return;
    }
    const int status = judge(s, text, sizeof text);
    if (silent(s, status)) {
        end_for_good(s, STATUS_STREAM,
                     "nobody answered the source in three starts: no dpp sink "
                     "is at the end of the pipe, or a filter buffers or "
                     "swallows control lines (see dpp-run --check FILTER…)");
    } else if (status == STATUS_OK || s->stops > 0 || outcome_final(status)) {
        end_for_good(s, status, text);
    } else {
        start_again(s, text);
    }
}

void ending_failed_start(struct supervisor *s, const struct err *e)
{
    start_again(s, e->text);
}
