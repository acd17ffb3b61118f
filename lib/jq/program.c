#include "jq/program.h"

#include <jq.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/msg.h"
#include "jq/limit.h"
#include "jq/value.h"

struct program {
    jq_state *jq;
    char *first_error;    /* while it compiles */
    char *environment[2]; /* what the program may see of it */
    char *time_zone;
};

/* libjq tells the errors of a compilation one by one; the first one counts. */
static void on_compile_error(void *ctx, jv message)
{
    struct program *p = ctx;

    if (p->first_error == NULL) {
        jv text = jq_format_error(message);
        p->first_error = mem_strdup(jv_string_value(text));
        jv_free(text);
        return;
    }
    jv_free(message);
}

static void on_debug(void *ctx, jv message)
{
    jv text = jv_dump_string(message, 0);

    (void)ctx;
    msg_info("debug: %s", jv_string_value(text));
    jv_free(text);
}

static jv on_input(jq_state *jq, void *ctx)
{
    (void)jq;
    (void)ctx;
    return jv_invalid_with_msg(jv_string("input and inputs are not available: "
                                         "a program sees one event at a time"));
}

/* "jq: error: WHAT at PLACE, line N:\nSOURCE…" as one line. PLACE is a module's
 * file, or <top-level>. */
static int compile_error(const struct transform_options *o, const char *text,
                         struct err *e)
{
    static const char prefix[] = "jq: error: ";
    const char *file = o->file;
    char place[256] = "";
    unsigned line = 0;

    if (text == NULL) {
        return err_set(e, STATUS_USAGE, "the program does not compile");
    }
    if (strncmp(text, prefix, sizeof prefix - 1) == 0) {
        text += sizeof prefix - 1;
    }
    const char *eol = strchr(text, '\n');
    size_t n = eol != NULL ? (size_t)(eol - text) : strlen(text);
    const char *at = text;
    for (const char *p = text; (p = strstr(p, " at ")) != NULL && p < text + n;
         p++) {
        at = p;
    }
    if (sscanf(at, " at %255[^,], line %u", place, &line) == 2) {
        n = (size_t)(at - text);
        file = strcmp(place, "<top-level>") != 0 ? place : file;
    }
    const char *source = eol != NULL ? eol + 1 : "";
    source += strspn(source, " ");
    size_t len = strcspn(source, "\n");
    while (len > 0 && source[len - 1] == ' ') {
        len--;
    }
    if (strncmp(source, "jq: ", 4) == 0) {
        len = 0;
    }
    return err_set(e, STATUS_USAGE, "%s%s%u: %.*s%s%.*s",
                   file != NULL ? file : "the program",
                   file != NULL ? ":" : ", line ", line > 0 ? line : 1,
                   n < 200 ? (int)n : 200, text, len > 0 ? ": " : "",
                   len < 120 ? (int)len : 120, source);
}

static jv named_arguments(const struct transform_options *o)
{
    jv named = jv_object();

    for (size_t i = 0; i + 1 < o->arg.n; i += 2) {
        named = jv_object_set(named, jv_string(o->arg.v[i]),
                              jv_string(o->arg.v[i + 1]));
    }
    for (size_t i = 0; i + 1 < o->argjson.n; i += 2) {
        named = jv_object_set(named, jv_string(o->argjson.v[i]),
                              jv_parse(o->argjson.v[i + 1]));
    }
    jv all = JV_OBJECT(jv_string("positional"), jv_array(), jv_string("named"),
                       jv_copy(named));
    return jv_object_set(named, jv_string("ARGS"), all);
}

/* libjq resolves folders against the program's own. */
static void set_paths(struct program *p, const struct transform_options *o)
{
    jv folders = jv_array();
    char *file = mem_strdup(o->file != NULL ? o->file : "./-");
    char *origin = realpath(dirname(file), NULL);

    for (size_t i = 0; i < o->folders.n; i++) {
        char *full = realpath(o->folders.v[i], NULL);
        folders = jv_array_append(
            folders, jv_string(full != NULL ? full : o->folders.v[i]));
        free(full);
    }
    jq_set_attr(p->jq, jv_string("JQ_LIBRARY_PATH"), folders);
    jq_set_attr(p->jq, jv_string("PROGRAM_ORIGIN"),
                jv_string(origin != NULL ? origin : "."));
    jq_set_attr(p->jq, jv_string("JQ_ORIGIN"),
                jv_string(origin != NULL ? origin : "."));
    free(origin);
    free(file);
}

/* A program must not see the environment: it may hold secrets, and a replay
 * must give what the first run gave. libjq reads it for $ENV when it compiles
 * and for env when it runs; only the time zone is left there meanwhile. */
static char **hide_environment(struct program *p)
{
    char **all = environ;

    environ = p->environment;
    return all;
}

static void keep_time_zone(struct program *p)
{
    const char *zone = getenv("TZ");

    if (zone != NULL) {
        p->time_zone = mem_printf("TZ=%s", zone);
        p->environment[0] = p->time_zone;
    }
}

static int compile(struct program *p, const char *text, jv named)
{
    char **all = hide_environment(p);
    const int ok = jq_compile_args(p->jq, text, named);

    environ = all;
    return ok ? 0 : -1;
}

struct program *program_new(const struct transform_options *o,
                            struct slice text, struct err *e)
{
    struct program *p = mem_new(sizeof *p);

    if (memchr(text.p, '\0', text.n) != NULL) {
        (void)err_set(e, STATUS_USAGE, "%s: a NUL in a jq program",
                      o->file != NULL ? o->file : "the program");
        goto fail_free;
    }
    p->jq = jq_init();
    if (p->jq == NULL) {
        (void)err_set(e, STATUS_SYSTEM, "libjq does not start");
        goto fail_free;
    }
    set_paths(p, o);
    keep_time_zone(p);
    jq_set_nomem_handler(p->jq, limit_no_memory, NULL);
    jq_set_error_cb(p->jq, on_compile_error, p);
    char *copy = mem_strndup(text.p, text.n);
    const int rc = compile(p, copy, named_arguments(o));
    free(copy);
    if (rc < 0) {
        (void)compile_error(o, p->first_error, e);
        goto fail;
    }
    jq_set_debug_cb(p->jq, on_debug, NULL);
    jq_set_input_cb(p->jq, on_input, NULL);
    return p;
fail:
    jq_teardown(&p->jq);
fail_free:
    free(p->time_zone);
    free(p->first_error);
    free(p);
    return NULL;
}

void program_free(struct program *p)
{
    if (p != NULL) {
        jq_teardown(&p->jq);
        free(p->time_zone);
        free(p->first_error);
        free(p);
    }
}

void program_start(struct program *p, jv input)
{
    jq_start(p->jq, input, 0);
}

static void append_message(struct buf *why, jv message)
{
    if (jv_get_kind(message) != JV_KIND_STRING) {
        message = jv_dump_string(message, 0);
    }
    struct slice text = value_text(message);
    if (text.n > 400) {
        text.n = 400;
    }
    buf_append_slice(why, text);
    jv_free(message);
}

int program_next(struct program *p, jv *output, struct buf *why)
{
    char **all = hide_environment(p);
    jv v = jq_next(p->jq);

    environ = all;
    if (jv_is_valid(v)) {
        *output = v;
        return 1;
    }
    if (jq_halted(p->jq)) {
        jv_free(v);
        jv message = jq_get_error_message(p->jq);
        buf_puts(why, "the program halted");
        if (jv_is_valid(message)) {
            buf_puts(why, ": ");
            append_message(why, message);
        } else {
            jv_free(message);
        }
        return -1;
    }
    if (jv_invalid_has_msg(jv_copy(v))) {
        append_message(why, jv_invalid_get_msg(v));
        return -1;
    }
    jv_free(v);
    return 0;
}
