/* clang-format off */
/* A MetaTrader 5 Web API server for tests and demonstrations: REST and the raw protocol on one port,
 * over the market simulation or over accounts that a test writes. It reads only; nothing can be
 * traded. Started with
 *
 *     webapi_server [--port 0] [--control-port 0] [--manager 1000] [--password Password1]
 *                   [--accounts 0] [--seed 1] [--events-per-minute 6] [--zone-minutes 120]
 *                   [--tls-cert FILE --tls-key FILE] [--parent-death 0|1]
 *
 * it prints {"port":N,"control":N} and serves until SIGTERM or SIGINT (with --parent-death 1 also
 * until whoever started it has gone). Simulated accounts are the logins 5000001 ….
 *
 * Tests steer it on the control port: POST one JSON object or a list, `op` naming the operation;
 * GET tells what was seen. Numbers may be given as text (ids beyond 2^53 must be); fields bear their
 * names on the wire. A failed operation answers 400 and {"error"}.
 *
 *   account      {login, group, user:{…}, account:{…}, override:{…}, dormant, acted, refused,
 *                deals_late_ms}: makes or changes one; `refused` is a code, `override` is served as
 *                it stands
 *   group        {group, set:{Currency, MarginMode, CurrencyDigits, …}}
 *   open         {login, position:{…}, commission, fee, order, unrecorded} → ticket, order, deal
 *   modify       {login, ticket, set:{…}}
 *   close        {login, ticket, lots, price, profit, storage, commission, fee, reason, comment,
 *                unrecorded}: a part when `lots` says so
 *   reverse      {login, ticket, lots, price, profit, new_ticket, …}: netting, an INOUT deal
 *   close_by     {login, ticket, by}: two OUT_BY deals, the profit in the first
 *   balance      {login, amount, action, comment}: 2 balance, 3 credit, 6 bonus, …
 *   order        {login, order:{…}} → ticket
 *   order_modify {login, ticket, set:{…}}
 *   order_done   {login, ticket, state}: 2 cancelled, 4 filled (opens the position), 6 expired
 *   deal         {login, deal:{…}, moves_money: 0|1}: as it is given
 *   deal_delete  {login, ticket}
 *   manager      {login, password, refused}: `refused` is 1002, 1011, 1012, …
 *   time         {zone_minutes, daylight, daylight_state, from_ms}
 *   restart      {down_ms, mode: refused|closed|hung}: resets all connections; afterwards accounts
 *                without positions and orders are dormant until they act; with 0 ms it ends a longer one
 *   settings     {idle_ms, ping_ms, auth_window_ms, packet_bytes, error_status, freeze: 0|1,
 *                cookie: 0 none, 1 sent, 2 asked for, lower_members: 0|1,
 *                missing: omit|partial|refuse, omit:{position:["VolumeExt"], …}}
 *                → the limits in force
 *   random       {srv_rand, crypt_rand}: fixed, for published vectors
 *   fault        {command: "*", transport: rest|raw|"*", skip, count, fault:{kind, …}}: the kinds
 *                and their members are in fault.h
 *   clear        {}: forgets all faults
 *   reset_stats  {}
 */
/* clang-format on */
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "server.h"
#include "stats.h"
#include "tls.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TICK_MS 20
#define KEPT_BYTES (32 << 20) /* memory that is free and stays ours */

static void on_connection(uv_stream_t *listener, int status)
{
    struct mt_server *server = listener->data;
    if (!status) mt_conn_accept(server, listener, listener == (uv_stream_t *)&server->control);
}

int mt_server_listen(struct mt_server *server, uv_tcp_t *listener, int port, bool control)
{
    struct sockaddr_in address;
    int len = sizeof address;
    (void)control;
    tg_must(!uv_ip4_addr("127.0.0.1", port, &address) && !uv_tcp_init(&server->loop, listener));
    listener->data = server;
    if (uv_tcp_bind(listener, (const struct sockaddr *)&address, 0) ||
        uv_listen((uv_stream_t *)listener, 1024, on_connection) ||
        uv_tcp_getsockname(listener, (struct sockaddr *)&address, &len))
        return -TG_EIO;
    return ntohs(address.sin_port);
}

static void on_down(uv_handle_t *handle)
{
    struct mt_server *server = handle->data;
    server->listening = false;
}

static void come_back(uv_timer_t *timer)
{
    struct mt_server *server = timer->data;
    server->mode = MT_UP;
    if (server->listening || server->ending) return;
    server->listening = mt_server_listen(server, &server->listener, server->port, false) > 0;
    if (!server->listening) fprintf(stderr, "webapi_server: port %d is taken\n", server->port);
}

bool mt_server_restart(struct mt_server *server, int64_t down_ms, const char *mode)
{
    bool refused = strcmp(mode, "refused") == 0, closed = strcmp(mode, "closed") == 0;
    if (!refused && !closed && strcmp(mode, "hung") != 0) return false;
    mt_stats.restarts++;
    server->world.started_ms = tg_wall_ms(tg_clock_system());
    for (uint32_t i = 0; i < server->world.clients_count; i++)
        server->world.clients[i]->acted = false;
    tg_list_each(node, &server->conns)
    {
        struct mt_conn *conn = tg_of(node, struct mt_conn, node);
        if (!conn->control) mt_conn_reset(conn);
    }
    (void)uv_timer_stop(&server->rest);
    if (down_ms <= 0) {
        come_back(&server->rest);
        return true;
    }
    server->mode = refused ? MT_UP : closed ? MT_DOWN_CLOSED : MT_DOWN_HUNG;
    if (refused && server->listening) uv_close((uv_handle_t *)&server->listener, on_down);
    (void)uv_timer_start(&server->rest, come_back, (uint64_t)down_ms, 0);
    return true;
}

static void on_tick(uv_timer_t *timer)
{
    struct mt_server *server = timer->data;
    int64_t mono_ms = tg_mono_ms(tg_clock_system());
    tg_list_each(node, &server->conns) mt_conn_tick(tg_of(node, struct mt_conn, node), mono_ms);
}

void mt_server_end(struct mt_server *server)
{
    if (server->ending) return;
    server->ending = true;
    tg_list_each(node, &server->conns) mt_conn_close(tg_of(node, struct mt_conn, node));
    if (server->listening && !uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, NULL);
    uv_close((uv_handle_t *)&server->control, NULL);
    uv_close((uv_handle_t *)&server->tick, NULL);
    uv_close((uv_handle_t *)&server->rest, NULL);
    uv_close((uv_handle_t *)&server->term, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    mt_server_end(handle->data);
}

/* What was asked for on the command line, for the names below alone. */
static const char *const names[] = {
    "--port",         "--control-port",      "--manager",  "--password", "--accounts",     "--seed",
    "--zone-minutes", "--events-per-minute", "--tls-cert", "--tls-key",  "--parent-death", NULL};

static void check_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        int at = 0;
        while (names[at] && strcmp(names[at], argv[i]) != 0)
            at++;
        if (names[at] && i + 1 < argc) continue;
        const char *near = names[at] ? NULL : tg_nearest(argv[i], names);
        fprintf(stderr, "webapi_server: %s %s%s%s\n", argv[i],
                names[at] ? "needs a value" : "is no option", near ? "; meant: " : "",
                near ? near : "");
        exit(2);
    }
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    const char *value = otherwise;
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0) value = argv[i + 1];
    return value;
}

static int64_t number(int argc, char **argv, const char *name, int64_t otherwise)
{
    const char *text = option(argc, argv, name, NULL);
    if (!text || !tg_read_i64(text, strlen(text), &otherwise)) return otherwise;
    fprintf(stderr, "webapi_server: %s must be a whole number, not \"%s\"\n", name, text);
    exit(2);
}

static void furnish(struct mt_server *server, int argc, char **argv)
{
    struct tg_err err = {{0}};
    const char *rate = option(argc, argv, "--events-per-minute", "6");
    const char *cert = option(argc, argv, "--tls-cert", NULL);
    const char *key = option(argc, argv, "--tls-key", NULL);
    mt_world_init(&server->world, (uint64_t)number(argc, argv, "--seed", 1), strtod(rate, NULL),
                  tg_wall_ms(tg_clock_system()));
    mt_time_set(&server->world.time, 0, (int32_t)number(argc, argv, "--zone-minutes", 120), 1, 0);
    server->world.time.changes[0] = server->world.time.changes[1];
    server->world.time.changes[0].from = 0;
    server->world.time.count = 1;
    mt_world_add_manager(&server->world, (uint64_t)number(argc, argv, "--manager", 1000),
                         option(argc, argv, "--password", "Password1"));
    mt_world_simulate(&server->world, (uint32_t)number(argc, argv, "--accounts", 0));
    server->idle_ms = 180000;
    server->ping_ms = 20000;
    server->packet_most = 65534;
    server->error_status = 200;
    server->cookie = 1;
    if (!cert) return;
    server->tls = mt_tls_context(cert, key ? key : cert, &err);
    if (server->tls) return;
    fprintf(stderr, "webapi_server: %s\n", err.text);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct mt_server server;
    check_arguments(argc, argv);
    /* Answers are megabytes: memory that goes back to the kernel after each comes back as pages
     * that fault one by one. */
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    tg_list_init(&server.conns);
    tg_must(!uv_loop_init(&server.loop));
    (void)signal(SIGPIPE, SIG_IGN);
    if (number(argc, argv, "--parent-death", 0)) (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    furnish(&server, argc, argv);
    server.port =
        mt_server_listen(&server, &server.listener, (int)number(argc, argv, "--port", 0), false);
    server.control_port = mt_server_listen(&server, &server.control,
                                           (int)number(argc, argv, "--control-port", 0), true);
    if (server.port < 0 || server.control_port < 0) {
        fprintf(stderr, "webapi_server: a port is taken\n");
        return 3;
    }
    server.listening = true;
    server.tick.data = server.rest.data = server.term.data = server.interrupt.data = &server;
    tg_must(!uv_timer_init(&server.loop, &server.tick));
    tg_must(!uv_timer_init(&server.loop, &server.rest));
    tg_must(!uv_timer_start(&server.tick, on_tick, TICK_MS, TICK_MS));
    tg_must(!uv_signal_init(&server.loop, &server.term));
    tg_must(!uv_signal_init(&server.loop, &server.interrupt));
    tg_must(!uv_signal_start(&server.term, on_signal, SIGTERM));
    tg_must(!uv_signal_start(&server.interrupt, on_signal, SIGINT));
    printf("{\"port\":%d,\"control\":%d}\n", server.port, server.control_port);
    fflush(stdout);
    uv_run(&server.loop, UV_RUN_DEFAULT);
    mt_fault_clear();
    mt_world_fini(&server.world);
    SSL_CTX_free(server.tls);
    tg_must(!uv_loop_close(&server.loop));
    return 0;
}
