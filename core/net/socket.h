/* A socket: a connection's bytes over TCP, by libuv. */
#pragma once

#include "base/list.h"
#include "net/connection.h"
#include "net/hub.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct tg_socket {
    uv_tcp_t tcp;
    struct tg_hub *hub;
    struct tg_places *places;
    struct tg_list node;    /* in hub->sockets */
    struct tg_list changed; /* in hub->changed */
    uv_write_t *write;      /* the one write under way, or NULL */
    size_t writing;         /* its bytes */
    bool reading, shut, closing;
    bool surplus; /* counted as turned away, not as served */
    struct tg_conn conn;
};

/* Takes the next client off a listening stream into one of `places`. `listener` is its label; both
 * are borrowed for the socket's life. 0; -TG_ENOMEM or -TG_ELIMIT: the client was not taken and
 * still waits. */
int tg_socket_accept(struct tg_hub *hub, struct tg_places *places, uv_stream_t *stream,
                     const char *listener);

/* Does what the connection wants: write, read on or stop, end our half, close. */
void tg_socket_service(struct tg_socket *socket);

/* The connection's `changed`: it will be serviced before the loop waits. */
void tg_socket_changed(struct tg_conn *conn);
