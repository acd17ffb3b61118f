/* One table of options per program: the parser, -h and the test that compares
 * the manual's synopsis with -h all read it.
 *
 * A table is an array that ends with an entry without help. Values are parsed
 * and checked for their range here; a wrong one is STATUS_USAGE and a line
 * that names the option. Short options may be joined and take their argument
 * joined or separate; long ones as --name ARG or --name=ARG; "--" ends. */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum opt_kind {
    OPT_FLAG,     /* bool */
    OPT_COUNT,    /* int, counted up */
    OPT_STRING,   /* const char * into argv */
    OPT_LIST,     /* struct opt_list: may be repeated */
    OPT_PAIR,     /* struct opt_list of two words each, separate in argv */
    OPT_NUMBER,   /* uint64_t within [min, max] */
    OPT_SIZE,     /* uint64_t bytes: 64, 64k, 1M, 2G (powers of 1,024) */
    OPT_DURATION, /* uint64_t milliseconds */
};

struct opt_list {
    const char **v;
    size_t n;
};

struct opt {
    char letter;      /* 0: long only */
    const char *name; /* long name, or NULL */
    const char *arg;  /* what -h calls the argument; NULL for a flag */
    const char *help; /* one line */
    enum opt_kind kind;
    void *to;
    uint64_t min; /* OPT_NUMBER, OPT_SIZE, OPT_DURATION */
    uint64_t max; /* 0: no limit */
};

struct opt_usage {
    const char *program;
    const char *synopsis; /* lines behind the program's name, '\n' between */
    const char *about;    /* one sentence */
    const struct opt *tables[3];
};

/* Returns the index of the first operand in argv, or -1. */
int opt_parse(const struct opt_usage *, int argc, char **argv, struct err *);

/* Gives back the lists of a table (or NULL); their texts are argv's. */
void opt_release(const struct opt *table);

/* Writes -h to standard output. */
void opt_help(const struct opt_usage *);

int size_parse(const char *text, uint64_t *bytes, struct err *);

#endif
