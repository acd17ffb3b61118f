#include "base/msg.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

/* PIPE_BUF: a pipe that polls writable takes this much without blocking. */
enum { LINE = 4096 };

static const char *program = "dpp";
static enum msg_level threshold = MSG_NORMAL;
static unsigned lost;

void msg_init(const char *name)
{
    program = name;
}

const char *msg_program(void)
{
    return program;
}

void msg_set_level(enum msg_level level)
{
    threshold = level;
}

static size_t escape(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n + 5 < size; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    return n;
}

static void say(const char *word, const char *fmt, va_list ap)
{
    char text[LINE - 256];
    char line[LINE];
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

    (void)vsnprintf(text, sizeof text, fmt, ap);
    int head = snprintf(line, 128, "%.60s: %s", program, word);
    if (lost > 0) {
        head += snprintf(line + head, 64, "(%u lines lost) ", lost);
    }
    size_t n = (size_t)head;
    n += escape(line + n, sizeof line - n - 1, text);
    line[n++] = '\n';
    if (poll(&fd, 1, 0) != 1 || (fd.revents & POLLOUT) == 0 ||
        write(STDERR_FILENO, line, n) != (ssize_t)n) {
        lost++;
    } else {
        lost = 0;
    }
}

#define SAY(word)                                                              \
    do {                                                                       \
        va_list ap;                                                            \
        va_start(ap, fmt);                                                     \
        say(word, fmt, ap);                                                    \
        va_end(ap);                                                            \
    } while (0)

void msg_error(const char *fmt, ...)
{
    SAY("error: ");
}

void msg_err(const struct err *e)
{
    msg_error("%s", e->text);
}

void msg_warn(const char *fmt, ...)
{
    SAY("warning: ");
}

void msg_info(const char *fmt, ...)
{
    if (threshold >= MSG_NORMAL) {
        SAY("");
    }
}

void msg_debug(const char *fmt, ...)
{
    if (threshold >= MSG_VERBOSE) {
        SAY("");
    }
}
