/* A connection: one client from accept to end, HTTP first and WebSocket after an upgrade. It does
 * no I/O: it takes bytes and the time, and says what is to be written and done. */
#pragma once

#include "base/clock.h"
#include "base/wheel.h"
#include "net/handler.h"
#include "net/http_head.h"
#include "net/receiver.h"
#include "net/send_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tg_conn_state {
    TG_CONN_HTTP,    /* takes requests */
    TG_CONN_OPEN,    /* WebSocket, both ways */
    TG_CONN_CLOSING, /* our Close frame is queued, the peer's is awaited */
    TG_CONN_DRAIN,   /* nothing more to say: flush, end our half, let the peer end its */
    TG_CONN_ENDED,   /* over: the socket is to be closed */
};

#define TG_ADDRESS_SIZE 46

/* What all connections of a server have in common. Owned by the server; outlives them. */
struct tg_conn_env {
    const struct tg_clock *clock;
    struct tg_wheel *wheel;
    struct tg_handler handler;
    void *ctx;
    size_t head_bytes, body_bytes, message_bytes;
    int fragments, handshake_ms, idle_ms, close_ms;
    size_t write_low, write_high;
    struct tg_receiver_pool *pool;
    struct tg_server_counters *counters;
    /* There is something to write or to do: look at the connection before the loop waits. */
    void (*changed)(struct tg_conn *conn);
};

struct tg_conn_http; /* what a connection needs only until it is a WebSocket */

struct tg_conn {
    const struct tg_conn_env *env;
    struct tg_conn_http *http;
    void *data;
    uint64_t id;
    const char *listener;
    struct tg_receiver receiver;
    struct tg_send_queue out;
    struct tg_timer timer;
    int code;       /* the close code we sent, while CLOSING */
    uint8_t state;  /* enum tg_conn_state */
    bool websocket; /* upgraded, and `closed` not yet called */
    bool eof;       /* the peer has ended its half */
    bool full;      /* reached the high mark and not yet the low one */
    bool failed;    /* out of memory: to be dropped */
    char address[TG_ADDRESS_SIZE];
};

/* Starts in TG_CONN_HTTP with the handshake deadline running. `listener` is borrowed. 0 or
 * -TG_ENOMEM. */
int tg_conn_init(struct tg_conn *conn, const struct tg_conn_env *env, uint64_t id,
                 const char *address, const char *listener);

/* Frees everything; not from inside a callback of this connection. */
void tg_conn_fini(struct tg_conn *conn);

/* The client is one too many: answers 503 and drains, whatever it sends. */
void tg_conn_turn_away(struct tg_conn *conn);

/* Bytes came; the peer ended its half; the connection broke. */
void tg_conn_input(struct tg_conn *conn, const char *bytes, size_t len);
void tg_conn_eof(struct tg_conn *conn);
void tg_conn_lost(struct tg_conn *conn);

/* `n` bytes of conn->out were taken by the kernel. */
void tg_conn_gone(struct tg_conn *conn, size_t n);

/* Ends at once; `closed` is called with this code when it was a WebSocket. */
void tg_conn_abort(struct tg_conn *conn, int code);

/* What the socket is to do: read on; end our half (all is written); close. */
bool tg_conn_wants_input(const struct tg_conn *conn);
bool tg_conn_wants_shutdown(const struct tg_conn *conn);
bool tg_conn_is_over(const struct tg_conn *conn);

/* The receivers of a server's connections need this pool. NULL when memory is short. */
struct tg_receiver_pool *tg_conn_pool_new(void);
