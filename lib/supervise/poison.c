/* Isolation of poison: an event that kills the stage that touches it.
 *
 * Without help such an event stops a segment for ever: the source repeats it at
 * each start. It has to go to the dead letters, and nothing but it: to declare
 * a good event dead because somebody's disk was full would break the promise
 * that dpp exists for. So an event is only declared dead when it was seen to be
 * alone in the pipe each time the segment died, and when each death was of a
 * kind that an event can cause. What cannot be told from bad luck does not
 * count, and the segment goes on being restarted, with all events kept.
 *
 * Which deaths count (poison_blame)
 *
 *   of a filter or a sink: SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS,
 *       SIGTRAP, SIGXCPU, SIGXFSZ; SIGKILL if the kernel's count of processes
 *       killed for memory has risen; status 70, a bug.
 *   of a foreign filter: also any status of its own (1, 2, 5 …): an uncaught
 *       exception looks like that.
 *
 *   Not: SIGKILL, SIGTERM and other signals from outside (an operator, a chaos
 *       test, a supervisor). Not 69 71 74 75: peers, memory, disks, "try
 *       again"; a dpp sink gives a bad event to the dead letters by itself and
 *       never dies of it. Not a foreign sink's own status: its endpoint may be
 *       away. Not 76, SIGPIPE and 0: consequences. Not the source's death.
 *   128+N counts as signal N, as a shell between us and the program says it.
 *
 *   One stage that died in a way that does not count clears the event: then
 *   whatever the others died of may be its consequence.
 *
 * States (of the next start)
 *
 *   NONE     three such deaths in a row                       -> CAUTION
 *   CAUTION  $DPP_CAUTION=1: the source hands out one event at a time and says
 *            which (X_DPP_OUT). A death that counts while an event is out and
 *            not receipted is evidence against that event; a death with
 *            another one out makes that the watched one, from 1 again. Enough
 *            evidence against one event                       -> SUSPECT
 *   SUSPECT  $DPP_CAUTION="suspect WHO": the source makes that very event a
 *            dead line, by position and checksum, or none if it does not come.
 *            It is receipted                                  -> CAUTION
 *   A run of 10 s with receipts, or 1,000 receipts one by one -> NONE
 *
 * Why no good event can be declared dead
 *
 *   It would have to be out alone at two deaths of the right kind in a row. A
 *   receipt for it at any time clears it. A peer or a disk that is away makes
 *   no such death. A kill from outside makes none either, so a chaos test that
 *   kills every few hundred milliseconds never even reaches CAUTION. When the
 *   filter is broken for every event (a bad deployment), each would look like
 *   poison: the evidence needed doubles with each event that is declared dead
 *   until a good one passes, and the ninth in a row is not declared any more.
 *   What we did not hear (a datagram lost) can only delay: an event that we
 *   wrongly believe to be out is behind the position and does not come again,
 *   and "suspect" that does not come changes nothing.
 *
 * "Alone" is the source's window of one event. An event without a position
 * (dpp-listen in a pipe: the client sends it again or does not) cannot be
 * recognised, and is never a suspect. */
#include "supervise/poison.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/status.h"

void poison_init(struct poison *p)
{
    *p = (struct poison){.state = POISON_NONE};
    buf_init(&p->who);
    buf_init(&p->out);
}

void poison_release(struct poison *p)
{
    buf_release(&p->who);
    buf_release(&p->out);
}

static void watch(struct poison *p, struct slice who, unsigned evidence)
{
    buf_clear(&p->who);
    buf_append_slice(&p->who, who);
    p->evidence = evidence;
}

static bool same_mark(const struct news_count *a, const char *run)
{
    return strcmp(a->run, run) == 0;
}

void poison_out(struct poison *p, const struct news_count *mark,
                struct slice who)
{
    if (p->state != POISON_NONE) {
        buf_clear(&p->out);
        buf_append_slice(&p->out, who);
        p->out_mark = *mark;
    }
}

/* The event that was out is terminal. */
static void settle(struct poison *p)
{
    const bool watched = slice_eq(buf_slice(&p->out), buf_slice(&p->who));

    if (watched && p->state == POISON_SUSPECT) {
        p->row++;
        p->state = POISON_CAUTION;
    } else {
        p->row = 0;
    }
    if (watched) {
        watch(p, (struct slice){"", 0}, 0);
    }
    buf_clear(&p->out);
}

void poison_receipt(struct poison *p, const struct news_count *mark)
{
    if (!same_mark(mark, p->run)) {
        memcpy(p->run, mark->run, sizeof p->run);
        p->upto = 0;
    }
    if (mark->n > p->upto) {
        p->receipts += mark->n - p->upto;
        p->upto = mark->n;
    }
    if (p->out.n > 0 && same_mark(mark, p->out_mark.run) &&
        mark->n >= p->out_mark.n) {
        settle(p);
    }
}

static void end_calm(struct poison *p, bool blame)
{
    p->state = POISON_NONE;
    p->deaths = blame;
    p->row = 0;
    watch(p, (struct slice){"", 0}, 0);
}

/* In caution, a death that counts. */
static void end_alone(struct poison *p)
{
    if (p->out.n == 0) {
        return; /* nobody was out: nobody is to blame */
    }
    if (!slice_eq(buf_slice(&p->out), buf_slice(&p->who))) {
        p->state = POISON_CAUTION;
        watch(p, buf_slice(&p->out), 0);
    }
    p->evidence++;
    if (p->row < POISON_ROW_MAX && p->evidence >= (unsigned)POISON_EVIDENCE
                                                      << p->row) {
        p->state = POISON_SUSPECT;
    }
}

void poison_end(struct poison *p, bool blame, uint64_t lasted_us)
{
    const bool healthy =
        p->receipts > 0 && lasted_us >= POISON_STEADY_S * 1000000ULL;
    const bool bold = p->state != POISON_NONE && p->receipts >= POISON_BOLD;

    if (healthy || bold) {
        end_calm(p, blame);
    } else if (blame && p->state != POISON_NONE) {
        end_alone(p);
    } else if (blame && ++p->deaths >= POISON_DEATHS) {
        p->state = POISON_CAUTION;
    }
    p->receipts = 0;
    p->run[0] = '\0';
    p->upto = 0;
    buf_clear(&p->out);
}

const char *poison_next(struct poison *p, struct buf *b)
{
    buf_clear(b);
    if (p->state == POISON_NONE) {
        return NULL;
    }
    if (p->state == POISON_CAUTION) {
        return "1";
    }
    buf_puts(b, "suspect ");
    buf_append_slice(b, buf_slice(&p->who));
    return buf_cstr(b);
}

/* --- deaths --------------------------------------------------------------- */

enum verdict { INNOCENT, CONSEQUENCE, BLAME };

static enum verdict judge_signal(int sig, bool oom)
{
    switch (sig) {
    case SIGSEGV:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSYS:
    case SIGTRAP:
    case SIGXCPU:
    case SIGXFSZ:
        return BLAME;
    case SIGKILL:
        return oom ? BLAME : INNOCENT;
    case SIGPIPE:
        return CONSEQUENCE;
    default:
        return INNOCENT;
    }
}

static enum verdict judge_end(const struct outcome_end *end, bool ours,
                              bool filter, bool oom)
{
    if (end->cause != OUTCOME_OWN) {
        return CONSEQUENCE;
    }
    if (!WIFEXITED(end->wstatus)) {
        return judge_signal(WTERMSIG(end->wstatus), oom);
    }
    const int status = WEXITSTATUS(end->wstatus);
    switch (status) {
    case STATUS_OK:
    case STATUS_NEIGHBOUR:
        return CONSEQUENCE;
    case STATUS_BUG:
        return BLAME;
    case STATUS_USAGE:
    case STATUS_STREAM:
    case STATUS_UNREACHABLE:
    case STATUS_SYSTEM:
    case STATUS_IO:
    case STATUS_RETRY:
    case STATUS_REFUSED:
    case STATUS_CONFIG:
        return INNOCENT;
    default:
        break;
    }
    if (status > 128 && status <= 128 + SIGSYS) {
        return judge_signal(status - 128, oom);
    }
    return filter && !ours ? BLAME : INNOCENT;
}

bool poison_blame(const struct outcome_end *end, const bool *ours, size_t n,
                  bool oom)
{
    bool blamed = false;

    for (size_t i = 0; i < n; i++) {
        const enum verdict v = judge_end(&end[i], ours[i], i + 1 < n, oom);
        if (v == INNOCENT || (i == 0 && v == BLAME)) {
            return false;
        }
        blamed |= v == BLAME;
    }
    return blamed;
}
