/* The state machine of one client:
 *
 *     HTTP ──► OPEN ──► CLOSING ──► DRAIN ──► ENDED
 *       └────────┴─────────────────►┘ ▲ (a lost connection goes straight to ENDED)
 *
 * Nothing is written here; bytes are queued, `changed` is called, and the socket looks at the
 * connection before the loop waits. That is what puts all frames of a turn into one write, and what
 * makes every tg_conn_* function safe inside every callback: none of them ends or frees anything.
 *
 * DRAIN exists because closing a socket with unread input makes the kernel send a reset, which can
 * destroy the answer or the Close frame on its way (RFC 9112 §9.6): so our half is ended, what
 * comes is thrown away, and the peer has close_ms to end its half. */
#include "net/connection.h"

#include "base/err.h"
#include "base/text.h"
#include "net/connection_inner.h"

#include <string.h>

static void on_timer(struct tg_timer *timer, int64_t now_ms);

int tg_conn_init(struct tg_conn *conn, const struct tg_conn_env *env, uint64_t id,
                 const char *address, const char *listener)
{
    struct tg_conn_http *http = tg_conn_http_new(env);
    if (!http) return -TG_ENOMEM;
    *conn = (struct tg_conn){.env = env, .http = http, .id = id, .listener = listener};
    tg_copy(conn->address, sizeof conn->address, address, strlen(address));
    tg_send_queue_init(&conn->out);
    tg_receiver_init(&conn->receiver, env->pool, env->message_bytes, env->fragments);
    tg_timer_init(&conn->timer, on_timer);
    tg_conn_deadline(conn, env->handshake_ms);
    env->counters->open_http++;
    return 0;
}

void tg_conn_fini(struct tg_conn *conn)
{
    tg_wheel_stop(conn->env->wheel, &conn->timer);
    tg_receiver_fini(&conn->receiver);
    tg_send_queue_fini(&conn->out);
    tg_conn_http_free(conn->http);
    conn->http = NULL;
}

void tg_conn_deadline(struct tg_conn *conn, int ms)
{
    tg_wheel_set(conn->env->wheel, &conn->timer, tg_mono_ms(conn->env->clock) + ms);
}

/* Leaves HTTP or OPEN for one of the ending states. */
static void leave(struct tg_conn *conn, enum tg_conn_state state)
{
    if (conn->state == TG_CONN_HTTP) conn->env->counters->open_http--;
    conn->state = (uint8_t)state;
    if (state == TG_CONN_DRAIN || state == TG_CONN_ENDED) tg_receiver_stop(&conn->receiver);
    if (state == TG_CONN_ENDED) tg_wheel_stop(conn->env->wheel, &conn->timer);
    conn->env->changed(conn);
}

void tg_conn_drain(struct tg_conn *conn)
{
    if (conn->state >= TG_CONN_DRAIN) return;
    if (conn->state != TG_CONN_CLOSING) tg_conn_deadline(conn, conn->env->close_ms);
    leave(conn, TG_CONN_DRAIN);
}

/* Last in every function that calls it: the handler may do anything, even end the server. */
void tg_conn_tell_closed(struct tg_conn *conn, int code)
{
    const struct tg_conn_env *env = conn->env;
    if (!conn->websocket) return;
    conn->websocket = false;
    env->counters->open_ws--;
    if (code >= 0 && code < TG_CLOSE_CODES) env->counters->closes[code]++;
    env->handler.closed(env->ctx, conn, code);
}

void tg_conn_abort(struct tg_conn *conn, int code)
{
    if (conn->state == TG_CONN_ENDED) return;
    leave(conn, TG_CONN_ENDED);
    tg_conn_tell_closed(conn, code);
}

void tg_conn_lost(struct tg_conn *conn)
{
    tg_conn_abort(conn, conn->state == TG_CONN_CLOSING ? conn->code : 1006);
}

void tg_conn_eof(struct tg_conn *conn)
{
    conn->eof = true;
    if (conn->state == TG_CONN_OPEN || conn->state == TG_CONN_CLOSING) {
        tg_conn_lost(conn);
        return;
    }
    tg_conn_drain(conn);
    conn->env->changed(conn);
}

void tg_conn_input(struct tg_conn *conn, const char *bytes, size_t len)
{
    conn->env->counters->bytes_in += len;
    if (conn->state == TG_CONN_HTTP)
        tg_conn_http_input(conn, bytes, len);
    else if (conn->state == TG_CONN_OPEN || conn->state == TG_CONN_CLOSING)
        tg_conn_websocket_input(conn, bytes, len);
}

void tg_conn_put(struct tg_conn *conn, struct tg_blob *blob)
{
    if (!blob || tg_send_queue_put(&conn->out, blob)) conn->failed = true;
    tg_blob_unref(blob);
    if (conn->out.bytes >= conn->env->write_high) conn->full = true;
    conn->env->changed(conn);
}

void tg_conn_gone(struct tg_conn *conn, size_t n)
{
    const struct tg_conn_env *env = conn->env;
    tg_send_queue_gone(&conn->out, n);
    env->counters->bytes_out += n;
    if (!conn->full || conn->out.bytes > env->write_low) return;
    conn->full = false;
    if (conn->state == TG_CONN_OPEN)
        env->handler.writable(env->ctx, conn);
    else if (conn->state == TG_CONN_HTTP)
        tg_conn_http_resume(conn);
}

static void on_timer(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_conn *conn = tg_of(timer, struct tg_conn, timer);
    (void)now_ms;
    if (conn->state == TG_CONN_HTTP)
        tg_conn_http_timeout(conn);
    else
        tg_conn_lost(conn);
}

/* A client that does not read is not read either: Pongs and answers pile up only to the high mark.
 * Input is always taken when it will be thrown away or when the peer's Close frame is awaited. */
bool tg_conn_wants_input(const struct tg_conn *conn)
{
    if (conn->eof || conn->state == TG_CONN_ENDED) return false;
    return conn->state >= TG_CONN_CLOSING || !conn->full;
}

bool tg_conn_wants_shutdown(const struct tg_conn *conn)
{
    return conn->state == TG_CONN_DRAIN && !conn->out.bytes;
}

bool tg_conn_is_over(const struct tg_conn *conn)
{
    return conn->state == TG_CONN_ENDED || (tg_conn_wants_shutdown(conn) && conn->eof);
}

void *tg_conn_data(const struct tg_conn *conn)
{
    return conn->data;
}

uint64_t tg_conn_id(const struct tg_conn *conn)
{
    return conn->id;
}

const char *tg_conn_address(const struct tg_conn *conn)
{
    return conn->address;
}

size_t tg_conn_pending(const struct tg_conn *conn)
{
    return conn->out.bytes;
}

bool tg_conn_has_room(const struct tg_conn *conn)
{
    return conn->out.bytes < conn->env->write_high;
}
