/* The server as a whole: its ports, its world and how it behaves. */
#pragma once

#include "conn.h"
#include "world.h"

struct mt_server {
    uv_loop_t loop;
    uv_tcp_t listener, control;
    uv_timer_t tick, rest; /* `rest` ends a time during which the server is down */
    uv_signal_t term, interrupt;
    bool listening, ending;
    enum { MT_UP, MT_DOWN_CLOSED, MT_DOWN_HUNG } mode; /* what happens to those who connect */
    int port, control_port;
    SSL_CTX *tls;
    struct mt_world world;
    struct tg_list conns;
    int64_t idle_ms, ping_ms;
    size_t packet_most; /* bytes of one packet's body */
    int error_status;   /* HTTP status of codes other than 0; 200 */
    int cookie; /* of REST: 0 none, 1 sent by the authentication, 2 also asked for afterwards */
};

/* Opens a port of the loopback; 0: any. The port, or < 0. */
int mt_server_listen(struct mt_server *server, uv_tcp_t *listener, int port, bool control);

/* Closes all clients with a reset, as a server that restarts does; stays away for some time:
 * "refused" (nobody listens), "closed" (accepted and closed), "hung" (accepted, never answered).
 * False: no such mode. */
bool mt_server_restart(struct mt_server *server, int64_t down_ms, const char *mode);

/* Ends everything. */
void mt_server_end(struct mt_server *server);
