/* Reading a map by a table of known keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "conf/conf.h"

enum { WORD = 40 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    const unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Edit distance (Levenshtein 1966) with swaps of neighbours. */
static unsigned distance(const char *a, const char *b)
{
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    unsigned d[WORD + 1][WORD + 1];

    if (n > WORD || m > WORD) {
        return WORD;
    }
    for (unsigned i = 0; i <= n; i++) {
        d[i][0] = i;
    }
    for (unsigned j = 0; j <= m; j++) {
        d[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
                           d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[n][m];
}

static int unknown_key(const struct conf *c, const struct conf_key *table,
                       struct err *e)
{
    const char *best = NULL;
    unsigned least = 3;
    const struct conf key = {
        .file = c->file, .line = c->key_line, .column = c->key_column};

    for (const struct conf_key *k = table; k->name != NULL; k++) {
        const unsigned d = distance(c->key, k->name);
        if (d < least && d < strlen(k->name)) {
            least = d;
            best = k->name;
        }
    }
    if (best != NULL) {
        return conf_error(&key, e,
                          "unknown key \"%.40s\" (did you mean \"%s\"?)",
                          c->key, best);
    }
    return conf_error(&key, e, "unknown key \"%.40s\"", c->key);
}

static int read_choice(const struct conf *c, const struct conf_key *k,
                       unsigned *to, struct err *e)
{
    char all[160] = "";
    size_t n = 0;

    for (unsigned i = 0; k->choices[i] != NULL; i++) {
        if (strcmp(c->text, k->choices[i]) == 0) {
            *to = i;
            return 0;
        }
        const int w = snprintf(all + n, sizeof all - n, "%s%s",
                               i > 0 ? ", " : "", k->choices[i]);
        n += w > 0 && (size_t)w < sizeof all - n ? (size_t)w : 0;
    }
    return conf_error(c, e, "\"%s\" must be one of %s, not \"%.40s\"", k->name,
                      all, c->text);
}

static int number_parse(const char *text, uint64_t *v, struct err *e)
{
    uint64_t n = 0;

    for (const char *p = text; *p != '\0' || p == text; p++) {
        if (*p < '0' || *p > '9' || p - text >= 18) {
            return err_set(e, STATUS_CONFIG, "\"%.40s\" is no number", text);
        }
        n = n * 10 + (uint64_t)(*p - '0');
    }
    *v = n;
    return 0;
}

static int read_number(const struct conf *c, const struct conf_key *k,
                       uint64_t *to, struct err *e)
{
    uint64_t v = 0;
    struct err why;
    const int rc = k->want == CONF_WANT_SIZE ? size_parse(c->text, &v, &why)
                   : k->want == CONF_WANT_DURATION
                       ? duration_parse(c->text, &v, &why)
                       : number_parse(c->text, &v, &why);

    if (rc < 0) {
        return conf_error(c, e, "\"%s\": %.160s", k->name, why.text);
    }
    if (v < k->min || (k->max > 0 && v > k->max)) {
        return conf_error(c, e, "\"%s\": %.40s is out of range", k->name,
                          c->text);
    }
    *to = v;
    return 0;
}

static int read_text(const struct conf *c, const struct conf_key *k, void *to,
                     struct err *e)
{
    if (!c->quoted && (c->text[0] == '\0' || strcmp(c->text, "~") == 0 ||
                       strcmp(c->text, "null") == 0)) {
        return conf_error(c, e, "\"%s\" has no value", k->name);
    }
    switch (k->want) {
    case CONF_WANT_NUMBER:
    case CONF_WANT_SIZE:
    case CONF_WANT_DURATION:
        return read_number(c, k, to, e);
    case CONF_WANT_CHOICE:
        return read_choice(c, k, to, e);
    case CONF_WANT_BOOL:
        if (strcmp(c->text, "true") != 0 && strcmp(c->text, "false") != 0) {
            return conf_error(c, e, "\"%s\" must be true or false", k->name);
        }
        *(bool *)to = c->text[0] == 't';
        return 0;
    default:
        *(const char **)to = c->text;
        return 0;
    }
}

static int read_one(const struct conf *c, const struct conf_key *k, void *to,
                    struct err *e)
{
    static const char *const kinds[] = {"a text", "a list", "a map"};
    const enum conf_kind kind = k->want == CONF_WANT_MAP    ? CONF_MAP
                                : k->want == CONF_WANT_LIST ? CONF_LIST
                                                            : CONF_TEXT;
    void *at = (char *)to + k->at;

    if (c->kind != kind) {
        return conf_error(c, e, "\"%s\" must be %s, not %s", k->name,
                          kinds[kind], kinds[c->kind]);
    }
    if (kind != CONF_TEXT) {
        *(const struct conf **)at = c;
        return 0;
    }
    return read_text(c, k, at, e);
}

int conf_read(const struct conf *map, const struct conf_key *table, void *to,
              struct err *e)
{
    if (map->kind != CONF_MAP) {
        return conf_error(map, e, "this must be a map");
    }
    for (const struct conf *c = map->first; c != NULL; c = c->next) {
        const struct conf_key *k = table;
        while (k->name != NULL && strcmp(k->name, c->key) != 0) {
            k++;
        }
        if (k->name == NULL) {
            return unknown_key(c, table, e);
        }
        if (read_one(c, k, to, e) < 0) {
            return -1;
        }
    }
    for (const struct conf_key *k = table; k->name != NULL; k++) {
        if (k->required && conf_get(map, k->name) == NULL) {
            return conf_error(map, e, "\"%s\" is missing", k->name);
        }
    }
    return 0;
}
