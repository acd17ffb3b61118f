#include "stage/hello.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "record/control.h"
#include "stage/notify.h"
#include "stage/reader.h"

enum { AGAIN_US = 1000 * 1000 };

void hello_say(struct hello *h, struct buf *out, const char *run,
               const char *name, struct slice keys)
{
    char back[CONTROL_BACK_MAX];
    const int n = snprintf(back, sizeof back, "@dpp-%s", run);
    const struct control c = {.kind = CONTROL_HELLO,
                              .v = 1,
                              .run = slice_of(run),
                              .name = slice_of(name),
                              .keys = keys,
                              .back = {back, (size_t)n}};

    control_write(out, &c);
    h->due_us = clock_mono_us() + AGAIN_US;
}

int hello_wait(struct hello *h, bool gone, struct err *e)
{
    const uint64_t now = clock_mono_us();
    int unread = 0;

    if (h->read_us == 0 && gone &&
        (ioctl(STDOUT_FILENO, FIONREAD, &unread) < 0 || unread == 0)) {
        h->read_us = now;
    }
    if (h->read_us > 0 && now - h->read_us > h->timeout_ms * 1000) {
        char who[READER_NAME];
        notify_send(NOTIFY_ONCE,
                    "X_DPP_HELLO=unanswered"); /* not just any 69 */
        reader_name(STDOUT_FILENO, who);
        return err_set(e, STATUS_UNREACHABLE,
                       "%s gave no answer on the way back within %llu ms: it "
                       "buffers or swallows control lines, or no dpp sink "
                       "stands at the end of the pipe (nothing was taken)",
                       who, (unsigned long long)h->timeout_ms);
    }
    return gone && now >= h->due_us;
}
