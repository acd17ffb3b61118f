/* The small parts of delivery: answers, the schedule, Retry-After, the heap of
 * times, held marks, lanes, the endpoint's health, rates. */
#include <stdlib.h>

#include "base/err.h"
#include "base/rand.h"
#include "deliver/answer.h"
#include "deliver/deferral.h"
#include "deliver/due.h"
#include "deliver/endpoint.h"
#include "deliver/lane.h"
#include "deliver/pending.h"
#include "deliver/rate.h"
#include "deliver/schedule.h"
#include "http/client.h"
#include "unit.h"

enum { S = 1000 * 1000 };

static enum answer_action judge(int status)
{
    const struct http_answer a = {.failure = HTTP_ANSWERED, .status = status};

    return answer_judge(&a);
}

static void answers(void)
{
    static const struct {
        enum answer_action action;
        const char *what;
        int status[12];
    } rows[] = {
        {ANSWER_ACCEPTED, "2xx is accepted", {200, 201, 202, 204, 299}},
        {ANSWER_PAUSE,
         "3xx, 401, 403 and 407 pause",
         {300, 301, 302, 303, 304, 307, 308, 399, 401, 403, 407}},
        {ANSWER_DEAD,
         "400 404 405 411 413 414 415 422 431 and other 4xx are permanent",
         {400, 402, 404, 405, 411, 413, 414, 415, 418, 422, 431, 499}},
        {ANSWER_RETRY,
         "408 409 425 5xx and what is no status are tried again",
         {408, 409, 425, 500, 502, 503, 504, 599, 100, 101, 600, 999}},
        {ANSWER_SLOW, "429 slows down", {429}},
        {ANSWER_GONE, "410 is the end", {410}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool good = true;
        for (size_t k = 0; k < 12 && rows[i].status[k] != 0; k++) {
            good = good && judge(rows[i].status[k]) == rows[i].action;
        }
        unit_check(good, "%s", rows[i].what);
    }
    const struct http_answer refused = {.failure = HTTP_UNREACHABLE};
    const struct http_answer late = {.failure = HTTP_BROKEN, .status = 200};
    const struct http_answer bad = {.failure = HTTP_UNSENDABLE};
    unit_check(answer_judge(&refused) == ANSWER_DOWN &&
                   answer_judge(&late) == ANSWER_RETRY &&
                   answer_judge(&bad) == ANSWER_DEAD,
               "no connection, half an answer and a request that is none");
}

static void descriptions(void)
{
    struct buf b;
    static char body[1000];
    struct http_answer a = {.failure = HTTP_ANSWERED, .status = 503};

    buf_init(&b);
    answer_describe(&a, &b);
    unit_check(slice_is(buf_slice(&b), "503 Service Unavailable"),
               "an answer is described by its name");
    buf_clear(&b);
    a.body = SLICE("a\r\nb\x1b[1m\n");
    answer_describe(&a, &b);
    unit_check(slice_is(buf_slice(&b), "503 Service Unavailable: a  b [1m"),
               "its body cannot break the line nor steer a terminal");
    for (size_t i = 0; i + 1 < sizeof body; i += 2) {
        memcpy(body + i, "\xc3\xa9", 2);
    }
    buf_clear(&b);
    a.body = (struct slice){body + 1, 999}; /* starts in mid-character */
    answer_describe(&a, &b);
    unit_check(b.n < 100, "what is no UTF-8 is left out");
    buf_clear(&b);
    a.body = (struct slice){body, 999};
    answer_describe(&a, &b);
    unit_check(b.n > 200 && b.n <= 300, "a long one is cut");
    buf_release(&b);
}

static void schedules(void)
{
    struct schedule s;
    struct err e;
    uint64_t ms = 0;

    unit_check(schedule_parse(&s, "5s,30s,2m,10m,1h*", &e) == 0 && s.n == 5 &&
                   s.repeat,
               "the default schedule is read");
    unit_check(schedule_ceiling(&s, 1, &ms) && ms == 5000 &&
                   schedule_ceiling(&s, 3, &ms) && ms == 120000 &&
                   schedule_ceiling(&s, 5, &ms) && ms == 3600000 &&
                   schedule_ceiling(&s, 500, &ms) && ms == 3600000,
               "its steps come in order, the last for ever");
    unit_check(schedule_parse(&s, "250ms", &e) == 0 &&
                   schedule_ceiling(&s, 1, &ms) && ms == 250 &&
                   !schedule_ceiling(&s, 2, &ms),
               "without '*' it ends");
    static const char *const bad[] = {"",  ",",   "5s,",    "5s,,6s",
                                      "*", "-1s", "5s*,6s", "8d",
                                      "0", "5 s", "1h**"};
    bool good = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        good = good && schedule_parse(&s, bad[i], &e) < 0 &&
               e.status == STATUS_USAGE;
    }
    unit_check(good, "anything else is refused");
}

static void retry_after(void)
{
    const uint64_t now = 784111777ULL * 1000; /* Sun, 06 Nov 1994 08:49:37 */
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"0", 0},
        {"7", 7000},
        {" 120 ", 120000},
        {"3600", 3600000},
        {"3601", 3600000},
        {"99999999999999999999999999", 3600000},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60000},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 08:50:37 1994", 60000},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 3600000},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    };
    static const char *const bad[] = {"",
                                      "-1",
                                      "soon",
                                      "1.5",
                                      "1s",
                                      "1 2",
                                      "+5",
                                      "0x10",
                                      "Sun, 06 Nov 1994 08:50:37 PST",
                                      "Sun, 06 Nov 1994",
                                      "Sun, 06 Nov 1994 08:50:37 GMT x"};
    uint64_t ms;
    bool ok = true;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ms = 1;
        if (!schedule_retry_after(good[i].text, now, &ms) || ms != good[i].ms) {
            ok = unit_check(false, "Retry-After: %s", good[i].text);
        }
    }
    unit_check(ok, "Retry-After: seconds and dates, at most an hour");
    ok = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (schedule_retry_after(bad[i], now, &ms)) {
            ok = unit_check(false, "Retry-After: %s", bad[i]);
        }
    }
    unit_check(ok, "Retry-After: garbage is none");
}

static void dues(void)
{
    enum { N = 2000 };
    static struct due v[N];
    struct due_heap h = {0};
    uint64_t last = 0;
    size_t left = 0;
    bool good = true;

    for (size_t i = 0; i < N; i++) {
        due_put(&h, &v[i], rand_below(1000));
    }
    for (size_t i = 0; i < N; i += 3) {
        due_put(&h, &v[i], rand_below(1000));
    }
    for (size_t i = 0; i < N; i += 7) {
        due_remove(&h, &v[i]);
        due_remove(&h, &v[i]);
    }
    for (struct due *d; (d = due_first(&h)) != NULL; left++) {
        good = good && d->at >= last;
        last = d->at;
        due_remove(&h, d);
    }
    unit_check(good && left == N - (N + 6) / 7,
               "the heap gives out what is in it, the earliest first");
    due_release(&h);
}

static void marks(void)
{
    struct pending m = {0};
    uint64_t held[1000];

    pending_init(&m);
    unit_check(pending_terminal(&m) == 0, "no mark is terminal at first");
    pending_close(&m);
    unit_check(pending_terminal(&m) == 1, "a mark without events is");
    for (size_t i = 0; i < 1000; i++) {
        held[i] = pending_hold(&m);
        (void)pending_hold(&m);
        pending_close(&m);
    }
    for (size_t i = 1000; i > 1; i--) {
        pending_drop(&m, held[i - 1]);
        pending_drop(&m, held[i - 1]);
    }
    pending_drop(&m, held[0]);
    unit_check(pending_terminal(&m) == 1, "the oldest event holds them all");
    pending_drop(&m, held[0]);
    unit_check(pending_terminal(&m) == 1001, "and frees them all");
    pending_release(&m);
}

static void lanes(void)
{
    struct lanes l;
    const struct slice none = {NULL, 0};

    lane_init(&l);
    for (int i = 0; i < 3; i++) {
        (void)lane_add(&l, SLICE("a"), lane_job(SLICE("x"), (uint64_t)i));
        (void)lane_add(&l, SLICE(""), lane_job(SLICE("y"), (uint64_t)i));
        (void)lane_add(&l, none, lane_job(SLICE("z"), (uint64_t)i));
    }
    struct lane *a = lane_next(&l);
    struct lane *empty = lane_next(&l);
    unit_check(a->n == 3 && empty->n == 3 && empty->key.p != NULL,
               "an empty key is a key");
    struct lane *n1 = lane_next(&l);
    struct lane *n2 = lane_next(&l);
    struct lane *n3 = lane_next(&l);
    unit_check(n3 != NULL && n1->n == 1 && n1->hash != n2->hash &&
                   lane_next(&l) == NULL,
               "events without a key have no order, keys one lane each");
    struct job *j = lane_done(&l, a);
    unit_check(j->mark == 0 && lane_next(&l) == a,
               "a lane goes on with its next event");
    free(j);
    lane_wait(&l, a, 100);
    lane_wake(&l, 99);
    unit_check(lane_next(&l) == NULL, "a lane that waits is not ready");
    lane_wake(&l, 100);
    unit_check(lane_next(&l) == a, "until its time has come");
    lane_again(&l, n2);
    for (j = lane_empty(&l, a); j != NULL;) {
        struct job *next = j->next;
        free(j);
        j = next;
    }
    unit_check(l.jobs == 6 && lane_any(&l) == n2,
               "an emptied lane is gone, the others are there");
    lane_again(&l, n1);
    lane_again(&l, n3);
    lane_again(&l, empty);
    lane_release(&l);
}

static void records(void)
{
    char head[DEFERRAL_HEAD];
    struct deferral d = {.kind = DEFERRAL_TRIED,
                         .offset = 1,
                         .tries = UINT32_MAX,
                         .age_ms = 1ULL << 50,
                         .tried_ms = 4,
                         .success_ms = 5};
    struct deferral r;
    char text[300];
    bool good = true;

    unit_check(deferral_parse(&r, deferral_head(&d, head)) &&
                   memcmp(&d, &r, sizeof d) == 0,
               "a record is read as it was written");
    unit_check(deferral_parse(&r, SLICE("D 1 2 3\n{}\n")) &&
                   slice_is(r.line, "{}\n") && r.tried_ms == 3,
               "the event in it is any bytes");
    static const char *const bad[] = {
        "",        "D",    "D 1 2 3",
        "D 1 2\n", "X",    "X 1 2",
        "X 1x",    "X  1", "X 99999999999999999999",
        "Y 1",     "C 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        good = good && !deferral_parse(&r, slice_of(bad[i]));
    }
    for (int i = 0; i < 100000; i++) {
        const size_t n = rand_below(sizeof text);
        for (size_t k = 0; k < n; k++) {
            text[k] = "DTXSCO 0123456789\n"[rand_below(18)];
        }
        (void)deferral_parse(&r, (struct slice){text, n});
    }
    unit_check(good, "what is none is refused");
}

/* The endpoint's clock stands from the first of the failures on. */
static void endpoint(void)
{
    struct endpoint ep;
    uint64_t t = 100 * S;

    endpoint_init(&ep, "test", 16);
    endpoint_success(&ep, 1, t);
    unit_check(!endpoint_others(&ep, 1, t) && endpoint_others(&ep, 2, t) &&
                   !endpoint_others(&ep, 2, t + 11 * S),
               "another key's success counts, for 10 s");
    for (int i = 0; i < 9; i++) {
        endpoint_failure(&ep, 7, false, "x", t);
    }
    unit_check(ep.state == ENDPOINT_UP, "one parked key is no outage");
    const uint64_t clock = endpoint_clock(&ep, t);
    for (uint64_t i = 0; i < 4; i++) {
        endpoint_failure(&ep, i, true, "x", t += S);
    }
    unit_check(ep.state == ENDPOINT_DOWN &&
                   endpoint_clock(&ep, t + 100 * S) == clock,
               "five failures in a row are, and the clock stands");
    t += 3 * S;
    unit_check(endpoint_ready(&ep, 0, t) && endpoint_sent(&ep) &&
                   !endpoint_ready(&ep, 1, t) &&
                   endpoint_next(&ep) == UINT64_MAX,
               "one probe at a time");
    endpoint_probed(&ep);
    endpoint_pause(&ep, "401", t);
    unit_check(!endpoint_ready(&ep, 0, t + 29 * S) &&
                   endpoint_ready(&ep, 0, t + 30 * S),
               "paused: a probe each 30 s");
    endpoint_wake(&ep);
    unit_check(endpoint_ready(&ep, 0, t), "or when it is told to");
    endpoint_success(&ep, 9, t += 50 * S);
    unit_check(endpoint_ready(&ep, 0, t) && !endpoint_ready(&ep, 1, t) &&
                   endpoint_clock(&ep, t + S) == clock + S,
               "up again: gently, and the clock runs from where it stood");
    endpoint_success(&ep, 9, t);
    unit_check(endpoint_ready(&ep, 1, t), "one more with each success");
    endpoint_hold(&ep, 5000, t);
    endpoint_hold(&ep, 1000, t);
    endpoint_settle(&ep, t + 4 * S);
    unit_check(!endpoint_ready(&ep, 0, t + 4 * S) &&
                   endpoint_next(&ep) == t + 5 * S &&
                   endpoint_clock(&ep, t + 4 * S) == clock,
               "Retry-After is a floor for all, and the clock stands");
    endpoint_settle(&ep, t + 5 * S);
    unit_check(endpoint_ready(&ep, 0, t + 5 * S) &&
                   endpoint_clock(&ep, t + 6 * S) == clock + S,
               "behind it all goes on");
}

static void rates(void)
{
    static const char *const bad[] = {"",    "0",     "/s",   "-1/s",
                                      "1/d", "1.5/s", "1/s ", "1000001"};
    struct rate r = {0};
    struct err e;
    uint64_t t = 1000 * (uint64_t)S;
    bool good = true;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        good =
            good && rate_parse(&r, bad[i], &e) < 0 && e.status == STATUS_USAGE;
    }
    unit_check(good, "what is no rate is refused");
    rate_sent(&r, t);
    unit_check(rate_next_us(&r) == 0, "without a rate all may leave");
    good = good && rate_parse(&r, "100/s", &e) == 0;
    size_t sent = 0;
    for (const uint64_t end = t + 10 * S; t < end; t += 1000) {
        for (; t >= rate_next_us(&r) && sent < 5000; sent++) {
            rate_sent(&r, t);
        }
        good = good && sent <= 10 + (t - (end - 10 * S)) / 10000;
    }
    unit_check(good && sent >= 1000 && sent <= 1010,
               "100/s is 10 at once and 100 a second: %zu in 10 s", sent);
    t += 3600 * (uint64_t)S;
    for (sent = 0; t >= rate_next_us(&r); sent++) {
        rate_sent(&r, t);
    }
    unit_check(sent == 10, "a pause saves up no more than that: %zu", sent);
    good = rate_parse(&r, "2/m", &e) == 0;
    rate_sent(&r, t);
    unit_check(good && rate_next_us(&r) == t + 30 * S, "2/m is one each 30 s");
}

int main(void)
{
    answers();
    descriptions();
    schedules();
    retry_after();
    dues();
    marks();
    lanes();
    records();
    endpoint();
    rates();
    return unit_end();
}
