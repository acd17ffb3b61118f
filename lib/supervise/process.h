/* What /proc says about processes. */
#ifndef SUPERVISE_PROCESS_H
#define SUPERVISE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* 0 if it cannot be found out. */
pid_t process_parent(pid_t);

/* At most max children of ours. As long as we do not wait for it, a child's
 * number is not given to another process. */
size_t process_children(pid_t *, size_t max);

/* Kill one descendant of ours, none of skip[0..n), that can write to the pipe
 * with this inode. Its number, or 0 if there is none. */
pid_t process_kill_writer(ino_t pipe, const pid_t *skip, size_t n);

/* True if the process catches, blocks or ignores the signal. */
bool process_prepared(pid_t, int sig);

/* How often the kernel has killed a process because memory was out, on this
 * machine since it runs; 0 if that cannot be found out. */
unsigned long long process_oom_kills(void);

#endif
