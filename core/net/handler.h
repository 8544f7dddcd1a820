/* The handler: what the owner of a server is told, and what it may do with a connection. */
#pragma once

#include "base/blob.h"
#include "net/frame.h"
#include "net/http_answer.h"
#include "net/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_conn;

struct tg_handler {
    /* A complete request. Answer it now with tg_conn_answer, or with tg_conn_upgrade when it is a
     * valid WebSocket handshake. A request left unanswered gets 404. */
    void (*request)(void *ctx, struct tg_conn *conn, const struct tg_request *request);
    /* Complete data messages; text is valid UTF-8. */
    void (*message)(void *ctx, struct tg_conn *conn, bool text, const char *data, size_t len);
    void (*ping)(void *ctx, struct tg_conn *conn); /* a Ping frame came; the Pong is on its way */
    /* What was given to tg_conn_send is down to the low mark: there is room again. */
    void (*writable)(void *ctx, struct tg_conn *conn);
    /* The WebSocket connection is gone; called once, with the close code that describes the end
     * (1006: without a Close frame). `conn` is dead when it returns. Never called for plain HTTP.
     * Never called from inside a tg_conn_* function; tg_server_close calls it. */
    void (*closed)(void *ctx, struct tg_conn *conn, int code);
};

#define TG_CLOSE_CODES 5000

struct tg_server_counters {
    uint64_t accepted, refused_full, handshake_timeouts, requests, upgrades, bad_requests;
    uint64_t bytes_in, bytes_out, frames_out;
    uint32_t open_http, open_ws;
    uint64_t closes[TG_CLOSE_CODES]; /* by close code, as given to `closed` */
};

/* Answers the current request. Only inside `request`, once. */
void tg_conn_answer(struct tg_conn *conn, const struct tg_answer *answer);

/* Accepts the handshake; `data` is what tg_conn_data gives back. After this, messages may be sent
 * at once. Only inside `request`, once, and only when `request->websocket`. */
void tg_conn_upgrade(struct tg_conn *conn, void *data);

void *tg_conn_data(const struct tg_conn *conn);
uint64_t tg_conn_id(const struct tg_conn *conn);
const char *tg_conn_address(const struct tg_conn *conn);

/* Sends a frame; takes its own reference. Frames leave in order, all of one loop turn in one write.
 * Ignored when the connection is closing. */
void tg_conn_send(struct tg_conn *conn, struct tg_blob *frame);

/* Bytes that are queued and not yet taken by the kernel. */
size_t tg_conn_pending(const struct tg_conn *conn);

/* Whether tg_conn_pending is under the high mark. */
bool tg_conn_has_room(const struct tg_conn *conn);

/* Sends what is queued, then a Close frame (a valid code; reason: at most 123 bytes of UTF-8, NULL
 * = none), waits for the peer's for close_ms, ends. Frames given before stand before it. `closed`
 * follows with this code. Ignored when the connection is closing already. */
void tg_conn_close(struct tg_conn *conn, int code, const char *reason);

/* Like tg_conn_close, but what is queued and not started is dropped: for clients too slow to wait
 * for. Ignored when the connection is closing already. */
void tg_conn_cut(struct tg_conn *conn, int code, const char *reason);
