/* The WebSocket stage: frames out, messages in, and the closing handshake of RFC 6455 §7. After our
 * Close frame nothing is sent; what still comes is only searched for the peer's. */
#include "base/err.h"
#include "base/text.h"
#include "net/connection_inner.h"

#include <string.h>

static struct tg_conn *conn_of(struct tg_receiver *receiver)
{
    return tg_of(receiver, struct tg_conn, receiver);
}

void tg_conn_open(struct tg_conn *conn, void *data)
{
    struct tg_server_counters *counters = conn->env->counters;
    conn->state = TG_CONN_OPEN;
    conn->data = data;
    conn->websocket = true;
    tg_wheel_stop(conn->env->wheel, &conn->timer);
    counters->open_http--;
    counters->open_ws++;
    counters->upgrades++;
}

/* Sends a Close frame that ends the conversation and tells the owner. */
static void say_goodbye(struct tg_conn *conn, int frame_code, int code)
{
    tg_conn_put(conn, tg_frame_close(frame_code, NULL));
    tg_conn_drain(conn);
    tg_conn_tell_closed(conn, code);
}

static void on_message(struct tg_receiver *receiver, bool text, const char *data, size_t len)
{
    struct tg_conn *conn = conn_of(receiver);
    if (conn->state != TG_CONN_OPEN) return;
    conn->env->handler.message(conn->env->ctx, conn, text, data, len);
}

static void on_ping(struct tg_receiver *receiver, const char *data, size_t len)
{
    struct tg_conn *conn = conn_of(receiver);
    if (conn->state != TG_CONN_OPEN) return;
    tg_conn_put(conn, tg_frame_control(TG_OPCODE_PONG, data, len));
    conn->env->handler.ping(conn->env->ctx, conn);
}

/* The answer repeats the peer's code (§5.5.1); 1005 stands for none and never travels. */
static void on_close(struct tg_receiver *receiver, int code)
{
    struct tg_conn *conn = conn_of(receiver);
    if (conn->state == TG_CONN_OPEN) {
        say_goodbye(conn, code == 1005 ? 0 : code, code);
    } else if (conn->state == TG_CONN_CLOSING) {
        tg_conn_drain(conn);
        tg_conn_tell_closed(conn, conn->code);
    }
}

struct tg_receiver_pool *tg_conn_pool_new(void)
{
    static const struct tg_receiver_events events = {
        .message = on_message, .ping = on_ping, .close = on_close};
    return tg_receiver_pool_new(&events);
}

void tg_conn_websocket_input(struct tg_conn *conn, const char *bytes, size_t len)
{
    int fault = tg_receiver_feed(&conn->receiver, bytes, len);
    if (!fault) return;
    if (conn->state == TG_CONN_OPEN) {
        say_goodbye(conn, fault, fault);
    } else if (conn->state == TG_CONN_CLOSING) {
        tg_conn_drain(conn);
        tg_conn_tell_closed(conn, conn->code);
    }
}

void tg_conn_send(struct tg_conn *conn, struct tg_blob *frame)
{
    if (conn->state != TG_CONN_OPEN || conn->failed) return;
    conn->env->counters->frames_out++;
    tg_conn_put(conn, tg_blob_ref(frame));
}

void tg_conn_close(struct tg_conn *conn, int code, const char *reason)
{
    tg_must(tg_close_code_valid(code));
    if (conn->state != TG_CONN_OPEN) return;
    tg_conn_put(conn, tg_frame_close(code, reason));
    conn->state = TG_CONN_CLOSING;
    conn->code = code;
    tg_conn_deadline(conn, conn->env->close_ms);
}

void tg_conn_cut(struct tg_conn *conn, int code, const char *reason)
{
    if (conn->state != TG_CONN_OPEN) return;
    tg_send_queue_cut(&conn->out);
    tg_conn_close(conn, code, reason);
}
