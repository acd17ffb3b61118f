#include "stage/caution.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crc.h"
#include "stage/notify.h"

enum { TELL_US = 200 * 1000 };

void caution_init(struct caution *c)
{
    static const char word[] = "suspect ";
    const char *how = getenv("DPP_CAUTION");

    *c = (struct caution){.on = how != NULL && how[0] != '\0'};
    if (c->on && strncmp(how, word, sizeof word - 1) == 0) {
        buf_puts(&c->suspect, how + sizeof word - 1);
    }
}

void caution_release(struct caution *c)
{
    buf_release(&c->suspect);
}

static void wrap(struct buf *out, size_t start)
{
    struct buf line;

    buf_init(&line);
    buf_append(&line, out->p + start, out->n - start - 1); /* no line end */
    out->n = start;
    buf_puts(out, "{\"dpp\":\"dead\",\"why\":\"crash-suspect: a stage died "
                  "each time this event was handed out alone\",\"event\":");
    buf_append_slice(out, buf_slice(&line));
    buf_puts(out, "}\n");
    buf_release(&line);
}

void caution_hand_out(struct caution *c, struct buf *out, size_t start,
                      const char *run, uint64_t seq, struct slice pos)
{
    struct buf who;

    if (!c->on || pos.n == 0) {
        return;
    }
    buf_init(&who);
    buf_printf(&who, "%08x ", crc32c(0, out->p + start, out->n - start - 1));
    buf_append_slice(&who, pos);
    notify_send(NOTIFY_ONCE, "X_DPP_OUT=%s#%llu %s", run,
                (unsigned long long)seq, buf_cstr(&who));
    if (slice_eq(buf_slice(&who), buf_slice(&c->suspect))) {
        wrap(out, start);
        buf_clear(&c->suspect);
    }
    buf_release(&who);
}

void caution_tell(struct caution *c, const char *run, uint64_t seq,
                  struct slice pos, bool last)
{
    const uint64_t now = clock_mono_us();

    if (now - c->told_us < TELL_US && !last) {
        return;
    }
    c->told_us = now;
    /* in caution it clears an event: none may be missed */
    notify_send(c->on ? NOTIFY_ONCE : NOTIFY_OFTEN, "X_DPP_POS=%s#%llu %.*s",
                run, (unsigned long long)seq, (int)pos.n, pos.p);
}
