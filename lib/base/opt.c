#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

int size_parse(const char *text, uint64_t *bytes, struct err *e)
{
    static const char unit[] = "kmgt";
    char *end;

    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0) {
        goto bad;
    }
    if (*end != '\0') {
        const char *u = strchr(unit, tolower((unsigned char)*end));
        if (u == NULL || end[1] != '\0') {
            goto bad;
        }
        const int shift = 10 * (int)(u - unit + 1);
        if (n > UINT64_MAX >> shift) {
            goto bad;
        }
        n <<= shift;
    }
    *bytes = n;
    return 0;
bad:
    return err_set(e, STATUS_USAGE, "\"%s\" is no size (4096, 64k, 1M, 2G)",
                   text);
}

static int number(const struct opt *o, const char *text, struct err *e)
{
    uint64_t v = 0;

    if (o->kind == OPT_SIZE) {
        if (size_parse(text, &v, e) < 0) {
            return -1;
        }
    } else if (o->kind == OPT_DURATION) {
        if (duration_parse(text, &v, e) < 0) {
            return -1;
        }
    } else {
        char *end;
        errno = 0;
        v = strtoull(text, &end, 10);
        if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0) {
            return err_set(e, STATUS_USAGE, "\"%s\" is no number", text);
        }
    }
    if (v < o->min || (o->max > 0 && v > o->max)) {
        return err_set(e, STATUS_USAGE, "\"%s\" is not within %llu and %llu",
                       text, (unsigned long long)o->min,
                       (unsigned long long)o->max);
    }
    *(uint64_t *)o->to = v;
    return 0;
}

static int take(const struct opt *o, const char *text, struct err *e)
{
    struct opt_list *list;

    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->to = true;
        return 0;
    case OPT_COUNT:
        ++*(int *)o->to;
        return 0;
    case OPT_STRING:
        *(const char **)o->to = text;
        return 0;
    case OPT_LIST:
    case OPT_PAIR:
        list = o->to;
        list->v = mem_resize(list->v, (list->n + 1) * sizeof *list->v);
        list->v[list->n++] = text;
        return 0;
    default:
        return number(o, text, e);
    }
}

static bool named(const struct opt *o, const char *name, size_t n)
{
    return o->name != NULL && strlen(o->name) == n &&
           memcmp(o->name, name, n) == 0;
}

/* By letter, or where name is not NULL by the name's n bytes. */
static const struct opt *find(const struct opt_usage *u, char letter,
                              const char *name, size_t n)
{
    for (size_t t = 0; t < sizeof u->tables / sizeof u->tables[0]; t++) {
        for (const struct opt *o = u->tables[t]; o != NULL && o->help != NULL;
             o++) {
            if (name == NULL ? o->letter == letter : named(o, name, n)) {
                return o;
            }
        }
    }
    return NULL;
}

static int parse_long(const struct opt_usage *u, char **argv, int *i,
                      struct err *e)
{
    const char *name = argv[*i] + 2;
    const char *value = strchr(name, '=');
    const size_t n = value != NULL ? (size_t)(value - name) : strlen(name);
    const struct opt *o = find(u, 0, name, n);

    if (o == NULL) {
        return err_set(e, STATUS_USAGE, "unknown option --%.*s (try -h)",
                       (int)n, name);
    }
    if (o->arg == NULL && value != NULL) {
        return err_set(e, STATUS_USAGE, "--%s takes no value", o->name);
    }
    if (o->arg != NULL) {
        value = value != NULL ? value + 1 : argv[++*i];
        if (value == NULL) {
            return err_set(e, STATUS_USAGE, "--%s needs %s", o->name, o->arg);
        }
    }
    if (o->kind == OPT_PAIR) {
        (void)take(o, value, e);
        value = argv[++*i];
        if (value == NULL) {
            return err_set(e, STATUS_USAGE, "--%s needs %s", o->name, o->arg);
        }
    }
    return take(o, value, e) < 0 ? err_wrap(e, "--%s", o->name) : 0;
}

static int parse_short(const struct opt_usage *u, char **argv, int *i,
                       struct err *e)
{
    for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
        const struct opt *o = find(u, *p, NULL, 0);
        const char *value = NULL;
        if (o == NULL) {
            return err_set(e, STATUS_USAGE, "unknown option -%c (try -h)", *p);
        }
        if (o->arg != NULL) {
            value = p[1] != '\0' ? p + 1 : argv[++*i];
            if (value == NULL) {
                return err_set(e, STATUS_USAGE, "-%c needs %s", *p, o->arg);
            }
        }
        if (take(o, value, e) < 0) {
            return err_wrap(e, "-%c", o->letter);
        }
        if (value != NULL) {
            break;
        }
    }
    return 0;
}

void opt_release(const struct opt *table)
{
    for (const struct opt *o = table; o != NULL && o->help != NULL; o++) {
        if (o->kind == OPT_LIST || o->kind == OPT_PAIR) {
            struct opt_list *list = o->to;
            free(list->v);
            *list = (struct opt_list){0};
        }
    }
}

int opt_parse(const struct opt_usage *u, int argc, char **argv, struct err *e)
{
    int i = 1;

    for (; i < argc && argv[i] != NULL; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            break;
        }
        if (strcmp(argv[i], "--") == 0) {
            return i + 1;
        }
        const int rc = argv[i][1] == '-' ? parse_long(u, argv, &i, e)
                                         : parse_short(u, argv, &i, e);
        if (rc < 0) {
            return -1;
        }
    }
    return i < argc ? i : argc;
}

static void help_table(const struct opt *o)
{
    for (; o != NULL && o->help != NULL; o++) {
        char left[64];
        int n = o->letter != 0 ? snprintf(left, sizeof left, "  -%c", o->letter)
                               : snprintf(left, sizeof left, "    ");
        if (o->name != NULL) {
            n += snprintf(left + n, sizeof left - (size_t)n, "%s --%s",
                          o->letter != 0 ? "," : " ", o->name);
        }
        if (o->arg != NULL) {
            (void)snprintf(left + n, sizeof left - (size_t)n, " %s", o->arg);
        }
        (void)printf("%-28s %s\n", left, o->help);
    }
}

void opt_help(const struct opt_usage *u)
{
    const char *line = u->synopsis;
    const char *word = "usage:";

    for (;;) {
        const size_t n = strcspn(line, "\n");
        (void)printf("%-6s %s %.*s\n", word, u->program, (int)n, line);
        if (line[n] == '\0') {
            break;
        }
        line += n + 1;
        word = "";
    }
    (void)printf("%s\n\n", u->about);
    for (size_t t = 0; t < sizeof u->tables / sizeof u->tables[0]; t++) {
        help_table(u->tables[t]);
    }
}
