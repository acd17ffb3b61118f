/* What ends mean together, and which of them an event may have caused. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "supervise/outcome.h"
#include "supervise/poison.h"
#include "unit.h"

enum { MAX = 4 };

/* "76 9! 5 0f 15t": statuses; "!" a signal, "f" forced, "t" told. In the order
 * in which the stages ended, if `from` is 0; else the last one ended first. */
static size_t parse(const char *text, struct outcome_end *end, bool backwards)
{
    size_t n = 0;

    while (*text != '\0') {
        char *rest;
        const int v = (int)strtol(text, &rest, 10);
        const bool sig = *rest == '!' || *rest == 't';
        end[n] = (struct outcome_end){.wstatus = sig ? v : v << 8,
                                      .cause = *rest == 'f'   ? OUTCOME_FORCED
                                               : *rest == 't' ? OUTCOME_TOLD
                                                              : OUTCOME_OWN,
                                      .order = (unsigned)n};
        n++;
        text = rest + strspn(rest, "!ft ");
    }
    for (size_t i = 0; i < n && backwards; i++) {
        end[i].order = (unsigned)(n - i);
    }
    return n;
}

static void judged(const char *ends, bool stopping, int status, size_t who)
{
    struct outcome_end end[MAX];
    const size_t n = parse(ends, end, true);
    size_t culprit;

    const int got = outcome_judge(end, n, stopping, &culprit);
    unit_check(got == status && culprit == who,
               "%s%s is %d, stage %zu (is %d, %zu)", ends,
               stopping ? " when asked to end" : "", status, who, got, culprit);
}

static void judgement(void)
{
    judged("0 0 0", false, 0, 3);
    judged("76 76 74", false, 74, 2);
    judged("76 5 76", false, 75, 1);
    judged("76 11! 76", false, 75, 1);
    judged("76 13! 69", false, 69, 2);
    judged("75 69 74 71", false, 71, 3);
    judged("71 70 65 78", false, 78, 3);
    judged("78 77 64 75", false, 64, 2);
    judged("70 65 0 75", false, 65, 1);
    judged("77 64 0 75", false, 64, 1);
    judged("76 0 0", false, 75, 2); /* who left first, by its order */
    judged("76 76", false, 75, 1);
    judged("76 0f 0f", false, 75, 2);
    judged("15t 0 0", true, 0, 3);
    judged("0 0 0", true, 0, 3);
    judged("0 76 76", true, 0, 3); /* asked to end before hi */
    judged("76 0 0", true, 75, 2);
    judged("0 0f 76", true, 75, 2); /* not drained in time */
    judged("75 76 76", true, 75, 0);
    judged("200 76", false, 75, 0);
}

static void finality(void)
{
    static const int final[] = {64, 65, 77, 78};
    static const int other[] = {69, 70, 71, 74, 75};

    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        unit_check(outcome_final(final[i]), "%d ends for good", final[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        unit_check(!outcome_final(other[i]), "%d is started again", other[i]);
    }
}

/* ours: for each stage 'o' a dpp program, 'f' a foreign one */
static void blamed(const char *ends, const char *ours, bool oom, bool want)
{
    struct outcome_end end[MAX];
    bool mine[MAX];
    const size_t n = parse(ends, end, false);

    for (size_t i = 0; i < n; i++) {
        mine[i] = ours[i] == 'o';
    }
    unit_check(poison_blame(end, mine, n, oom) == want,
               "%s of %s %s be an event's doing%s", ends, ours,
               want ? "may" : "cannot", oom ? " (memory is out)" : "");
}

static void blame(void)
{
    blamed("76 11! 76", "ooo", false, true);
    blamed("76 6! 76", "ofo", false, true);
    blamed("76 1 76", "ofo", false, true);
    blamed("76 1 0f", "off", false, true);
    blamed("76 0 70", "ofo", false, true);
    blamed("76 139 76", "ofo", false, true);
    blamed("76 9! 76", "ofo", true, true);
    blamed("76 13! 11!", "ofo", false, true);
    blamed("76 1 1 76", "offo", false, true);

    blamed("76 9! 76", "ofo", false, false); /* from outside */
    blamed("76 15! 76", "ofo", false, false);
    blamed("76 137 76", "ofo", false, false); /* the same through a shell */
    blamed("76 1 9!", "ofo", false, false); /* the filter's is a consequence */
    blamed("9! 1 76", "ofo", false, false);
    blamed("76 76 69", "ooo", false, false); /* peer away */
    blamed("76 76 74", "ooo", false, false); /* disk away */
    blamed("76 76 75", "ooo", false, false);
    blamed("76 71 76", "ooo", false, false);
    blamed("76 0 1", "off", false, false); /* a foreign sink's peer? */
    blamed("76 1 69", "ofo", false, false);
    blamed("11! 76 76", "ooo", false, false); /* the source's own */
    blamed("0 0 0", "ofo", false, false);
    blamed("76 0f 0f", "ofo", false, false);
}

int main(void)
{
    judgement();
    finality();
    blame();
    return unit_end();
}
