#include "stage/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

void notify_datagram(const char *address, struct slice text,
                     enum notify_patience patience)
{
    const struct timeval second = {.tv_sec = 1};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const size_t n = strlen(address);

    if (n == 0 || n >= sizeof a.sun_path) {
        return;
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    memcpy(a.sun_path, address, n);
    if (address[0] == '@') {
        a.sun_path[0] = '\0';
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    (void)sendto(fd, text.p, text.n,
                 MSG_NOSIGNAL | (patience == NOTIFY_OFTEN ? MSG_DONTWAIT : 0),
                 (const struct sockaddr *)&a,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    (void)close(fd);
}

void notify_send(enum notify_patience patience, const char *fmt, ...)
{
    const char *to = getenv("NOTIFY_SOCKET");
    char *text = NULL;
    va_list ap;

    if (to == NULL) {
        return;
    }
    va_start(ap, fmt);
    const int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n >= 0) {
        notify_datagram(to, (struct slice){text, (size_t)n}, patience);
        free(text);
    }
}

void notify_ready_fd(int fd)
{
    if (fd >= 0) {
        (void)!write(fd, "\n", 1);
        (void)close(fd);
    }
}
