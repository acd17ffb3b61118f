/* Random JSON texts for tests that compare two readers of it. The seed comes
 * from $DPP_SEED or the clock; gen_seed() says it, so that a failure can be
 * run again. */
#ifndef GEN_H
#define GEN_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"

enum gen_flags {
    GEN_BLANKS = 1, /* blanks and line ends between tokens */
    GEN_TWICE = 2,  /* a name may come twice in an object */
    GEN_LONE = 4,   /* lone surrogates in escapes */
    GEN_HUGE = 8,   /* numbers that no double holds */
};

struct gen {
    uint64_t state;
    unsigned flags;
    int depth;
};

static inline uint64_t gen_next(struct gen *g)
{
    uint64_t z = g->state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static inline unsigned gen_below(struct gen *g, unsigned n)
{
    return (unsigned)(gen_next(g) % n);
}

static inline uint64_t gen_seed(void)
{
    const char *text = getenv("DPP_SEED");
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return text != NULL
               ? strtoull(text, NULL, 10)
               : (uint64_t)now.tv_sec * 1000003U + (uint64_t)now.tv_nsec;
}

static inline const char *gen_pick(struct gen *g, const char *const *list,
                                   unsigned n)
{
    return list[gen_below(g, n)];
}

static inline void gen_blank(struct gen *g, struct buf *b)
{
    static const char *const blanks[] = {" ", "\n", "\t", "\r\n", "  \n  "};

    if ((g->flags & GEN_BLANKS) != 0 && gen_below(g, 3) == 0) {
        buf_puts(b, gen_pick(g, blanks, 5));
    }
}

static inline void gen_string(struct gen *g, struct buf *b)
{
    static const char *const part[] = {
        "a",
        "b c",
        "type",
        "x\xc3\xa4",
        "\xe2\x82\xac",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\u00e9",
        "\\u0000",
        "\\ud83d\\ude00",
        "\xf0\x9f\x98\x80",
        "\x7f",
        "{",
        "]",
        "12",
        "\\u001f",
        "\\\\\\\"",
    };
    static const char *const lone[] = {"\\ud800", "\\udc00", "\\ud800x",
                                       "\\udbff\\u0041"};

    buf_putc(b, '"');
    for (unsigned n = gen_below(g, 5); n > 0; n--) {
        buf_puts(b, gen_pick(g, part, sizeof part / sizeof part[0]));
    }
    if ((g->flags & GEN_LONE) != 0 && gen_below(g, 10) == 0) {
        buf_puts(b, gen_pick(g, lone, 4));
    }
    buf_putc(b, '"');
}

static inline void gen_number(struct gen *g, struct buf *b)
{
    static const char *const odd[] = {"0",
                                      "-0",
                                      "0.1",
                                      "1e2",
                                      "1E-2",
                                      "0.10",
                                      "1.0",
                                      "-1.50",
                                      "1e+15",
                                      "123456789012345",
                                      "0e0",
                                      "-0.0e-10",
                                      "5e-324",
                                      "2.2250738585072014e-308",
                                      "1.7976931348623157e308"};
    static const char *const huge[] = {"12345678901234567890", "1e400",
                                       "9007199254740993", "1e-400",
                                       "0.1000000000000000055511151231257827"};

    switch (gen_below(g, 5)) {
    case 0:
        buf_puts(b, gen_pick(g, odd, sizeof odd / sizeof odd[0]));
        break;
    case 1:
        buf_printf(b, "%d", (int)gen_below(g, 2000) - 1000);
        break;
    case 2:
        buf_printf(b, "%u.%03u", gen_below(g, 100), gen_below(g, 1000));
        break;
    case 3:
        if ((g->flags & GEN_HUGE) != 0) {
            buf_puts(b, gen_pick(g, huge, 5));
            break;
        }
        /* fall through */
    default:
        buf_printf(b, "%u.%ue%d", gen_below(g, 10), gen_below(g, 1000000000),
                   (int)gen_below(g, 60) - 30);
        break;
    }
}

static inline void gen_value(struct gen *g, struct buf *b);

static inline void gen_items(struct gen *g, struct buf *b, bool object)
{
    static const char *const word[] = {"a", "b", "id", "type", "data", "n"};
    const unsigned n = gen_below(g, 5);

    for (unsigned i = 0; i < n; i++) {
        gen_blank(g, b);
        if (object && (g->flags & GEN_TWICE) != 0) {
            buf_printf(b, "\"%s\"", gen_pick(g, word, 6));
        } else if (object) {
            buf_printf(b, "\"%s%u\"", gen_pick(g, word, 6), i);
        }
        if (object) {
            gen_blank(g, b);
            buf_putc(b, ':');
        }
        gen_value(g, b);
        if (i + 1 < n) {
            buf_putc(b, ',');
        }
    }
}

static inline void gen_value(struct gen *g, struct buf *b)
{
    static const char *const word[] = {"true", "false", "null"};
    const unsigned kind = gen_below(g, g->depth > 0 ? 6 : 3);

    gen_blank(g, b);
    switch (kind) {
    case 0:
        gen_string(g, b);
        break;
    case 1:
        gen_number(g, b);
        break;
    case 2:
        buf_puts(b, gen_pick(g, word, 3));
        break;
    default:
        g->depth--;
        buf_putc(b, kind == 3 ? '[' : '{');
        gen_items(g, b, kind != 3);
        gen_blank(g, b);
        buf_putc(b, kind == 3 ? ']' : '}');
        g->depth++;
        break;
    }
    gen_blank(g, b);
}

#endif
