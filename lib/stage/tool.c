#include "stage/tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/msg.h"

int tool_begin(const struct tool *t, int argc, char **argv, struct err *e)
{
    bool quiet = false;
    bool help = false;
    bool version = false;
    int verbose = 0;
    const struct opt common[] = {
        {'q', NULL, NULL, "quiet: warnings and errors only", OPT_FLAG, &quiet,
         0, 0},
        {'v', NULL, NULL, "verbose", OPT_COUNT, &verbose, 0, 0},
        {'h', "help", NULL, "this text", OPT_FLAG, &help, 0, 0},
        {'V', "version", NULL, "the version", OPT_FLAG, &version, 0, 0},
        {0},
    };
    const struct opt_usage usage = {
        t->name, t->synopsis, t->about, {t->options, common, NULL}};

    msg_init(t->name);
    if (fd_hold_standard(e) < 0) {
        return -1;
    }
    const int first = opt_parse(&usage, argc, argv, e);
    if (quiet || verbose > 0) { /* said in one of several passes, it holds */
        msg_set_level(quiet ? MSG_QUIET : MSG_VERBOSE);
    }
    if (first >= 0 && help) {
        opt_help(&usage);
        return 0;
    }
    if (first >= 0 && version) {
        (void)printf("%s %s\n", t->name, DPP_VERSION);
        return 0;
    }
    return first;
}

int tool_end(int rc, struct err *e)
{
    int status = STATUS_OK;

    if (rc < 0) {
        status = e->status;
        msg_err(e);
    }
    if (fflush(stdout) != 0 || fclose(stdout) != 0) {
        if (status == STATUS_OK) {
            msg_error("standard output: %s", strerror(errno));
            status = STATUS_IO;
        }
    }
    return status;
}
