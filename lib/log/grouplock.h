/* The bytes of a group's lock file, DIR/run/groups/G/T (group.c). */
#ifndef LOG_GROUPLOCK_H
#define LOG_GROUPLOCK_H

enum {
    GROUP_GATE = 0,
    GROUP_COMMIT = 1,
    GROUP_MEMBER = 1 << 16,
    GROUP_MEMBERS = 4096,
    GROUP_PARTITION = 1 << 20,
};

#endif
