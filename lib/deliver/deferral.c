#include "deliver/deferral.h"

#include <stddef.h>
#include <stdio.h>

enum { NUMBERS = 5 };

/* Which numbers a kind has, in their order. */
static const struct {
    enum deferral_kind kind;
    size_t n;
    size_t at[NUMBERS];
} kinds[] = {
#define AT(member) offsetof(struct deferral, member)
    {DEFERRAL_EVENT, 3, {AT(tries), AT(age_ms), AT(tried_ms)}},
    {DEFERRAL_TRIED,
     5,
     {AT(offset), AT(tries), AT(age_ms), AT(tried_ms), AT(success_ms)}},
    {DEFERRAL_DONE, 1, {AT(offset)}},
    {DEFERRAL_SUCCESS, 1, {AT(success_ms)}},
    {DEFERRAL_SEAL, 0, {0}},
    {DEFERRAL_OPENED, 0, {0}},
#undef AT
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static uint64_t *number(struct deferral *d, size_t at)
{
    return (uint64_t *)(void *)((char *)d + at);
}

static const char *parse_number(const char *p, const char *end, uint64_t *v)
{
    const char *start = p;

    for (*v = 0; p < end && *p >= '0' && *p <= '9'; p++) {
        if (*v > UINT64_MAX / 10 - 1) {
            return NULL;
        }
        *v = *v * 10 + (uint64_t)(*p - '0');
    }
    return p > start ? p : NULL;
}

bool deferral_parse(struct deferral *d, struct slice r)
{
    const char *p = r.p;
    const char *end = r.p + r.n;
    size_t k = 0;

    while (k < KINDS && (r.n == 0 || *p != (char)kinds[k].kind)) {
        k++;
    }
    if (k == KINDS) {
        return false;
    }
    *d = (struct deferral){.kind = kinds[k].kind};
    p++;
    for (size_t i = 0; i < kinds[k].n; i++) {
        if (p == end || *p != ' ' ||
            (p = parse_number(p + 1, end, number(d, kinds[k].at[i]))) == NULL) {
            return false;
        }
    }
    if (d->kind != DEFERRAL_EVENT) {
        return p == end;
    }
    if (p == end || *p != '\n') {
        return false;
    }
    d->line = (struct slice){p + 1, (size_t)(end - p - 1)};
    return true;
}

struct slice deferral_head(const struct deferral *d, char out[DEFERRAL_HEAD])
{
    struct deferral copy = *d;
    size_t n = 0;

    out[n++] = (char)d->kind;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; kinds[k].kind == d->kind && i < kinds[k].n; i++) {
            n += (size_t)snprintf(
                out + n, DEFERRAL_HEAD - n, " %llu",
                (unsigned long long)*number(&copy, kinds[k].at[i]));
        }
    }
    if (d->kind == DEFERRAL_EVENT) {
        out[n++] = '\n';
    }
    return (struct slice){out, n};
}
