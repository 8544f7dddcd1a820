/* A connection: bytes from a client, whatever it speaks, and the answers back, on time or late,
 * whole or in pieces. */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "command.h"

#include <openssl/ssl.h>
#include <uv.h>

struct mt_conn;
struct mt_server;

/* What a client may speak. */
struct mt_protocol {
    const char *name;
    /* Takes one request off the front of `conn->in` and carries it out. False: more is needed. */
    bool (*take)(struct mt_conn *conn);
    /* Appends an answer, framed, to `out`; may let it flow meanwhile. `fault` may be NULL. */
    void (*frame)(struct mt_conn *conn, struct mt_answer *answer, const struct mt_fault *fault,
                  struct tg_buf *out);
    void (*tick)(struct mt_conn *conn, int64_t mono_ms); /* may be NULL */
    void (*fini)(struct mt_conn *conn);
};

struct mt_conn {
    struct tg_list node;
    struct mt_server *server;
    uv_tcp_t tcp;
    uv_timer_t pause;
    bool control; /* came by the control port */
    bool taking;  /* inside `take` */
    bool busy;    /* an answer is under way: later requests wait */
    bool closing;
    bool mute;                          /* never answers */
    SSL *ssl;                           /* NULL: no TLS, or not yet known */
    const struct mt_protocol *protocol; /* NULL: not yet known */
    void *own;                          /* the protocol's */
    struct mt_session session;
    struct tg_buf in;
    struct tg_buf held; /* what is still to be sent after a pause */
    struct tg_buf json; /* memory for documents, kept from one answer to the next */
    bool flows;         /* of the answer that is framed, what is ready may leave */
    size_t piece;       /* sent at a time; 0: all */
    uint64_t piece_ms;
    bool close_after, reset_after;
    int64_t heard_ms; /* monotonic */
};

/* Accepts a connection that waits at a listener. */
void mt_conn_accept(struct mt_server *server, uv_stream_t *listener, bool control);

/* Carries a request out and answers it, or does what a fault says. */
void mt_conn_execute(struct mt_conn *conn, const struct mt_request *request);

/* Sends bytes as they are. The buffer is emptied. */
void mt_conn_send(struct mt_conn *conn, struct tg_buf *bytes);

/* Sends what is ready of an answer while the rest is made, when it is worth a call and no fault
 * needs the answer as a whole. What was sent is gone from the buffer. */
void mt_conn_flow(struct mt_conn *conn, struct tg_buf *out);

/* Ends a connection at once, or when all that was sent has left; with a reset. */
void mt_conn_close(struct mt_conn *conn);
void mt_conn_finish(struct mt_conn *conn);
void mt_conn_reset(struct mt_conn *conn);

/* Looks after time: idleness and pings. */
void mt_conn_tick(struct mt_conn *conn, int64_t mono_ms);

extern const struct mt_protocol mt_rest, mt_raw, mt_control;
