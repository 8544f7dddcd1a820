/* The only file that reads and writes. A write is tried at once; what the kernel does not take is
 * given to libuv as one write request, and no second one is started before the first is done, so
 * the queue stays ours to drop from. The request is allocated only then: most connections never
 * need one.
 *
 * TCP_NOTSENT_LOWAT keeps the kernel from swallowing megabytes for a client that does not read;
 * they would look sent, and what is newest would stand behind them. */
#include "net/socket.h"

#include "base/err.h"
#include "base/log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Frames and bytes of one write. More frames than this in one turn take a second write. */
#define PIECES 64
#define WRITE_BYTES (256 * 1024)

#define NOTSENT_LOWAT (16 * 1024)

static struct tg_socket *socket_of(struct tg_conn *conn)
{
    return tg_of(conn, struct tg_socket, conn);
}

static uv_stream_t *stream_of(struct tg_socket *socket)
{
    return (uv_stream_t *)&socket->tcp;
}

void tg_socket_changed(struct tg_conn *conn)
{
    struct tg_socket *socket = socket_of(conn);
    if (tg_list_empty(&socket->changed) && !socket->closing)
        tg_list_append(&socket->hub->changed, &socket->changed);
}

static int fd_of(const struct tg_socket *socket)
{
    uv_os_fd_t fd = -1;
    uv_fileno((const uv_handle_t *)&socket->tcp, &fd);
    return fd;
}

static void on_closed(uv_handle_t *handle)
{
    struct tg_socket *socket = handle->data;
    struct tg_hub *hub = socket->hub;
    tg_list_remove(&socket->node);
    if (socket->surplus)
        hub->turned_away--;
    else
        socket->places->taken--;
    tg_conn_fini(&socket->conn);
    free(socket);
    tg_hub_release(hub);
}

static void close_socket(struct tg_socket *socket)
{
    socket->closing = true;
    tg_list_remove(&socket->changed);
    uv_close((uv_handle_t *)&socket->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct tg_socket *socket = handle->data;
    (void)hint;
    *buf = uv_buf_init(socket->hub->input, TG_INPUT_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void start_or_stop_reading(struct tg_socket *socket)
{
    bool wanted = tg_conn_wants_input(&socket->conn);
    if (wanted == socket->reading || socket->closing) return;
    socket->reading = wanted;
    if (!wanted)
        uv_read_stop(stream_of(socket));
    else if (uv_read_start(stream_of(socket), on_alloc, on_read))
        tg_conn_lost(&socket->conn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tg_socket *socket = stream->data;
    if (n > 0)
        tg_conn_input(&socket->conn, buf->base, (size_t)n);
    else if (n == UV_EOF)
        tg_conn_eof(&socket->conn);
    else if (n < 0)
        tg_conn_lost(&socket->conn);
    start_or_stop_reading(socket);
}

/* Fills `bufs` with what is next and returns how many; `*total` is the sum of their bytes. */
static unsigned int next_bufs(const struct tg_socket *socket, uv_buf_t bufs[PIECES], size_t *total)
{
    struct tg_piece pieces[PIECES];
    int n = tg_send_queue_peek(&socket->conn.out, pieces, PIECES, WRITE_BYTES);
    *total = 0;
    for (int i = 0; i < n; i++) {
        bufs[i].base = (char *)(uintptr_t)pieces[i].data; /* libuv only reads it */
        bufs[i].len = pieces[i].len;
        *total += pieces[i].len;
    }
    return (unsigned int)n;
}

static void on_written(uv_write_t *write, int status)
{
    struct tg_socket *socket = write->data;
    tg_must(socket->write == write);
    free(write);
    socket->write = NULL;
    tg_send_queue_lend(&socket->conn.out, 0);
    if (socket->closing) return;
    if (status < 0)
        tg_conn_lost(&socket->conn);
    else
        tg_conn_gone(&socket->conn, socket->writing);
    tg_socket_service(socket);
}

/* Hands the front of the queue to libuv, to be written when the kernel has room. */
static void write_later(struct tg_socket *socket)
{
    uv_buf_t bufs[PIECES];
    unsigned int n = next_bufs(socket, bufs, &socket->writing);
    uv_write_t *write = malloc(sizeof *write);
    if (write) write->data = socket;
    if (!write || uv_write(write, stream_of(socket), bufs, n, on_written)) {
        free(write);
        tg_conn_lost(&socket->conn);
        return;
    }
    socket->write = write;
    tg_send_queue_lend(&socket->conn.out, (int)n);
}

static void flush(struct tg_socket *socket)
{
    uv_buf_t bufs[PIECES];
    size_t total;
    if (socket->write || !socket->conn.out.bytes) return;
    unsigned int n = next_bufs(socket, bufs, &total);
    int rc = uv_try_write(stream_of(socket), bufs, n);
    if (rc < 0 && rc != UV_EAGAIN) {
        tg_conn_lost(&socket->conn);
        return;
    }
    if (rc > 0) tg_conn_gone(&socket->conn, (size_t)rc);
    if (socket->conn.out.bytes && socket->conn.state != TG_CONN_ENDED && !socket->closing)
        write_later(socket);
}

void tg_socket_service(struct tg_socket *socket)
{
    struct tg_conn *conn = &socket->conn;
    if (socket->closing) return;
    if (conn->failed) tg_conn_lost(conn);
    if (conn->state != TG_CONN_ENDED) flush(socket);
    if (socket->closing) return;
    if (tg_conn_is_over(conn)) {
        close_socket(socket);
        return;
    }
    if (tg_conn_wants_shutdown(conn) && !socket->shut) {
        socket->shut = true;
        shutdown(fd_of(socket), SHUT_WR);
    }
    start_or_stop_reading(socket);
}

/* The peer's address as text; an IPv4 client of a dual-stack listener is shown as IPv4. */
static int peer_address(const struct tg_socket *socket, char out[TG_ADDRESS_SIZE])
{
    struct sockaddr_storage peer;
    int len = sizeof peer;
    if (uv_tcp_getpeername(&socket->tcp, (struct sockaddr *)&peer, &len)) return -TG_EIO;
    if (peer.ss_family == AF_INET)
        return uv_ip4_name((const struct sockaddr_in *)&peer, out, TG_ADDRESS_SIZE);
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&peer;
    if (!IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) return uv_ip6_name(six, out, TG_ADDRESS_SIZE);
    return uv_inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], out, TG_ADDRESS_SIZE);
}

static void tune(struct tg_socket *socket)
{
    int lowat = NOTSENT_LOWAT;
    uv_tcp_nodelay(&socket->tcp, 1);
    setsockopt(fd_of(socket), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
}

/* Whether the client may stay: it is still there, and its descriptor is not one of those kept back.
 */
static bool admit(struct tg_socket *socket)
{
    struct tg_hub *hub = socket->hub;
    if (peer_address(socket, socket->conn.address)) return false;
    if (socket->places->reserved || fd_of(socket) < hub->descriptors) return true;
    hub->counters.refused_full++;
    tg_error("net", "descriptors_short", tg_i("descriptor", fd_of(socket)),
             tg_s("hint", "raise the limit of open files, or lower limits.connections"));
    return false;
}

int tg_socket_accept(struct tg_hub *hub, struct tg_places *places, uv_stream_t *stream,
                     const char *listener)
{
    bool surplus = places->taken >= places->bound;
    if (surplus && hub->turned_away >= TG_TURNED_AWAY_MAX) return -TG_ELIMIT;
    struct tg_socket *socket = calloc(1, sizeof *socket);
    if (!socket) return -TG_ENOMEM;
    if (tg_conn_init(&socket->conn, &hub->env, ++hub->next_id, "", listener)) {
        free(socket);
        return -TG_ENOMEM;
    }
    socket->hub = hub;
    socket->places = places;
    socket->surplus = surplus;
    tg_list_init(&socket->changed);
    tg_list_append(&hub->sockets, &socket->node);
    tg_must(!uv_tcp_init(hub->loop, &socket->tcp));
    socket->tcp.data = socket;
    tg_hub_hold(hub);
    if (surplus)
        hub->turned_away++;
    else
        places->taken++;
    if (uv_accept(stream, stream_of(socket)) || !admit(socket)) {
        tg_conn_lost(&socket->conn);
        tg_socket_service(socket);
        return 0;
    }
    tune(socket);
    hub->counters.accepted++;
    if (surplus) {
        hub->counters.refused_full++;
        tg_warn("net", "at_capacity", tg_s("address", socket->conn.address),
                tg_i("connections", places->taken));
        tg_conn_turn_away(&socket->conn);
    }
    tg_socket_service(socket);
    return 0;
}
