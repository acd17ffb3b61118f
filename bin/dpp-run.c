/* dpp-run: one segment in the foreground, restarted when a stage dies; or a
 * probe that tells whether a filter conforms to dpp-stage(7). */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/msg.h"
#include "record/json.h"
#include "stage/tool.h"
#include "supervise/check.h"
#include "supervise/segment.h"
#include "supervise/supervise.h"
#include "supervise/words.h"
#include "vault/safe.h"

struct arguments {
    bool dry;
    bool check;
    bool must_lock;
    const char *file;
    uint64_t ready_fd;
};

/* One JSON line for each stage. */
static int show(const struct words *w, struct err *e)
{
    struct segment s;
    struct buf line;

    if (segment_init(&s, w, e) < 0) {
        return -1;
    }
    buf_init(&line);
    for (size_t i = 0; i < s.n; i++) {
        buf_printf(&line, "{\"stage\":%zu,\"program\":", i + 1);
        json_encode(&line, slice_of(s.stage[i].path));
        buf_puts(&line, ",\"argv\":[");
        for (char *const *word = s.stage[i].argv; *word != NULL; word++) {
            buf_puts(&line, word == s.stage[i].argv ? "" : ",");
            json_encode(&line, slice_of(*word));
        }
        buf_puts(&line, "]}\n");
    }
    (void)fwrite(line.p, 1, line.n, stdout);
    buf_release(&line);
    segment_release(&s);
    return 0;
}

static int read_words(const struct arguments *a, int argc, char **argv,
                      struct words *w, struct err *e)
{
    if (a->file == NULL) {
        return words_from_argv(w, argc, argv, e);
    }
    if (a->check) {
        return err_set(e, STATUS_USAGE, "-f and --check: choose one");
    }
    if (argc > 0) {
        return err_set(e, STATUS_USAGE,
                       "what is \"%s\"? With -f all stages are in the file",
                       argv[0]);
    }
    return words_from_file(w, a->file, e);
}

static int run(const struct arguments *a, const struct words *w, struct err *e)
{
    struct supervise_conf conf = {.ready_fd = -1};

    if (a->dry) {
        return show(w, e);
    }
    if (a->check) {
        return check_filter(w, e);
    }
    if (a->must_lock && safe_init(true, e) < 0) {
        return -1;
    }
    if (a->ready_fd < UINT64_MAX) {
        conf.ready_fd = (int)a->ready_fd;
        if (fcntl(conf.ready_fd, F_SETFD, FD_CLOEXEC) < 0) {
            return err_errno(e, STATUS_USAGE, "--ready-fd %d", conf.ready_fd);
        }
    }
    return supervise_run(&conf, w, e);
}

int main(int argc, char **argv)
{
    struct arguments a = {.ready_fd = UINT64_MAX};
    struct words words = {0};
    struct err e = {0};
    const struct opt options[] = {
        {'n', NULL, NULL, "show the stages that would be started", OPT_FLAG,
         &a.dry, 0, 0},
        {'f', "file", "FILE", "read the stages from a file", OPT_STRING,
         &a.file, 0, 0},
        {0, "check", NULL, "does this filter conform? (its words follow)",
         OPT_FLAG, &a.check, 0, 0},
        {0, "require-mlock", NULL, "no secrets where memory may be swapped",
         OPT_FLAG, &a.must_lock, 0, 0},
        {0, "ready-fd", "N", "write a newline there when ready", OPT_NUMBER,
         &a.ready_fd, 3, 65535},
        {0},
    };
    const struct tool tool = {
        .name = "dpp-run",
        .synopsis = "[-n] STAGE… ! STAGE…\n[-n] -f FILE\n--check FILTER…",
        .about = "Run a segment: start it, restart it when a stage dies, "
                 "isolate poison.",
        .options = options,
    };

    int rc = tool_begin(&tool, argc, argv, &e);
    if (rc > 0) {
        rc = read_words(&a, argc - rc, argv + rc, &words, &e);
        rc = rc < 0 ? rc : run(&a, &words, &e);
    }
    words_release(&words);
    if (rc > 0) { /* the segment's status; it has been told */
        const int status = tool_end(0, &e);
        return status != STATUS_OK ? status : rc;
    }
    return tool_end(rc, &e);
}
