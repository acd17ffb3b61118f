/* dpp-deliver: events to an HTTP endpoint; dpp-deliver(1). */
#include "base/err.h"
#include "deliver/deliver.h"
#include "stage/sink.h"
#include "topic/options.h"
#include "vault/safe.h"

static struct deliver_conf conf = {.target = {.method = "POST"},
                                   .requests = 16,
                                   .timeout_ms = 30 * 1000,
                                   .inline_ms = 5 * 1000,
                                   .give_up_ms = 72ULL * 3600 * 1000};
static struct opt_list headers;
static const char *retry = "5s,30s,2m,10m,1h*";
static const char *rate;
static bool dry;
static struct sink_ops ops;

static const struct opt table[] = {
    {'k', "key", "REF",
     "secret: vault:NAME, file:PATH (mode 600), cred:NAME, fd:N", OPT_STRING,
     &conf.target.secret, 0, 0},
    {0, "open", "KEY", "open what is sealed under this key, vault:NAME",
     OPT_LIST, &conf.target.sealing.open, 0, 0},
    {'H', "header", "HEADER",
     "'Name: value', with {places} filled from the event", OPT_LIST, &headers,
     0, 0},
    {0, "method", "NAME", "POST (the default), PUT, PATCH or DELETE",
     OPT_STRING, &conf.target.method, 0, 0},
    {'j', "jobs", "N", "requests in parallel (16)", OPT_NUMBER, &conf.requests,
     1, 1000},
    TOPIC_STORE_OPTIONS(conf.broker),
    {'d', "dead", "TOPIC",
     "dead letters (the event's topic + .dead); none: stop", OPT_STRING,
     &conf.dead, 0, 0},
    {'s', "state", "DIR", "the retry store (below the state folder)",
     OPT_STRING, &conf.dir, 0, 0},
    {0, "state-key", "REF", "encrypt it under this key, as -k", OPT_STRING,
     &conf.key, 0, 0},
    {'n', "dry-run", NULL, "dry run: show the requests, send nothing", OPT_FLAG,
     &dry, 0, 0},
    {0, "rate", "N[/s|/m|/h]", "at most so many requests in that time",
     OPT_STRING, &rate, 0, 0},
    {0, "timeout", "TIME", "of one request in all (30s)", OPT_DURATION,
     &conf.timeout_ms, 1, 3600ULL * 1000},
    {0, "inline", "TIME", "how long a key may fail before it is parked (5s)",
     OPT_DURATION, &conf.inline_ms, 0, 3600ULL * 1000},
    {0, "retry", "TIMES", "when parked events are tried (5s,30s,2m,10m,1h*)",
     OPT_STRING, &retry, 0, 0},
    {0, "give-up", "TIME", "when a failing one is a dead letter (72h)",
     OPT_DURATION, &conf.give_up_ms, 1, 0},
    {0},
};

static int setup(void *ctx, int argc, char **argv, struct err *e)
{
    if (argc != 1) {
        return err_set(e, STATUS_USAGE,
                       argc == 0 ? "no URL; try: dpp-deliver "
                                   "https://example.org/hook (or -h)"
                                 : "one URL only");
    }
    if (schedule_parse(&conf.schedule, retry, e) < 0 ||
        (rate != NULL && rate_parse(&conf.rate, rate, e) < 0) ||
        (conf.broker.must_lock && safe_init(true, e) < 0)) {
        return -1;
    }
    conf.target.url = argv[0];
    conf.target.header = headers.v;
    conf.target.headers = headers.n;
    ops = dry ? deliver_dry : deliver_sink;
    return deliver_configure(ctx, &conf, e);
}

int main(int argc, char **argv)
{
    static const struct stage_program program = {
        .name = "dpp-deliver",
        .synopsis = "[-k REF] [--open KEY] [-H HEADER]... [-j N] [-b BROKER] "
                    "[-d TOPIC] "
                    "[-s DIR] [-n] URL",
        .about = "Deliver events from standard input to an HTTP endpoint.",
        .options = table,
        .setup = setup,
        .wait = deliver_wait,
        .hangup = deliver_hangup,
        .stopping = deliver_stopping,
    };
    struct deliver *d = deliver_new();
    const int status = sink_main(&program, &ops, d, argc, argv);

    deliver_free(d);
    return status;
}
