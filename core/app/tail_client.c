/* Connect, shake hands, then let wslay turn bytes into messages. wslay reads from a buffer that was
 * filled from the socket and writes into one that is drained to it, so it never meets a half-done
 * read or write.
 *
 * A stream on which nothing happens is silent, and so is a dead one. The ping tells them apart: it
 * must be answered in `silence_ms`, whatever else comes. */
#include "app/tail_client.h"

#include "app/tail_handshake.h"
#include "app/tail_socket.h"
#include "base/clock.h"
#include "base/rand.h"

#include <string.h>
#include <unistd.h>
#include <wslay/wslay.h>

#define MESSAGE_MAX 16777216 /* one message: a snapshot of tens of thousands of positions */
#define CLOSE_MS 1000        /* for a farewell */

static const char PING[] = "{\"type\":\"ping\"}";

struct link {
    struct tg_tail_client *client;
    struct wslay_event_context *ws;
    struct tg_buf in, out;
    int fd;
    bool stopping, closed;
    int64_t ping_due, answer_due; /* `answer_due` 0: no ping is on its way */
};

static int64_t now(void)
{
    return tg_mono_ms(tg_clock_system());
}

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *bytes, size_t size, int flags,
                       void *ctx)
{
    struct link *link = ctx;
    (void)flags;
    if (!link->in.len) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = link->in.len < size ? link->in.len : size;
    memcpy(bytes, link->in.data, n);
    tg_buf_consume(&link->in, n);
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *bytes, size_t len, int flags,
                       void *ctx)
{
    struct link *link = ctx;
    (void)flags;
    tg_buf_add(&link->out, bytes, len);
    if (!link->out.failed) return (ssize_t)len;
    wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_mask(wslay_event_context_ptr ws, uint8_t *bytes, size_t len, void *ctx)
{
    (void)ws;
    (void)ctx;
    tg_random_bytes(bytes, len);
    return 0;
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *arg,
                       void *ctx)
{
    struct link *link = ctx;
    struct tg_tail_client *client = link->client;
    (void)ws;
    if (arg->opcode == WSLAY_PONG) {
        link->answer_due = 0;
    } else if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
        size_t skip = arg->msg_length >= 2 ? 2 : arg->msg_length; /* the code itself */
        link->closed = true;
        client->code = arg->status_code ? arg->status_code : 1005;
        (void)tg_fail(&client->why, TG_ECLOSED, "%.*s", (int)(arg->msg_length - skip),
                      (const char *)arg->msg + skip);
    } else if (!wslay_is_ctrl_frame(arg->opcode) && !link->stopping) {
        link->stopping = !client->message(client->ctx, arg->opcode == WSLAY_TEXT_FRAME,
                                          (const char *)arg->msg, arg->msg_length);
    }
}

/* Both kinds of proof of life: the message brings `pong` with its counters, the frame is what
 * proxies on the way know. */
static int send_pings(struct link *link)
{
    const struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *)PING,
                                            sizeof PING - 1};
    const struct wslay_event_msg frame = {WSLAY_PING, NULL, 0};
    int64_t time = now();
    link->ping_due = time + link->client->ping_ms;
    if (!link->answer_due) link->answer_due = time + link->client->silence_ms;
    return wslay_event_queue_msg(link->ws, &message) || wslay_event_queue_msg(link->ws, &frame);
}

/* Moves bytes both ways as far as they go; false when the connection is at its end. */
static bool exchange(struct link *link, int events)
{
    char bytes[16384];
    ssize_t n = -TG_EAGAIN;
    if (events) n = tg_tail_recv(link->fd, bytes, sizeof bytes);
    if (n > 0) tg_buf_add(&link->in, bytes, (size_t)n);
    bool ended = n == 0 || n == -TG_EIO || link->in.failed;
    while (link->ws && link->in.len && wslay_event_want_read(link->ws) && !link->stopping)
        if (wslay_event_recv(link->ws)) return false;
    while (link->ws && wslay_event_want_write(link->ws))
        if (wslay_event_send(link->ws)) return false;
    while (link->out.len && !ended) {
        n = tg_tail_send(link->fd, link->out.data, link->out.len);
        if (n == -TG_EAGAIN) break;
        if (n < 0) return false;
        tg_buf_consume(&link->out, (size_t)n);
    }
    return !ended;
}

static enum tg_tail_end lost(struct link *link, const char *why)
{
    (void)tg_fail(&link->client->why, TG_ECLOSED, "%s", why);
    return TG_TAIL_LOST;
}

/* Says goodbye and waits until the gateway has hung up. Closing a socket with unread bytes in it
 * would reset the connection and could take our Close frame along. */
static enum tg_tail_end farewell(struct link *link)
{
    int64_t deadline = now() + CLOSE_MS;
    int events = 0;
    link->stopping = true;
    (void)wslay_event_queue_close(link->ws, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    while (exchange(link, events) && now() < deadline) {
        tg_buf_clear(&link->in);
        events = tg_tail_wait(link->fd, link->out.len > 0, deadline, NULL);
        if (events < 0) break;
    }
    return TG_TAIL_STOPPED;
}

static enum tg_tail_end converse(struct link *link)
{
    if (send_pings(link)) return lost(link, "out of memory");
    int events = 0;
    for (;;) {
        bool alive = exchange(link, events);
        if (link->closed) return TG_TAIL_CLOSED;
        if (link->stopping || *link->client->stop) return farewell(link);
        if (!alive) return lost(link, "the connection broke");
        int64_t time = now();
        if (link->answer_due && time >= link->answer_due)
            return lost(link, "the gateway does not answer pings");
        if (time >= link->ping_due && send_pings(link)) return lost(link, "out of memory");
        if (wslay_event_want_write(link->ws)) {
            events = 0;
            continue;
        }
        int64_t due = link->ping_due;
        if (link->answer_due && link->answer_due < due) due = link->answer_due;
        events = tg_tail_wait(link->fd, link->out.len > 0, due, link->client->unblocked);
        if (events < 0) return lost(link, "poll failed");
    }
}

static enum tg_tail_end upgraded(struct link *link)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .genmask_callback = on_mask,
        .on_msg_recv_callback = on_message,
    };
    if (wslay_event_context_client_init(&link->ws, &callbacks, link))
        return lost(link, "out of memory");
    wslay_event_config_set_max_recv_msg_length(link->ws, MESSAGE_MAX);
    link->client->opened(link->client->ctx);
    return converse(link);
}

/* Sends the request and reads the answer; 0, or how it ended in `*end`. */
static int shake_hands(struct link *link, struct tg_tail_handshake *handshake, int64_t deadline,
                       enum tg_tail_end *end)
{
    struct tg_tail_client *client = link->client;
    int rc = -TG_EAGAIN, events = 0;
    *end = TG_TAIL_UNREACHABLE;
    while (rc == -TG_EAGAIN) {
        bool alive = exchange(link, events);
        rc = tg_tail_handshake_feed(handshake, link->in.data, link->in.len, !alive, &client->why);
        tg_buf_clear(&link->in);
        if (*client->stop) *end = TG_TAIL_STOPPED;
        if (rc != -TG_EAGAIN || *client->stop) break;
        if (now() >= deadline) return tg_fail(&client->why, TG_ETIMEOUT, "no answer in time");
        events = tg_tail_wait(link->fd, link->out.len > 0, deadline, client->unblocked);
        if (events < 0) return tg_fail(&client->why, TG_EIO, "poll failed");
    }
    if (rc == -TG_EAUTH) {
        *end = TG_TAIL_REFUSED;
        client->status = handshake->status;
        client->retry_after_s = handshake->retry_after_s;
    }
    return rc;
}

enum tg_tail_end tg_tail_client_run(struct tg_tail_client *client)
{
    struct link link = {.client = client, .fd = -1};
    struct tg_tail_handshake handshake = {.body = -1};
    const struct tg_tail_request request = {
        .authority = client->url->authority,
        .prefix = client->url->prefix,
        .account_id = client->account_id,
        .token = client->token,
        .epoch = client->epoch,
        .since = client->since,
    };
    int64_t deadline = now() + client->connect_ms;
    enum tg_tail_end end = TG_TAIL_UNREACHABLE;
    client->status = client->code = 0;
    client->retry_after_s = 0;
    client->why.text[0] = '\0';
    int rc = tg_tail_connect(client->url->host, client->url->port, deadline, client->unblocked,
                             &link.fd, &client->why);
    if (rc && *client->stop) end = TG_TAIL_STOPPED;
    if (!rc) rc = tg_tail_handshake_start(&handshake, &request, &link.out, &client->why);
    if (!rc) rc = shake_hands(&link, &handshake, deadline, &end);
    if (!rc) {
        tg_buf_add(&link.in, handshake.in.data, handshake.in.len);
        end = upgraded(&link);
    }
    tg_tail_handshake_fini(&handshake);
    if (link.ws) wslay_event_context_free(link.ws);
    tg_buf_fini(&link.in);
    tg_buf_fini(&link.out);
    if (link.fd >= 0) (void)close(link.fd);
    return end;
}
