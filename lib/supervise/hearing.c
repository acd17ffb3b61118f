/* What the stages tell, and what of it is passed on. */
#include "base/clock.h"
#include "stage/notify.h"
#include "supervise/supervisor.h"

enum { STATUS_US = 10 * 1000 * 1000, SHOWN = 200 };

void hearing_ready(struct supervisor *s)
{
    for (size_t i = 0; i < s->segment.n; i++) {
        const struct segment_stage *st = &s->segment.stage[i];
        if (st->ours && !st->ready) {
            return;
        }
    }
    s->whole = true;
    if (!s->ready) {
        s->ready = true;
        notify_send(NOTIFY_ONCE, "READY=1\nSTATUS=running");
        notify_ready_fd(s->conf->ready_fd);
    } else {
        notify_send(NOTIFY_ONCE, "STATUS=running, start %llu",
                    (unsigned long long)s->starts);
    }
}

static void hear_position(struct supervisor *s, const struct news_item *it)
{
    const uint64_t now = clock_mono_us();
    const int shown = it->pos.n < SHOWN ? (int)it->pos.n : SHOWN;

    poison_receipt(&s->poison, &it->marks);
    if (it->marks.n > 0 && !s->progress) {
        s->progress = true;
        backoff_reset(&s->backoff);
    }
    buf_clear(&s->position);
    buf_append_slice(&s->position, it->pos);
    if (now - s->status_us >= STATUS_US && s->stops == 0) {
        s->status_us = now;
        notify_send(NOTIFY_OFTEN, "STATUS=running, position %.*s", shown,
                    it->pos.p);
    }
}

static void hear_source(struct supervisor *s, const struct news_item *it)
{
    s->stopping |= it->stopping;
    s->unanswered |= it->unanswered;
    if (it->has_pos) {
        hear_position(s, it);
    }
    if (it->has_out) {
        poison_out(&s->poison, &it->out, it->who);
    }
}

void hearing_take(struct supervisor *s)
{
    struct news_item it;

    while (news_next(&s->news, &it)) {
        const size_t i = segment_stage_of(&s->segment, it.from);
        if (!s->running || i == s->segment.n) {
            continue;
        }
        if (it.ready && !s->segment.stage[i].ready) {
            s->segment.stage[i].ready = true;
            hearing_ready(s);
        }
        if (i == 0) {
            hear_source(s, &it);
        }
    }
}
