#include "record/control.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "record/json.h"

static const char *const kinds[] = {"hello", "mark", "dead", "end", "hi", "r"};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Which members a kind has, and where they go. */
enum type { TEXT, COUNT, SIGNED, RAW_STRING, RAW_OBJECT };

static const struct member {
    const char *name;
    unsigned kinds; /* bit set of the kinds that may have it */
    unsigned needed;
    enum type type;
    size_t at;
    size_t max; /* of a text */
} members[] = {
#define AT(field) offsetof(struct control, field)
#define K(kind)   (1U << CONTROL_##kind)
    {"v", K(HELLO) | K(HI), K(HELLO) | K(HI), COUNT, AT(v), 0},
    {"run", K(HELLO) | K(MARK) | K(END) | K(HI) | K(RECEIPT),
     K(HELLO) | K(MARK) | K(END) | K(HI) | K(RECEIPT), TEXT, AT(run),
     CONTROL_RUN},
    {"name", K(HELLO), K(HELLO), TEXT, AT(name), CONTROL_NAME_MAX},
    {"back", K(HELLO), K(HELLO), TEXT, AT(back), CONTROL_BACK_MAX},
    {"keys", K(HELLO), 0, TEXT, AT(keys), 65536},
    {"seq", K(MARK), K(MARK), COUNT, AT(seq), 0},
    {"n", K(MARK), K(MARK), COUNT, AT(n), 0},
    {"pos", K(MARK) | K(HI), 0, TEXT, AT(pos), 65536},
    {"upto", K(RECEIPT), K(RECEIPT), COUNT, AT(seq), 0},
    {"ok", K(RECEIPT), 0, COUNT, AT(counts.ok), 0},
    {"dead", K(RECEIPT), 0, COUNT, AT(counts.dead), 0},
    {"deferred", K(RECEIPT), 0, COUNT, AT(counts.deferred), 0},
    {"dropped", K(MARK) | K(RECEIPT), 0, COUNT, AT(counts.dropped), 0},
    {"born", K(MARK) | K(RECEIPT), 0, COUNT, AT(counts.born), 0},
    {"net", K(MARK) | K(RECEIPT), 0, SIGNED, AT(counts.net), 0},
    {"why", K(DEAD), K(DEAD), RAW_STRING, AT(why), 0},
    {"event", K(DEAD), K(DEAD), RAW_OBJECT, AT(event), 0},
};

enum { MEMBERS = sizeof members / sizeof members[0] };

static size_t over_blanks(struct slice line, size_t i)
{
    while (i < line.n &&
           (line.p[i] == ' ' || line.p[i] == '\t' || line.p[i] == '\r')) {
        i++;
    }
    return i;
}

bool control_is(struct slice line)
{
    static const char name[] = "\"dpp\"";
    size_t i = over_blanks(line, 0);

    if (i == line.n || line.p[i] != '{') {
        return false;
    }
    i = over_blanks(line, i + 1);
    return line.n - i >= sizeof name - 1 &&
           memcmp(line.p + i, name, sizeof name - 1) == 0;
}

static int take_text(const struct member *m, void *at, struct slice v)
{
    if (!json_is_string(v) || v.n - 2 > m->max ||
        memchr(v.p, '\\', v.n) != NULL) {
        return -1;
    }
    *(struct slice *)at = (struct slice){v.p + 1, v.n - 2};
    return 0;
}

static int take_number(void *at, struct slice v, bool negative)
{
    unsigned long long n;

    if (negative) {
        v.p++;
        v.n--;
    }
    if (!json_count(v, &n)) {
        return -1;
    }
    if (negative) {
        *(int64_t *)at = -(int64_t)n;
    } else {
        *(uint64_t *)at = n; /* the same bits in an int64_t: n <= 2^53 */
    }
    return 0;
}

static int take(const struct member *m, struct control *c, struct slice v)
{
    void *at = (char *)c + m->at;

    switch (m->type) {
    case TEXT:
        return take_text(m, at, v);
    case COUNT:
        return take_number(at, v, false);
    case SIGNED:
        return take_number(at, v, v.n > 0 && v.p[0] == '-');
    case RAW_STRING:
        if (!json_is_string(v)) {
            return -1;
        }
        break;
    case RAW_OBJECT:
        if (v.p[0] != '{') {
            return -1;
        }
        break;
    }
    *(struct slice *)at = v;
    return 0;
}

static const struct member *find_member(struct slice key)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (slice_is(key, members[i].name)) {
            return &members[i];
        }
    }
    return NULL;
}

static int parse_kind(struct control *c, struct slice v, struct err *e)
{
    for (int i = 0; i < KINDS; i++) {
        if (json_is_string(v) &&
            slice_is((struct slice){v.p + 1, v.n - 2}, kinds[i])) {
            c->kind = (enum control_kind)i;
            return 0;
        }
    }
    return err_set(e, STATUS_STREAM, "a control line of unknown kind %.*s",
                   v.n < 40 ? (int)v.n : 40, v.p);
}

int control_parse(struct control *c, struct slice line, struct err *e)
{
    struct json_walk w;
    struct slice key;
    struct slice v;
    uint32_t seen = 0;
    int rc;

    *c = (struct control){0};
    json_walk_init(&w, line);
    if (json_walk_next(&w, &key, &v) != 1) {
        return err_set(e, STATUS_STREAM, "a control line that is no JSON");
    }
    if (parse_kind(c, v, e) < 0) {
        return -1;
    }
    const unsigned kind = 1U << c->kind;
    while ((rc = json_walk_next(&w, &key, &v)) == 1) {
        const struct member *m = find_member(key);
        if (m == NULL || (m->kinds & kind) == 0) {
            continue; /* room for newer versions */
        }
        const uint32_t bit = 1U << (m - members);
        if ((seen & bit) != 0 || take(m, c, v) < 0) {
            return err_set(e, STATUS_STREAM,
                           "a %s line with a bad \"%s\": %.*s", kinds[c->kind],
                           m->name, v.n < 60 ? (int)v.n : 60, v.p);
        }
        seen |= bit;
    }
    if (rc < 0) {
        return err_set(e, STATUS_STREAM, "a %s line that is no JSON",
                       kinds[c->kind]);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        if ((members[i].needed & kind) != 0 && (seen & 1U << i) == 0) {
            return err_set(e, STATUS_STREAM, "a %s line without \"%s\"",
                           kinds[c->kind], members[i].name);
        }
    }
    return 0;
}

static void put(struct buf *b, const struct member *m, const struct control *c)
{
    const void *at = (const char *)c + m->at;
    const struct slice *s = at;

    switch (m->type) {
    case TEXT:
        buf_printf(b, ",\"%s\":\"%.*s\"", m->name, (int)s->n,
                   s->n > 0 ? s->p : "");
        break;
    case COUNT:
        buf_printf(b, ",\"%s\":%llu", m->name,
                   (unsigned long long)*(const uint64_t *)at);
        break;
    case SIGNED:
        buf_printf(b, ",\"%s\":%lld", m->name, (long long)*(const int64_t *)at);
        break;
    case RAW_STRING:
    case RAW_OBJECT:
        buf_printf(b, ",\"%s\":", m->name);
        buf_append_slice(b, *s);
        break;
    }
}

/* Optional members are left out where they say nothing. */
static bool worth(const struct member *m, const struct control *c)
{
    const void *at = (const char *)c + m->at;

    if ((m->kinds & 1U << c->kind) == 0) {
        return false;
    }
    if ((m->needed & 1U << c->kind) != 0 || c->kind == CONTROL_RECEIPT) {
        return true;
    }
    if (c->kind == CONTROL_HI && m->type == TEXT) {
        return true;
    }
    return m->type == TEXT ? ((const struct slice *)at)->n > 0
                           : *(const uint64_t *)at != 0;
}

void control_write(struct buf *b, const struct control *c)
{
    buf_printf(b, "{\"dpp\":\"%s\"", kinds[c->kind]);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (worth(&members[i], c)) {
            put(b, &members[i], c);
        }
    }
    buf_puts(b, "}\n");
}
