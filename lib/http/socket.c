#include "http/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum { BACKLOG = 1024 };

static int refuse_address(const char *address, struct err *e)
{
    return err_set(e, STATUS_USAGE,
                   "%s: not an address; write HOST:PORT, [IPv6]:PORT or :PORT",
                   address);
}

/* "host:port" in two pieces of *copy (to be freed); host "" for all. */
static int split(const char *address, char **copy, const char **host,
                 const char **port, struct err *e)
{
    char *s = mem_strdup(address);
    char *colon = strrchr(s, ':');
    char *end;

    *copy = s;
    if (colon == NULL) {
        return refuse_address(address, e);
    }
    const unsigned long n = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || n > 65535) {
        return refuse_address(address, e);
    }
    *colon = '\0';
    *port = colon + 1;
    *host = s;
    if (s[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        *host = s + 1;
    } else if (strchr(s, ':') != NULL) {
        return refuse_address(address, e);
    }
    return 0;
}

static int bind_error(const char *address, struct err *e)
{
    if (errno == EADDRINUSE) {
        return err_set(e, STATUS_SYSTEM,
                       "%s: another process listens there (ss -ltnp shows it)",
                       address);
    }
    return err_errno(
        e, errno == EACCES || errno == EPERM ? STATUS_REFUSED : STATUS_SYSTEM,
        "%s: cannot listen", address);
}

static int listen_at(const struct addrinfo *ai, bool all)
{
    const int on = 1;
    const int off = 0;
    const int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (ai->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, all ? &off : &on,
                         sizeof on);
    }
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        const int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* All addresses: one socket for both families, or IPv4's where there is no
 * IPv6. */
static int listen_all(const char *address, const struct addrinfo *list,
                      struct err *e)
{
    int fd = -1;

    errno = EAFNOSUPPORT;
    for (int family = AF_INET6;; family = AF_INET) {
        for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
            if (a->ai_family == family) {
                fd = listen_at(a, true);
                break;
            }
        }
        if (fd >= 0 || family == AF_INET ||
            (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)) {
            break;
        }
    }
    return fd >= 0 ? fd : bind_error(address, e);
}

static int listen_fd(const char *address, struct err *e)
{
    char *end;
    const long fd = strtol(address + 3, &end, 10);
    int on = 0;
    socklen_t n = sizeof on;

    if (address[3] < '0' || address[3] > '9' || *end != '\0' || fd > 65535) {
        return refuse_address(address, e);
    }
    if (getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) < 0 || !on) {
        return err_set(e, STATUS_CONFIG, "%s: no socket that listens", address);
    }
    on = 1;
    (void)setsockopt((int)fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl((int)fd, F_SETFL, O_NONBLOCK);
    return (int)fd;
}

int socket_listen(const char *address, struct err *e)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    const char *host = NULL;
    const char *port = NULL;
    char *copy = NULL;
    int fd = -1;

    if (strncmp(address, "fd:", 3) == 0) {
        return listen_fd(address, e);
    }
    if (split(address, &copy, &host, &port, e) < 0) {
        goto done;
    }
    const int rc =
        getaddrinfo(*host != '\0' ? host : NULL, port, &hints, &list);
    if (rc != 0) {
        (void)err_set(e, STATUS_UNREACHABLE, "%s: %s", address,
                      gai_strerror(rc));
        goto done;
    }
    if (*host == '\0') {
        fd = listen_all(address, list, e);
    } else {
        fd = listen_at(list, false);
        if (fd < 0) {
            (void)bind_error(address, e);
        }
    }
done:
    if (list != NULL) {
        freeaddrinfo(list);
    }
    free(copy);
    return fd;
}

/* Append an address; true if it is of IPv6. */
static bool put_address(const struct sockaddr_in6 *a, struct buf *out)
{
    char text[INET6_ADDRSTRLEN] = "?";

    if (a->sin6_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, a, sizeof four);
        (void)inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
        buf_puts(out, text);
        return false;
    }
    if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
        (void)inet_ntop(AF_INET, &a->sin6_addr.s6_addr[12], text, sizeof text);
        buf_puts(out, text);
        return false;
    }
    (void)inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof text);
    buf_puts(out, text);
    return true;
}

void socket_peer(const struct sockaddr_in6 *a, struct buf *out)
{
    (void)put_address(a, out);
}

void socket_name(int fd, struct buf *out)
{
    struct sockaddr_in6 a = {0};
    socklen_t n = sizeof a;
    struct buf text;

    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        return;
    }
    buf_init(&text);
    const bool six = put_address(&a, &text);
    /* The port is at the same place in both families. */
    buf_printf(out, six ? "[%s]:%u" : "%s:%u", buf_cstr(&text),
               ntohs(a.sin6_port));
    buf_release(&text);
}
