/* The server: listens, speaks HTTP/1.1 and WebSocket (RFC 6455), and hands over requests and
 * messages. */
#pragma once

#include "base/blob.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/wheel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct tg_server;
struct tg_conn;

/* A parsed request. Everything is borrowed for the time of the callback. */
struct tg_request {
    const char *method;
    const char *path;              /* percent-decoded, starts with '/' */
    const char *query;             /* raw, without '?', "" when there is none */
    const char *address;           /* the peer's IP address as text */
    const char *listener;          /* the listener's label */
    const char *bearer;            /* token of "Authorization: Bearer …", or NULL */
    const char *subprotocol_token; /* token of "bearer.…" in Sec-WebSocket-Protocol, or NULL */
    bool websocket;                /* a valid WebSocket handshake */
    bool upgrade;                  /* asked for an upgrade, valid or not */
    bool offers_tidegate;          /* Sec-WebSocket-Protocol offers tidegate.v1 */
    const char *body;
    size_t body_len;
    const struct tg_http_headers *headers;
};

/* The value of a request header (case-insensitive), or NULL. Repeated ones are joined with ", ". */
const char *tg_request_header(const struct tg_request *request, const char *name);

/* Percent-decodes the first query parameter of that name into `out`. The decoded length,
 * -TG_ENOTFOUND, or -TG_EINVAL (bad escape, NUL byte, or longer than size - 1). */
int tg_query_get(const char *query, const char *name, char *out, size_t size);

struct tg_answer {
    int status;
    const char *content_type; /* NULL: application/json */
    const char *body;
    size_t len;
    int retry_after_s; /* 0: no Retry-After */
    const char *allow; /* for 405; NULL */
    bool no_store;
    bool close; /* end the connection after the answer */
};

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
     */
    void (*closed)(void *ctx, struct tg_conn *conn, int code);
};

struct tg_server_options {
    uv_loop_t *loop;
    const struct tg_clock *clock;
    struct tg_wheel *wheel; /* the caller advances it */
    struct tg_handler handler;
    void *ctx;
    size_t head_bytes;    /* request line and headers; 8192, more: 431 */
    size_t body_bytes;    /* more: 413 */
    size_t message_bytes; /* one WebSocket message, all fragments; more: close 1009 */
    int fragments;        /* frames of one message; more: close 1008; 0 = unlimited */
    int handshake_ms;     /* from accept to a complete request; 10000 */
    int idle_ms;          /* keep-alive between requests */
    int close_ms;         /* from our Close frame to the end, whatever the peer does; 5000 */
    size_t write_low, write_high; /* bytes under way to the kernel, per connection */
    int connections;              /* of all listeners together; more: accepted and answered 503 */
};

/* The options are copied. NULL when memory is short. */
struct tg_server *tg_server_new(const struct tg_server_options *options);

struct tg_listen_options {
    const char *address;
    int port; /* 0: any free one */
    bool reuse_port;
    const char *label; /* "public", "admin" */
    int backlog;
};

/* Starts to listen; `*port_out` is the port it got. On failure `err` names address, port and
 * reason. */
int tg_server_listen(struct tg_server *server, const struct tg_listen_options *options,
                     int *port_out, struct tg_err *err);

/* Stops accepting; connections live on. */
void tg_server_stop_listening(struct tg_server *server);

/* Changes the bounds of connections to come. */
void tg_server_limits(struct tg_server *server, size_t message_bytes, int connections);

/* Ends everything at once; the memory is freed when the loop has closed the handles. `closed` is
 * called for each open WebSocket connection (code 1001). */
void tg_server_close(struct tg_server *server);

struct tg_server_counters {
    uint64_t accepted, refused_full, handshake_timeouts, requests, upgrades, bad_requests;
    uint64_t bytes_in, bytes_out, frames_out;
    uint32_t open_http, open_ws;
    uint64_t closes[5000]; /* by close code, as given to `closed` */
};
const struct tg_server_counters *tg_server_counters(const struct tg_server *server);

/* Answers the current request. Only inside `request`. */
void tg_conn_answer(struct tg_conn *conn, const struct tg_answer *answer);

/* Accepts the handshake; `data` is what tg_conn_data gives back. After this, messages may be sent
 * at once. Only inside `request`. */
void tg_conn_upgrade(struct tg_conn *conn, void *data);

void *tg_conn_data(const struct tg_conn *conn);
uint64_t tg_conn_id(const struct tg_conn *conn);
const char *tg_conn_address(const struct tg_conn *conn);

/* A framed message ready to be sent to any number of connections (server frames are not masked).
 * `binary` false = text. NULL when memory is short. */
struct tg_blob *tg_frame_new(bool binary, const char *payload, size_t len);

/* The payload inside such a frame. */
const char *tg_frame_payload(const struct tg_blob *frame, size_t *len);

/* Sends a frame; takes its own reference. Frames leave in order, all of one loop turn in one write.
 * Ignored when the connection is closing. */
void tg_conn_send(struct tg_conn *conn, struct tg_blob *frame);

/* Bytes that are queued and not yet taken by the kernel. */
size_t tg_conn_pending(const struct tg_conn *conn);

/* Whether tg_conn_pending is under the high mark. */
bool tg_conn_has_room(const struct tg_conn *conn);

/* Sends what is queued, then a Close frame (reason: at most 123 bytes of UTF-8), waits for the
 * peer's for close_ms, ends. Frames given before stand before it. `closed` follows with this code.
 */
void tg_conn_close(struct tg_conn *conn, int code, const char *reason);

/* Like tg_conn_close, but what is queued and not started is dropped: for clients too slow to wait
 * for. */
void tg_conn_cut(struct tg_conn *conn, int code, const char *reason);
