/* The one file of this driver that reads and writes a socket; how long connecting may take is for
 * the session to say.
 *
 * What would break it: a callback that closes the link while bytes are being given out, so `dead`
 * is looked at after each; freeing before both the socket and the dial have let go. */
#include "source/webapi_link.h"

#include "base/list.h"
#include "source/dial.h"

#include <stdlib.h>
#include <string.h>

#define READ_SIZE 262144

struct tg_webapi_link {
    struct tg_dial *dial; /* NULL: it has told how it ended */
    uv_tcp_t *tcp;        /* NULL: not connected yet, or not any more */
    struct tg_webapi_link_host host;
    struct tg_webapi_tls *tls;
    void (*gone)(void *ctx);
    struct tg_buf plain, cipher;
    char *read_buffer;
    int held; /* reasons why the memory must stay: the dial, the socket */
    bool open, dead;
};

static void release(struct tg_webapi_link *link)
{
    if (--link->held) return;
    void (*gone)(void *) = link->gone;
    void *ctx = link->host.ctx;
    tg_webapi_tls_free(link->tls);
    tg_buf_fini(&link->plain);
    tg_buf_fini(&link->cipher);
    free(link->read_buffer);
    free(link);
    gone(ctx);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct tg_webapi_link *link = handle->data;
    free(handle);
    release(link);
}

static void broken(struct tg_webapi_link *link, const char *code, const char *message)
{
    if (link->dead) return;
    link->host.closed(link->host.ctx, code, message);
}

/* ---- writing ---- */

struct write {
    uv_write_t request;
    char bytes[];
};

static void on_written(uv_write_t *request, int status)
{
    struct tg_webapi_link *link = request->handle->data;
    free(tg_of(request, struct write, request));
    if (status < 0 && status != UV_ECANCELED)
        broken(link, "CONNECTION_BROKEN", uv_strerror(status));
}

/* Tries at once; the rest is copied and follows when the socket takes it. Nobody is called from
 * here: who sends is in the middle of something. */
static void write_bytes(struct tg_webapi_link *link, const char *bytes, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    int sent = uv_try_write((uv_stream_t *)link->tcp, &buf, 1);
    if (sent < 0) sent = 0; /* a real failure is told by the reading side */
    if ((size_t)sent == len) return;
    len -= (size_t)sent;
    struct write *write = malloc(sizeof *write + len);
    if (!write) return; /* what was asked has no answer then, and ends by its deadline */
    memcpy(write->bytes, bytes + sent, len);
    buf = uv_buf_init(write->bytes, (unsigned)len);
    if (uv_write(&write->request, (uv_stream_t *)link->tcp, &buf, 1, on_written)) free(write);
}

static void flush_tls(struct tg_webapi_link *link)
{
    tg_buf_clear(&link->cipher);
    (void)tg_webapi_tls_out(link->tls, &link->cipher);
    if (link->cipher.len) write_bytes(link, link->cipher.data, link->cipher.len);
}

void tg_webapi_link_send(struct tg_webapi_link *link, const char *bytes, size_t len)
{
    if (link->dead || !link->open) return;
    if (!link->tls) {
        write_bytes(link, bytes, len);
        return;
    }
    if (!tg_webapi_tls_put(link->tls, bytes, len)) flush_tls(link);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tg_webapi_link *link = handle->data;
    (void)suggested;
    *buf = uv_buf_init(link->read_buffer, READ_SIZE);
}

/* TLS: what arrived may end the handshake, or be data, or both. */
static void take_cipher(struct tg_webapi_link *link, const char *bytes, size_t len)
{
    struct tg_err err = {0};
    tg_buf_clear(&link->plain);
    int rc = tg_webapi_tls_take(link->tls, bytes, len, &link->plain, &err);
    flush_tls(link);
    if (!rc && !link->open && tg_webapi_tls_ready(link->tls)) {
        link->open = true;
        link->host.opened(link->host.ctx);
    }
    if (!link->dead && link->plain.len)
        link->host.bytes(link->host.ctx, link->plain.data, link->plain.len);
    if (rc) broken(link, "TLS_FAILED", err.text);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct tg_webapi_link *link = stream->data;
    if (link->dead || !count) return;
    if (count < 0) {
        bool ended = count == UV_EOF && link->open;
        const char *why =
            count == UV_EOF ? "the server closed the connection" : uv_strerror((int)count);
        broken(link, ended ? "" : "CONNECTION_BROKEN", why);
        return;
    }
    if (link->tls)
        take_cipher(link, buf->base, (size_t)count);
    else
        link->host.bytes(link->host.ctx, buf->base, (size_t)count);
}

/* ---- connecting ---- */

static void on_connected(void *ctx, uv_tcp_t *tcp)
{
    struct tg_webapi_link *link = ctx;
    link->dial = NULL;
    link->tcp = tcp;
    link->held++;
    tcp->data = link;
    (void)uv_tcp_nodelay(tcp, 1);
    (void)uv_tcp_keepalive(tcp, 1, 30);
    int rc = uv_read_start((uv_stream_t *)tcp, on_alloc, on_read);
    if (rc) {
        broken(link, "CONNECT_FAILED", uv_strerror(rc));
    } else if (link->tls) {
        take_cipher(link, NULL, 0);
    } else {
        link->open = true;
        link->host.opened(link->host.ctx);
    }
}

static void on_failed(void *ctx, const char *code, const char *message)
{
    struct tg_webapi_link *link = ctx;
    link->dial = NULL;
    broken(link, code, message);
}

static void on_dial_gone(void *ctx)
{
    release(ctx);
}

struct tg_webapi_link *tg_webapi_link_open(uv_loop_t *loop, const struct tg_webapi_endpoint *to,
                                           struct tg_webapi_trust *trust,
                                           const struct tg_webapi_link_host *host,
                                           void (*gone)(void *ctx))
{
    struct tg_webapi_link *link = calloc(1, sizeof *link);
    if (!link) return NULL;
    const struct tg_dial_host dial = {on_connected, on_failed, on_dial_gone, link};
    link->host = *host;
    link->gone = gone;
    link->held = 1;
    link->read_buffer = malloc(READ_SIZE);
    if (trust) link->tls = tg_webapi_tls_new(trust, to->host);
    if (link->read_buffer && (!trust || link->tls))
        link->dial = tg_dial_open(loop, to->host, to->port, &dial);
    if (link->dial) return link;
    tg_webapi_tls_free(link->tls);
    free(link->read_buffer);
    free(link);
    return NULL;
}

void tg_webapi_link_close(struct tg_webapi_link *link)
{
    if (link->dead) return;
    link->dead = true;
    if (link->dial) tg_dial_stop(link->dial);
    if (link->tcp) uv_close((uv_handle_t *)link->tcp, on_tcp_closed);
    link->tcp = NULL;
}
