#include "stage/lines.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/digest.h"

size_t lines_limit(uint64_t max_event)
{
    return (size_t)(max_event + max_event / 3 + 65536);
}

void lines_init(struct lines *l, int fd, size_t max)
{
    *l = (struct lines){.fd = fd, .max = max};
}

void lines_release(struct lines *l)
{
    buf_release(&l->b);
    digest_free(l->digest);
    l->digest = NULL;
}

/* Throw away what lies behind the kept head of a long line. */
static void swallow(struct lines *l, size_t upto)
{
    const size_t from = l->at + LINES_KEEP;

    digest_add(l->digest, l->b.p + from, upto - from);
    l->long_bytes += upto - from;
    memmove(l->b.p + from, l->b.p + upto, l->b.n - upto);
    l->b.n -= upto - from;
    l->seen = from;
}

int lines_fill(struct lines *l, struct err *e)
{
    if (l->at > 0) {
        buf_consume(&l->b, l->at);
        l->seen -= l->at;
        l->at = 0;
        buf_shrink(&l->b, (size_t)2 * LINES_CHUNK);
    }
    if (l->digest == NULL && l->b.n > l->max && l->seen == l->b.n) {
        l->digest = digest_new();
        l->long_bytes = LINES_KEEP;
        digest_add(l->digest, l->b.p, LINES_KEEP);
    }
    if (l->digest != NULL) {
        swallow(l, l->b.n);
    }
    const ssize_t n = read(l->fd, buf_reserve(&l->b, LINES_CHUNK), LINES_CHUNK);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR
                   ? 0
                   : err_errno(e, STATUS_IO, "standard input");
    }
    l->eof = n == 0;
    l->b.n += (size_t)n;
    return 1;
}

static void describe(struct lines *l, size_t end, char why[static 160])
{
    char hex[DIGEST_HEX];

    if (l->digest == NULL) {
        l->digest = digest_new();
        l->long_bytes = end - l->at;
        digest_add(l->digest, l->b.p + l->at, end - l->at);
    } else {
        swallow(l, end);
    }
    digest_hex(l->digest, hex);
    digest_free(l->digest);
    l->digest = NULL;
    (void)snprintf(why, 160,
                   "a line of %llu bytes is larger than --max-event allows "
                   "(sha256 %s)",
                   (unsigned long long)l->long_bytes, hex);
}

int lines_next(struct lines *l, struct slice *line, bool want_whole,
               char why[static 160])
{
    const char *start = l->b.p + l->at;
    const char *lf = l->b.n > l->seen
                         ? memchr(l->b.p + l->seen, '\n', l->b.n - l->seen)
                         : NULL;
    size_t skip = 1;

    why[0] = '\0';
    if (lf == NULL) {
        l->seen = l->b.n;
        if (!l->eof || want_whole || l->at == l->b.n) {
            return 0;
        }
        lf = l->b.p + l->b.n;
        skip = 0;
    }
    size_t end = (size_t)(lf - l->b.p);
    *line = (struct slice){start, (size_t)(lf - start)};
    if (l->digest != NULL || line->n > l->max) {
        const bool thrown = l->digest != NULL;
        describe(l, end, why);
        line->n = LINES_KEEP;
        if (thrown) {
            end = l->at + LINES_KEEP;
        }
    }
    l->at = end + skip;
    l->seen = l->at;
    return 1;
}
