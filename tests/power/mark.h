/* Acknowledgements that a power-cut test can see.
 *
 * tests/power/uml runs a writer on a disk whose every write and flush is
 * logged. The file system ends before the disk does; behind it, at the place
 * that POWER_MARK names as DEVICE:BYTE, the writer notes what it has
 * acknowledged, after the acknowledgement and before it goes on. The note takes
 * its place in the log between the writes, without being one of them.
 *
 * Without POWER_MARK nothing happens, so that a writer runs anywhere. */
#ifndef POWER_MARK_H
#define POWER_MARK_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ends the process when the note cannot be written: the test is void then. */
static inline void power_mark(unsigned long long n)
{
    static _Alignas(4096) char block[512];
    static long long at;
    static int fd = -2;

    if (fd == -2) {
        char device[256];
        const char *where = getenv("POWER_MARK");
        if (where == NULL) {
            fd = -1;
        } else if (sscanf(where, "%255[^:]:%lld", device, &at) != 2 ||
                   (fd = open(device, O_WRONLY | O_DIRECT | O_CLOEXEC)) < 0) {
            perror(where);
            exit(3);
        }
    }
    if (fd < 0) {
        return;
    }
    memset(block, 0, sizeof block);
    (void)snprintf(block, sizeof block, "ack:%llu", n);
    if (pwrite(fd, block, sizeof block, at) != (ssize_t)sizeof block) {
        perror("POWER_MARK");
        exit(3);
    }
}

#endif
