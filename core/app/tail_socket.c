/* A terminal client has one connection and nothing else to do, so poll(2) is the whole event loop.
 * Signals are blocked except inside ppoll(2): one that comes a moment before the wait would be lost
 * otherwise, and Ctrl-C would take until the next message. */
#include "app/tail_socket.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int tg_tail_wait(int fd, int writing, int64_t deadline_ms, const sigset_t *unblocked)
{
    struct pollfd set = {.fd = fd, .events = (short)(writing ? POLLIN | POLLOUT : POLLIN)};
    int64_t left = deadline_ms - tg_mono_ms(tg_clock_system());
    if (left < 0) left = 0;
    struct timespec timeout = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    int n = ppoll(&set, 1, &timeout, unblocked);
    if (n < 0) return errno == EINTR ? 0 : -TG_EIO;
    return n ? set.revents : 0;
}

/* One address: 0 or an errno value. */
static int try_address(const struct addrinfo *address, int64_t deadline_ms,
                       const sigset_t *unblocked, int *out)
{
    int failed = 0, on = 1;
    socklen_t size = sizeof failed;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) && errno != EINPROGRESS) {
        failed = errno;
    } else {
        struct pollfd set = {.fd = fd, .events = POLLOUT};
        int64_t left = deadline_ms - tg_mono_ms(tg_clock_system());
        struct timespec timeout = {.tv_sec = left > 0 ? left / 1000 : 0,
                                   .tv_nsec = left > 0 ? left % 1000 * 1000000 : 0};
        int n = ppoll(&set, 1, &timeout, unblocked);
        if (n <= 0)
            failed = n ? errno : ETIMEDOUT;
        else
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
    }
    if (failed) {
        (void)close(fd);
        return failed;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *out = fd;
    return 0;
}

int tg_tail_connect(const char *host, const char *port, int64_t deadline_ms,
                    const sigset_t *unblocked, int *out, struct tg_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list), failed = 0;
    if (rc) return tg_fail(err, TG_EIO, "%s: %s", host, gai_strerror(rc));
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        failed = try_address(at, deadline_ms, unblocked, out);
        if (!failed || failed == EINTR) break;
    }
    freeaddrinfo(list);
    if (!failed) return 0;
    int code = failed == EINTR ? TG_ECLOSED : failed == ETIMEDOUT ? TG_ETIMEOUT : TG_EIO;
    return tg_fail(err, code, "%s port %s: %s", host, port, strerror(failed));
}

ssize_t tg_tail_recv(int fd, void *bytes, size_t size)
{
    ssize_t n = recv(fd, bytes, size, 0);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -TG_EAGAIN : -TG_EIO;
}

ssize_t tg_tail_send(int fd, const void *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -TG_EAGAIN : -TG_EIO;
}
