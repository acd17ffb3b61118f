/* Talk on standard error: one line each, "program: level: text".
 *
 * Control characters are escaped, a line is at most 4,095 bytes, and a full or
 * closed standard error never blocks the caller: the line is lost instead and
 * counted, and the next one that gets through says how many were lost. */
#ifndef BASE_MSG_H
#define BASE_MSG_H

struct err;

enum msg_level { MSG_QUIET, MSG_NORMAL, MSG_VERBOSE };

void msg_init(const char *program);
const char *msg_program(void);
void msg_set_level(enum msg_level);

void msg_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void msg_err(const struct err *);
void msg_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Without a level word; silent under -q. */
void msg_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Only with -v. */
void msg_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
