/* Configuration: YAML as a tree that knows its lines and columns, read by
 * tables of known keys.
 *
 * The subset is what people type: maps, lists and text. Anchors, aliases and
 * tags are refused, a key may come once, and plain words mean nothing by
 * themselves ("no" is a text; what wants a yes or no takes true and false).
 * Limits: 1 MiB, 10,000 nodes, depth 32. Errors are STATUS_CONFIG and read
 * "FILE:LINE:COLUMN: text". */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;

enum {
    CONF_BYTES_MAX = 1 << 20,
    CONF_NODES_MAX = 10000,
    CONF_DEPTH_MAX = 32,
};

enum conf_kind { CONF_TEXT, CONF_LIST, CONF_MAP };

struct conf {
    enum conf_kind kind;
    bool quoted; /* a text in quotes or a block */
    unsigned line;
    unsigned column;
    struct conf_file *file;
    const char *key;  /* in a map; NULL elsewhere */
    const char *text; /* of a text, never NULL there; without NULs */
    struct conf *first;
    struct conf *next;
    unsigned key_line;
    unsigned key_column;
};

struct conf_file;

struct conf_file *conf_load(const char *path, struct err *);

/* name is what errors call it. */
struct conf_file *conf_parse(const char *name, struct slice text, struct err *);
void conf_free(struct conf_file *);
const struct conf *conf_root(const struct conf_file *);

/* NULL where there is none. */
const struct conf *conf_get(const struct conf *map, const char *key);

/* "FILE:LINE:COLUMN: " and the text; returns -1. */
int conf_error(const struct conf *at, struct err *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

enum conf_want {
    CONF_WANT_TEXT,     /* const char *, valid as long as the file */
    CONF_WANT_NUMBER,   /* uint64_t within [min, max] */
    CONF_WANT_SIZE,     /* uint64_t, "1M" */
    CONF_WANT_DURATION, /* uint64_t milliseconds, "5m" */
    CONF_WANT_BOOL,     /* bool: true or false */
    CONF_WANT_CHOICE,   /* unsigned: index into choices */
    CONF_WANT_MAP,      /* const struct conf * */
    CONF_WANT_LIST,     /* const struct conf * */
};

/* A table ends with an entry without a name. */
struct conf_key {
    const char *name;
    enum conf_want want;
    size_t at; /* offset in the struct that is filled in */
    bool required;
    uint64_t min;
    uint64_t max;               /* 0: no limit */
    const char *const *choices; /* ends with NULL */
};

/* Fill in what the map has; the rest of *to stays as it is. */
int conf_read(const struct conf *map, const struct conf_key *, void *to,
              struct err *);

#endif
