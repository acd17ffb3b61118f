#include "stage/split.h"

#include "base/err.h"

void split_init(struct split *s)
{
    *s = (struct split){0};
}

void split_release(struct split *s)
{
    buf_release(&s->last);
    buf_release(&s->line);
}

void split_reset(struct split *s)
{
    buf_clear(&s->last);
}

static bool same(const struct split *s, const struct event *ev)
{
    const char *p = s->last.p;

    if (s->last.n != ev->id.n + ev->source.n + ev->dpporigin.n) {
        return false;
    }
    return memcmp(p, ev->dpporigin.p, ev->dpporigin.n) == 0 &&
           memcmp(p + ev->dpporigin.n, ev->id.p, ev->id.n) == 0 &&
           memcmp(p + ev->dpporigin.n + ev->id.n, ev->source.p, ev->source.n) ==
               0;
}

void split_number(struct split *s, struct event *ev)
{
    bool reordered;
    struct err never;

    if (ev->dpporigin.p == NULL) {
        split_reset(s);
        return;
    }
    if (!same(s, ev)) {
        buf_clear(&s->last);
        buf_append_slice(&s->last, ev->dpporigin);
        buf_append_slice(&s->last, ev->id);
        buf_append_slice(&s->last, ev->source);
        s->n = 1;
        return;
    }
    /* Before the closing quote of the id, in the line as it stands. */
    const size_t at = (size_t)(ev->id.p + ev->id.n - 1 - ev->line.p);
    buf_clear(&s->line);
    buf_append(&s->line, ev->line.p, at);
    buf_printf(&s->line, "#%llu", (unsigned long long)++s->n);
    buf_append(&s->line, ev->line.p + at, ev->line.n - at);
    (void)event_parse(ev, buf_slice(&s->line), &reordered, &never);
}
