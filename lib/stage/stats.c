#include "stage/stats.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/msg.h"
#include "record/json.h"
#include "stage/notify.h"

void stats_init(struct stats *s, const char *program)
{
    *s = (struct stats){.program = program};
}

void stats_release(struct stats *s)
{
    buf_release(&s->position);
}

struct control_counts stats_counts(const struct stats *s)
{
    return (struct control_counts){
        .ok = s->ok,
        .dead = s->dead,
        .deferred = s->deferred,
        .dropped = s->dropped,
        .born = s->born,
        .net = s->net,
    };
}

void stats_set_counts(struct stats *s, const struct control_counts *before,
                      const struct control_counts *now)
{
    s->ok = before->ok + now->ok;
    s->dead = before->dead + now->dead;
    s->deferred = before->deferred + now->deferred;
    s->dropped = before->dropped + now->dropped;
    s->born = before->born + now->born;
    s->net = before->net + now->net;
}

void stats_latency(struct stats *s, uint64_t us)
{
    const int bucket = us == 0 ? 0 : 63 - __builtin_clzll(us);

    s->latency[bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1]++;
}

uint64_t stats_quantile(const struct stats *s, double share)
{
    uint64_t total = 0;
    uint64_t below = 0;

    for (int i = 0; i < STATS_BUCKETS; i++) {
        total += s->latency[i];
    }
    for (int i = 0; i < STATS_BUCKETS && total > 0; i++) {
        below += s->latency[i];
        if ((double)below >= share * (double)total) {
            return (uint64_t)2 << i;
        }
    }
    return 0;
}

#define ULL(x) ((unsigned long long)(x))

void stats_print(const struct stats *s)
{
    msg_info("in %llu (%llu bytes), out %llu (%llu bytes), ok %llu, dead "
             "%llu, deferred %llu, dropped %llu, born %llu, net %lld, "
             "unreceipted %llu, lag %llu, latency p50 < %llu us p99 < %llu us, "
             "position %.*s",
             ULL(s->in), ULL(s->bytes_in), ULL(s->out), ULL(s->bytes_out),
             ULL(s->ok), ULL(s->dead), ULL(s->deferred), ULL(s->dropped),
             ULL(s->born), (long long)s->net, ULL(s->unreceipted), ULL(s->lag),
             ULL(stats_quantile(s, 0.5)), ULL(stats_quantile(s, 0.99)),
             s->position.n > 0 ? (int)s->position.n : 4,
             s->position.n > 0 ? s->position.p : "none");
}

static void write_json(const struct stats *s, struct buf *b)
{
    buf_puts(b, "{\"program\":");
    json_encode(b, slice_of(s->program));
    buf_printf(b,
               ",\"pid\":%ld,\"in\":%llu,\"bytes_in\":%llu,\"out\":%llu,"
               "\"bytes_out\":%llu,\"ok\":%llu,\"dead\":%llu,"
               "\"deferred\":%llu,\"dropped\":%llu,\"born\":%llu,"
               "\"net\":%lld,\"unreceipted\":%llu,\"lag\":%llu,\"position\":",
               (long)getpid(), ULL(s->in), ULL(s->bytes_in), ULL(s->out),
               ULL(s->bytes_out), ULL(s->ok), ULL(s->dead), ULL(s->deferred),
               ULL(s->dropped), ULL(s->born), (long long)s->net,
               ULL(s->unreceipted), ULL(s->lag));
    json_encode(b, buf_slice(&s->position));
    buf_puts(b, ",\"latency_us\":{");
    const char *sep = "";
    for (int i = 0; i < STATS_BUCKETS; i++) {
        if (s->latency[i] > 0) {
            buf_printf(b, "%s\"%llu\":%llu", sep, ULL((uint64_t)2 << i),
                       ULL(s->latency[i]));
            sep = ",";
        }
    }
    buf_puts(b, "}}\n");
}

void stats_send(const struct stats *s, enum notify_patience patience)
{
    const char *to = getenv("DPP_STATS_SOCKET");
    struct buf b;

    if (to == NULL || to[0] == '\0') {
        return;
    }
    buf_init(&b);
    write_json(s, &b);
    notify_datagram(to, buf_slice(&b), patience);
    buf_release(&b);
}
