/* The echo server: the product's own listener, HTTP and WebSocket code with an echo behind it, so
 * that a standard WebSocket suite can judge it.
 *
 *     echo_server [--port N] [--max-message BYTES] [--connections N] [--address IP] [--reuse-port
 * 0|1]
 *
 * Prints the port on stdout and {"event":"listening","port":N} on stderr. Ends on SIGTERM and
 * SIGINT. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "base/wheel.h"
#include "net/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS 100

struct echo {
    struct tg_server *server;
    struct tg_wheel wheel;
    uv_timer_t tick;
    uv_signal_t term, interrupt;
};

static void on_request(void *ctx, struct tg_conn *conn, const struct tg_request *request)
{
    (void)ctx;
    if (request->websocket) {
        tg_conn_upgrade(conn, NULL);
        return;
    }
    static const char body[] = "{\"error\":\"this server speaks WebSocket\"}";
    struct tg_answer answer = {
        .status = request->handshake_status, .body = body, .len = sizeof body - 1};
    tg_conn_answer(conn, &answer);
}

static void on_message(void *ctx, struct tg_conn *conn, bool text, const char *data, size_t len)
{
    (void)ctx;
    struct tg_blob *frame = tg_frame_new(!text, data, len);
    if (!frame) {
        tg_conn_cut(conn, 1011, "out of memory");
        return;
    }
    tg_conn_send(conn, frame);
    tg_blob_unref(frame);
}

static void on_ping(void *ctx, struct tg_conn *conn)
{
    (void)ctx, (void)conn;
}

static void on_writable(void *ctx, struct tg_conn *conn)
{
    (void)ctx, (void)conn;
}

static void on_closed(void *ctx, struct tg_conn *conn, int code)
{
    (void)ctx, (void)conn, (void)code;
}

static void on_tick(uv_timer_t *timer)
{
    struct echo *echo = timer->data;
    tg_wheel_advance(&echo->wheel, tg_mono_ms(tg_clock_system()));
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct echo *echo = handle->data;
    (void)signal;
    if (uv_is_closing((uv_handle_t *)&echo->tick)) return;
    tg_server_close(echo->server);
    uv_close((uv_handle_t *)&echo->tick, NULL);
    uv_close((uv_handle_t *)&echo->term, NULL);
    uv_close((uv_handle_t *)&echo->interrupt, NULL);
}

/* The value of "--name value", or NULL; exits with 2 when the arguments are no such pairs. */
static const char *text_option(int argc, char **argv, const char *name)
{
    const char *value = NULL;
    for (int i = 1; i < argc; i += 2) {
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc) exit(2);
        if (strcmp(argv[i], name) == 0) value = argv[i + 1];
    }
    return value;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t value)
{
    const char *text = text_option(argc, argv, name);
    if (text && tg_read_u64(text, strlen(text), &value)) exit(2);
    return value;
}

int main(int argc, char **argv)
{
    static struct echo echo;
    static uv_loop_t loop;
    struct tg_err err = {{0}};
    int port = (int)option(argc, argv, "--port", 0);
    size_t max_message = option(argc, argv, "--max-message", 64 << 20);
    size_t connections = option(argc, argv, "--connections", 1000);
    tg_must(!uv_loop_init(&loop));
    tg_wheel_init(&echo.wheel, TICK_MS, tg_mono_ms(tg_clock_system()));
    echo.server = tg_server_new(&(struct tg_server_options){
        .loop = &loop,
        .clock = tg_clock_system(),
        .wheel = &echo.wheel,
        .handler = {on_request, on_message, on_ping, on_writable, on_closed},
        .ctx = &echo,
        .head_bytes = 8192,
        .body_bytes = 65536,
        .message_bytes = max_message,
        .fragments = 0,
        .handshake_ms = 10000,
        .idle_ms = 60000,
        .close_ms = 5000,
        .write_low = 64 << 10,
        .write_high = 1 << 20,
        .connections = (int)connections,
    });
    tg_must(echo.server);
    const char *address = text_option(argc, argv, "--address");
    struct tg_listen_options listen = {
        .address = address ? address : "127.0.0.1",
        .port = port,
        .reuse_port = option(argc, argv, "--reuse-port", 0) != 0,
        .label = "echo",
    };
    if (tg_server_listen(echo.server, &listen, &port, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 3;
    }
    echo.tick.data = echo.term.data = echo.interrupt.data = &echo;
    tg_must(!uv_timer_init(&loop, &echo.tick));
    tg_must(!uv_timer_start(&echo.tick, on_tick, TICK_MS, TICK_MS));
    tg_must(!uv_signal_init(&loop, &echo.term) && !uv_signal_init(&loop, &echo.interrupt));
    tg_must(!uv_signal_start(&echo.term, on_signal, SIGTERM));
    tg_must(!uv_signal_start(&echo.interrupt, on_signal, SIGINT));
    printf("%d\n", port);
    fflush(stdout);
    fprintf(stderr, "{\"event\":\"listening\",\"port\":%d}\n", port);
    uv_run(&loop, UV_RUN_DEFAULT);
    tg_must(!uv_loop_close(&loop));
    return 0;
}
