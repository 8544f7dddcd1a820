/* The socket is made by us and not by uv_tcp_bind, because SO_REUSEPORT must be set before bind and
 * because libuv reports a bind that failed only when it listens.
 *
 * A client that cannot be taken (no memory, too many being turned away) is accepted and closed with
 * a handle kept for that: left in the queue it would stop libuv from ever accepting the next one.
 * When descriptors run out, libuv itself accepts and drops with its reserve descriptor; it is
 * logged. */
#include "net/listener.h"

#include "base/log.h"
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

struct tg_listener {
    struct tg_list node;
    struct tg_hub *hub;
    uv_tcp_t tcp;
    struct tg_places own; /* when it has a bound of its own */
    uv_tcp_t dropped;     /* the client being dropped */
    bool dropping, owed;  /* `owed`: another one waits to be dropped */
    bool closing;
    char label[];
};

static void drop_next(struct tg_listener *listener);

static void on_dropped(uv_handle_t *handle)
{
    struct tg_listener *listener = handle->data;
    listener->dropping = false;
    if (listener->owed && !listener->closing) drop_next(listener);
    tg_hub_release(listener->hub);
}

static void drop_next(struct tg_listener *listener)
{
    listener->owed = listener->dropping;
    if (listener->dropping) return;
    tg_must(!uv_tcp_init(listener->hub->loop, &listener->dropped));
    listener->dropped.data = listener;
    listener->dropping = true;
    tg_hub_hold(listener->hub);
    uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&listener->dropped);
    uv_close((uv_handle_t *)&listener->dropped, on_dropped);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct tg_listener *listener = stream->data;
    struct tg_hub *hub = listener->hub;
    if (status < 0) {
        tg_error("net", "accept_failed", tg_s("listener", listener->label),
                 tg_s("reason", uv_strerror(status)));
        return;
    }
    struct tg_places *places = listener->own.bound ? &listener->own : &hub->places;
    int rc = tg_socket_accept(hub, places, stream, listener->label);
    if (!rc) return;
    hub->counters.refused_full++;
    tg_warn("net", "client_dropped", tg_s("listener", listener->label),
            tg_s("reason", rc == -TG_ENOMEM ? "out of memory" : "far over capacity"));
    drop_next(listener);
}

/* Reads an address text. 0 or -TG_EINVAL. */
static int read_address(const char *text, int port, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (uv_ip4_addr(text, port, four) == 0) {
        *len = sizeof *four;
        return 0;
    }
    if (uv_ip6_addr(text, port, six) == 0) {
        *len = sizeof *six;
        return 0;
    }
    return -TG_EINVAL;
}

/* A bound socket, or a negative errno. "::" takes IPv4 clients as well. */
static int bound_socket(const struct sockaddr_storage *address, socklen_t len, bool reuse_port)
{
    int on = 1, off = 0;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) ||
        (address->ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off)) ||
        bind(fd, (const struct sockaddr *)address, len)) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* The port that a bound socket has, or a negative errno. */
static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len)) return -errno;
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static void on_closed(uv_handle_t *handle)
{
    struct tg_listener *listener = handle->data;
    tg_hub_release(listener->hub);
}

static void close_listener(struct tg_listener *listener)
{
    if (listener->closing) return;
    listener->closing = true;
    uv_close((uv_handle_t *)&listener->tcp, on_closed);
}

static int cannot(struct tg_err *err, const struct tg_listen_options *options, int rc)
{
    const char *reason = rc == UV_EADDRINUSE ? "the port is in use by another program"
                         : rc == UV_EACCES   ? "not permitted (ports below 1024 need a privilege)"
                                             : uv_strerror(rc);
    return tg_fail(err, TG_EIO, "cannot listen on %s port %d: %s", options->address, options->port,
                   reason);
}

int tg_listener_open(struct tg_hub *hub, struct tg_list *list,
                     const struct tg_listen_options *options, int *port_out, struct tg_err *err)
{
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *label = options->label ? options->label : "";
    if (options->port < 0 || options->port > 65535)
        return tg_fail(err, TG_EINVAL, "port %d is not within 0 and 65535", options->port);
    if (read_address(options->address, options->port, &address, &address_len))
        return tg_fail(err, TG_EINVAL, "\"%s\" is not an IPv4 or IPv6 address", options->address);
    struct tg_listener *listener = calloc(1, sizeof *listener + strlen(label) + 1);
    if (!listener) return tg_fail(err, TG_ENOMEM, "out of memory");
    strcpy(listener->label, label);
    int fd = bound_socket(&address, address_len, options->reuse_port);
    if (fd < 0) {
        free(listener);
        return cannot(err, options, fd);
    }
    listener->hub = hub;
    listener->own = (struct tg_places){.bound = options->connections, .reserved = true};
    tg_list_append(list, &listener->node);
    tg_must(!uv_tcp_init(hub->loop, &listener->tcp));
    listener->tcp.data = listener;
    tg_hub_hold(hub);
    int rc = uv_tcp_open(&listener->tcp, fd);
    if (rc) close(fd);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&listener->tcp,
                       options->backlog > 0 ? options->backlog : BACKLOG, on_connection);
    int port = rc ? rc : port_of(fd);
    if (port < 0) {
        close_listener(listener);
        return cannot(err, options, port);
    }
    *port_out = port;
    return 0;
}

void tg_listener_close_all(struct tg_list *list)
{
    tg_list_each(node, list) close_listener(tg_of(node, struct tg_listener, node));
}

void tg_listener_free_all(struct tg_list *list)
{
    for (struct tg_list *node; (node = tg_list_first(list));) {
        tg_list_remove(node);
        free(tg_of(node, struct tg_listener, node));
    }
}
