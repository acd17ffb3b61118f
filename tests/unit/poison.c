/* The isolation of poison, played through with a segment of numbers: events
 * 0, 1, 2 … and a world that decides what happens to each. */
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "supervise/poison.h"
#include "unit.h"

enum { EVENTS = 400, BATCH = 50 };

enum fate { FINE, DEADLY, AWAY };

struct world {
    enum fate fate[EVENTS];
    unsigned kill_percent; /* of the starts: killed from outside */
    struct poison poison;
    size_t at; /* the position */
    bool dead[EVENTS];
    unsigned starts;
    unsigned cautious;
    unsigned run;
};

static void name_event(size_t i, char out[32])
{
    (void)snprintf(out, 32, "0000%04zx t/0:%zu", i, i + 1);
}

static struct news_count mark(const struct world *w, uint64_t n)
{
    struct news_count c = {.n = n};

    (void)snprintf(c.run, sizeof c.run, "%032u", w->run);
    return c;
}

/* Hand out one by one. True: it was the death of the segment. */
static bool one_by_one(struct world *w, const char *how, size_t budget)
{
    char who[32];
    uint64_t seq = 0;

    for (; w->at < EVENTS; w->at++) {
        name_event(w->at, who);
        const struct news_count out = mark(w, ++seq);
        poison_out(&w->poison, &out, slice_of(who));
        const bool suspect =
            strncmp(how, "suspect ", 8) == 0 && strcmp(how + 8, who) == 0;
        if (!suspect && w->fate[w->at] != FINE) {
            return w->fate[w->at] == DEADLY;
        }
        if (budget-- == 0) {
            return false; /* kill -9 while it is out */
        }
        w->dead[w->at] |= suspect;
        poison_receipt(&w->poison, &out);
    }
    return false;
}

static bool by_batches(struct world *w, size_t budget)
{
    uint64_t seq = 0;

    while (w->at < EVENTS) {
        for (size_t i = w->at; i < w->at + BATCH && i < EVENTS; i++) {
            if (w->fate[i] != FINE) {
                return w->fate[i] == DEADLY;
            }
            if (budget-- == 0) {
                return false;
            }
        }
        w->at += BATCH;
        const struct news_count out = mark(w, ++seq);
        poison_receipt(&w->poison, &out);
    }
    return false;
}

static void play(struct world *w, unsigned max_starts)
{
    struct buf b;

    poison_init(&w->poison);
    buf_init(&b);
    while (w->at < EVENTS && w->starts < max_starts) {
        w->starts++;
        w->run++;
        const size_t budget =
            rand_below(100) < w->kill_percent ? rand_below(120) : SIZE_MAX;
        const char *how = poison_next(&w->poison, &b);
        w->cautious += how != NULL;
        const bool blame =
            how != NULL ? one_by_one(w, how, budget) : by_batches(w, budget);
        poison_end(&w->poison, blame, 100 * 1000);
    }
    buf_release(&b);
    poison_release(&w->poison);
}

static unsigned count_dead(const struct world *w, enum fate fate)
{
    unsigned n = 0;

    for (size_t i = 0; i < EVENTS; i++) {
        n += w->dead[i] && w->fate[i] == fate;
    }
    return n;
}

static void isolates(void)
{
    struct world w = {0};

    w.fate[123] = DEADLY;
    play(&w, 100);
    unit_check(w.dead[123] && count_dead(&w, FINE) == 0 && w.at == EVENTS,
               "one deadly event is declared dead, alone");
    unit_check(w.starts <= 7, "within 7 starts (%u)", w.starts);

    struct world two = {0};
    two.fate[123] = two.fate[124] = two.fate[125] = DEADLY;
    two.fate[300] = DEADLY;
    play(&two, 100);
    unit_check(count_dead(&two, DEADLY) == 4 && count_dead(&two, FINE) == 0,
               "so are several, in a row or not (%u starts)", two.starts);
}

static void spares(void)
{
    struct world w = {0};

    w.kill_percent = 100;
    play(&w, 20000);
    unit_check(count_dead(&w, FINE) == 0 && w.cautious == 0 && w.at == EVENTS,
               "SIGKILL at each start makes no suspect (%u starts)", w.starts);

    struct world away = {0};
    away.fate[200] = AWAY;
    play(&away, 500);
    unit_check(count_dead(&away, AWAY) + count_dead(&away, FINE) == 0 &&
                   away.at >= 200 - BATCH,
               "a peer that is away for 500 starts makes no suspect");

    unsigned wrong = 0;
    unsigned right = 0;
    for (int i = 0; i < 200; i++) {
        struct world both = {0};
        both.fate[7] = both.fate[222] = DEADLY;
        both.kill_percent = 50;
        play(&both, 2000);
        right += count_dead(&both, DEADLY);
        wrong += count_dead(&both, FINE);
    }
    unit_check(right == 400 && wrong == 0,
               "poison under a chaos test, 200 times: poison and nothing else");
}

static void broken_stage(void)
{
    struct world w = {0};

    for (size_t i = 100; i < EVENTS; i++) {
        w.fate[i] = DEADLY;
    }
    play(&w, 5000);
    unit_check(count_dead(&w, DEADLY) == POISON_ROW_MAX && w.at == 108,
               "a filter that dies on every event declares %d dead and no "
               "more (%u)",
               POISON_ROW_MAX, count_dead(&w, DEADLY));
}

static void calms_down(void)
{
    struct poison p;
    struct buf b;
    struct news_count c = {.run = "x", .n = 5};

    poison_init(&p);
    buf_init(&b);
    for (int i = 0; i < POISON_DEATHS; i++) {
        poison_end(&p, true, 1000);
    }
    unit_check(poison_next(&p, &b) != NULL && p.state == POISON_CAUTION,
               "three deaths that count bring caution");
    poison_receipt(&p, &c);
    poison_end(&p, false, 11 * 1000000ULL);
    unit_check(poison_next(&p, &b) == NULL,
               "a run of 11 s with receipts ends it");
    poison_release(&p);
    buf_release(&b);
}

static void parses(void)
{
    struct news_item it = {0};
    const char *text = "READY=1\nX_DPP_POS=0123456789abcdef0123456789abcdef#12 "
                       "a:1 sum:0\nX_DPP_OUT=0123456789abcdef0123456789abcdef#"
                       "13 00 a:2";

    news_parse(&it, slice_of(text));
    unit_check(it.ready && it.has_pos && it.marks.n == 12 &&
                   slice_is(it.pos, "a:1 sum:0") && it.has_out &&
                   it.out.n == 13 && slice_is(it.who, "00 a:2"),
               "datagrams of several lines are understood");
    static const char *const bad[] = {
        "X_DPP_POS=",
        "X_DPP_POS=short#1 ",
        "X_DPP_POS=0123456789abcdef0123456789abcdef#",
        "X_DPP_POS=0123456789abcdef0123456789abcdef#1x",
        "X_DPP_POS=0123456789abcdef0123456789abcdef#99999999999999999999 ",
        "X_DPP_POS=0123456789abcdef0123456789abcdef0#1 "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        it = (struct news_item){0};
        news_parse(&it, slice_of(bad[i]));
        unit_check(!it.has_pos, "no position: \"%s\"", bad[i]);
    }
}

int main(void)
{
    isolates();
    spares();
    broken_stage();
    calms_down();
    parses();
    return unit_end();
}
