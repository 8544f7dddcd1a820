/* Puts hub and listeners together and gives them one end: the memory goes when the last handle is
 * closed, whoever closed it. */
#include "net/server.h"

#include "net/hub.h"
#include "net/listener.h"

struct tg_server {
    struct tg_hub hub;
    struct tg_list listeners;
};

static void on_released(struct tg_hub *hub)
{
    struct tg_server *server = tg_of(hub, struct tg_server, hub);
    tg_listener_free_all(&server->listeners);
    tg_hub_fini(&server->hub);
    free(server);
}

struct tg_server *tg_server_new(const struct tg_server_options *options)
{
    tg_must(options->write_low < options->write_high);
    struct tg_server *server = calloc(1, sizeof *server);
    if (!server) return NULL;
    server->hub.env = (struct tg_conn_env){
        .clock = options->clock,
        .wheel = options->wheel,
        .handler = options->handler,
        .ctx = options->ctx,
        .head_bytes = options->head_bytes,
        .body_bytes = options->body_bytes,
        .message_bytes = options->message_bytes,
        .fragments = options->fragments,
        .handshake_ms = options->handshake_ms,
        .idle_ms = options->idle_ms,
        .close_ms = options->close_ms,
        .write_low = options->write_low,
        .write_high = options->write_high,
    };
    server->hub.places.bound = options->connections;
    server->hub.released = on_released;
    tg_list_init(&server->listeners);
    if (tg_hub_init(&server->hub, options->loop)) {
        free(server);
        return NULL;
    }
    return server;
}

int tg_server_listen(struct tg_server *server, const struct tg_listen_options *options,
                     int *port_out, struct tg_err *err)
{
    return tg_listener_open(&server->hub, &server->listeners, options, port_out, err);
}

void tg_server_stop_listening(struct tg_server *server)
{
    tg_listener_close_all(&server->listeners);
}

void tg_server_limits(struct tg_server *server, size_t message_bytes, int connections)
{
    server->hub.env.message_bytes = message_bytes;
    server->hub.places.bound = connections;
}

void tg_server_close(struct tg_server *server)
{
    if (server->hub.closing) return;
    tg_listener_close_all(&server->listeners);
    tg_hub_close(&server->hub);
}

const struct tg_server_counters *tg_server_counters(const struct tg_server *server)
{
    return &server->hub.counters;
}
