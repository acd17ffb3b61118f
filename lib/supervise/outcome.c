#include "supervise/outcome.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/status.h"

static const struct {
    int status;
    const char *meaning;
} order[] = {
    {STATUS_USAGE, "wrong arguments"},
    {STATUS_REFUSED, "refused"},
    {STATUS_CONFIG, "configuration, or another has taken over"},
    {STATUS_STREAM, "the stream breaks the contract"},
    {STATUS_BUG, "a bug"},
    {STATUS_SYSTEM, "a failure of the system"},
    {STATUS_IO, "input or output failed"},
    {STATUS_UNREACHABLE, "peer unreachable"},
    {STATUS_RETRY, "try again"},
};
enum { STATUSES = sizeof order / sizeof order[0] };

static size_t rank(int status)
{
    size_t i = 0;

    while (i < STATUSES && order[i].status != status) {
        i++;
    }
    return i;
}

int outcome_status(const struct outcome_end *end)
{
    if (!WIFEXITED(end->wstatus)) {
        return STATUS_RETRY;
    }
    const int status = WEXITSTATUS(end->wstatus);
    return status == STATUS_OK || status == STATUS_NEIGHBOUR ||
                   rank(status) < STATUSES
               ? status
               : STATUS_RETRY;
}

/* The stage that ended first: before its neighbours, so that they say 76. */
static size_t first(const struct outcome_end *ends, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++) {
        if (ends[i].order < ends[best].order) {
            best = i;
        }
    }
    return best;
}

static bool is_clean(const struct outcome_end *end)
{
    return end->cause == OUTCOME_TOLD ||
           (end->cause == OUTCOME_OWN && outcome_status(end) == STATUS_OK);
}

int outcome_judge(const struct outcome_end *ends, size_t n, bool stopping,
                  size_t *culprit)
{
    size_t clean = 0;
    size_t forced = 0;
    size_t worst = n;

    for (size_t i = 0; i < n; i++) {
        const int status = outcome_status(&ends[i]);
        if (is_clean(&ends[i])) {
            clean++;
        } else if (ends[i].cause == OUTCOME_FORCED) {
            forced++;
        } else if (status != STATUS_NEIGHBOUR &&
                   (worst == n ||
                    rank(status) < rank(outcome_status(&ends[worst])))) {
            worst = i;
        }
    }
    *culprit = worst;
    if (worst < n) {
        return outcome_status(&ends[worst]);
    }
    if (clean == n || (stopping && forced == 0 && is_clean(&ends[0]))) {
        return STATUS_OK;
    }
    *culprit = first(ends, n);
    return STATUS_RETRY;
}

bool outcome_final(int status)
{
    return status == STATUS_USAGE || status == STATUS_STREAM ||
           status == STATUS_REFUSED || status == STATUS_CONFIG;
}

void outcome_text(const struct outcome_end *end, char out[OUTCOME_TEXT])
{
    if (end->cause == OUTCOME_FORCED) {
        (void)snprintf(out, OUTCOME_TEXT,
                       "did not end by itself (counts as 75)");
        return;
    }
    if (!WIFEXITED(end->wstatus)) {
        const int sig = WTERMSIG(end->wstatus);
        const char *name = sigabbrev_np(sig);
        (void)snprintf(out, OUTCOME_TEXT, "was killed by SIG%s (counts as 75)",
                       name != NULL ? name : "?");
        return;
    }
    const int status = WEXITSTATUS(end->wstatus);
    if (status == STATUS_OK) {
        (void)snprintf(out, OUTCOME_TEXT,
                       "ended with 0 before its input did (counts as 75)");
    } else if (status == STATUS_NEIGHBOUR) {
        (void)snprintf(out, OUTCOME_TEXT,
                       "ended with 76 (a neighbour died, but none did: counts "
                       "as 75)");
    } else if (rank(status) < STATUSES) {
        (void)snprintf(out, OUTCOME_TEXT, "ended with %d (%s)", status,
                       order[rank(status)].meaning);
    } else {
        (void)snprintf(out, OUTCOME_TEXT,
                       "ended with %d (its own status, counts as 75)", status);
    }
}
