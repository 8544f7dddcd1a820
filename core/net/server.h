/* The server: listens, speaks HTTP/1.1 and WebSocket (RFC 6455), and hands over requests and
 * messages. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/wheel.h"
#include "net/handler.h"
#include "net/http_target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct tg_server;

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
    int connections; /* of the listeners without a bound of their own; more: accepted and answered
                      * 503 */
};

/* The options are copied. NULL when memory is short. */
struct tg_server *tg_server_new(const struct tg_server_options *options);

struct tg_listen_options {
    const char *address;
    int port; /* 0: any free one */
    bool reuse_port;
    const char *label; /* "public", "admin" */
    int backlog;
    /* A bound of its own, outside of the server's; its clients may take the descriptors that are
     * kept from others. 0: the server's bound. */
    int connections;
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

const struct tg_server_counters *tg_server_counters(const struct tg_server *server);
