/* The one file that knows every module. It makes them in order, ties them with a few function
 * pointers, runs the loop, and takes them apart in the opposite order. Nothing here decides
 * anything about accounts or clients. */
#include "app/gateway.h"

#include "app/drain.h"
#include "app/gateway_inner.h"
#include "app/setup.h"
#include "app/source_open.h"
#include "base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define FINE_TICK_MS 10
#define TICK_MS 100

void tg_gateway_fault(struct tg_gateway *gateway, const char *text)
{
    (void)snprintf(gateway->last_error, sizeof gateway->last_error, "%s", text);
    gateway->last_error_wall_ms = tg_wall_ms(gateway->clock);
}

void tg_gateway_names(struct tg_gateway *gateway)
{
    const struct tg_envelope *names = tg_script_envelope(gateway->script);
    gateway->names = (struct tg_channel_names){names->type, names->seq, names->rev,
                                               names->timestamp, names->payload};
}

static void on_tick(uv_timer_t *timer)
{
    struct tg_gateway *gateway = timer->data;
    int64_t now = tg_mono_ms(gateway->clock);
    tg_wheel_advance(&gateway->beat, now);
    tg_wheel_advance(&gateway->wheel, now);
    if (gateway->draining) tg_drain_step(gateway, now);
}

/* Once a second: owners may have changed, and rules may wait for polls that do not come. */
static void on_slow(uv_timer_t *timer)
{
    struct tg_gateway *gateway = timer->data;
    struct tg_err err = {0};
    if (!gateway->ready) return;
    int rc = tg_auth_refresh(gateway->auth, &err);
    if (rc == 1) {
        tg_audit("auth", "owners_reloaded");
        tg_client_recheck_all(gateway);
    } else if (rc < 0) {
        tg_gateway_fault(gateway, err.text);
        tg_warn("auth", "owners_refused", tg_s("reason", err.text));
    }
    rc = tg_router_refresh(gateway->router, &err);
    if (rc == 1) {
        tg_audit("source", "routes_reloaded");
        tg_scheduler_reroute(gateway->scheduler);
    } else if (rc < 0) {
        tg_gateway_fault(gateway, err.text);
        tg_warn("source", "routes_refused", tg_s("reason", err.text));
    }
    tg_events_due(gateway);
    tg_judge_rules(gateway);
}

static void on_check(uv_check_t *handle)
{
    tg_events_flush(handle->data);
}

static void on_prepare(uv_prepare_t *handle)
{
    tg_events_flush(handle->data);
}

static void on_sighup(uv_signal_t *handle, int signum)
{
    struct tg_gateway *gateway = handle->data;
    struct tg_config *fresh = NULL;
    struct tg_err err = {0};
    (void)signum;
    int rc = gateway->config_path ? tg_config_load(gateway->config_path, &fresh, &err) : 0;
    if (fresh && !rc) rc = tg_reload_hooks_check(gateway, fresh, &err);
    if (fresh && !rc) rc = tg_setup_auth_again(fresh, gateway->auth, &err);
    if (rc) {
        tg_gateway_fault(gateway, err.text);
        tg_audit("config", "reload_refused", tg_s("reason", err.text));
    } else if (fresh) {
        tg_server_limits(gateway->server, (size_t)fresh->limits.message_bytes,
                         fresh->limits.connections);
        if (tg_script_settings(gateway->script, fresh->rules.options))
            tg_gateway_fault(gateway, "out of memory for rules.options: the old ones stay");
        tg_reload_hooks(gateway, fresh);
        tg_audit("config", "reloaded", tg_s("file", gateway->config_path));
        tg_client_recheck_all(gateway);
    }
    tg_config_free(fresh);
    tg_signalled_rules(gateway);
}

static void on_terminate(uv_signal_t *handle, int signum)
{
    tg_drain_begin(handle->data, signum == SIGINT ? "SIGINT" : "SIGTERM");
}

static int open_script(struct tg_gateway *gateway, struct tg_err *err)
{
    struct tg_script_options options = tg_setup_script(gateway->config, &gateway->turn.clock);
    options.live = tg_events_live;
    options.emit = tg_events_emit;
    options.ctx = gateway;
    gateway->script = tg_script_new(&options);
    if (!gateway->script) return tg_fail(err, TG_ENOMEM, "no memory for the rules");
    int rc = tg_script_load(gateway->script, err);
    if (rc) return rc;
    tg_gateway_names(gateway);
    struct tg_err why = {0};
    if (gateway->config->rules.candidate_count && tg_candidate_begin(gateway, &why)) {
        /* It is only looked at: clients must not wait for it to be repaired. */
        tg_gateway_fault(gateway, why.text);
        tg_audit("rules", "candidate_refused", tg_s("cause", "start"), tg_s("reason", why.text));
    }
    return 0;
}

static int on_route(void *ctx, const char *account_id, struct tg_routing **out, struct tg_err *err)
{
    struct tg_gateway *gateway = ctx;
    return tg_router_find(gateway->router, account_id, out, err);
}

static int open_scheduler(struct tg_gateway *gateway, struct tg_err *err)
{
    static const struct tg_scheduler_host host = {tg_events_applied,  tg_events_fresh,
                                                  tg_events_status,   tg_events_unknown,
                                                  tg_events_replaced, tg_events_ended};
    const struct tg_config *config = gateway->config;
    struct tg_scheduler_options options = {
        .clock = gateway->clock,
        .wheel = &gateway->beat,
        .store = gateway->store,
        .upstreams = gateway->upstreams,
        .upstreams_count = config->sources_count,
        .upstream_default = tg_config_default_source(config),
        .route = tg_router_decides(gateway->router) ? on_route : NULL,
        .maximum = (uint32_t)config->accounts.maximum,
        .host = &host,
        .ctx = gateway,
    };
    gateway->scheduler = tg_scheduler_new(&options);
    if (!gateway->scheduler) return tg_fail(err, TG_ENOMEM, "no memory for the scheduler");
    for (int i = 0; i < config->accounts.always_count; i++) {
        const char *id = config->accounts.always[i];
        int rc = tg_scheduler_always(gateway->scheduler, id);
        if (rc) return tg_fail(err, -rc, "accounts.always: %s: %s", id, tg_strerror(rc));
    }
    return 0;
}

static int open_server(struct tg_gateway *gateway, struct tg_err *err)
{
    const struct tg_config *config = gateway->config;
    struct tg_server_options options = {
        .loop = &gateway->loop,
        .clock = gateway->clock,
        .wheel = &gateway->wheel,
        .handler = {tg_routes_request, tg_client_message, tg_client_ping, tg_client_writable,
                    tg_client_closed},
        .ctx = gateway,
        .head_bytes = (size_t)config->limits.head_bytes,
        .body_bytes = 4096,
        .message_bytes = (size_t)config->limits.message_bytes,
        .fragments = config->limits.fragments,
        .handshake_ms = config->limits.handshake_seconds * 1000,
        .idle_ms = config->limits.idle_seconds * 1000,
        .close_ms = config->limits.close_seconds * 1000,
        .write_low = 32768,
        .write_high = 65536,
        .connections = config->limits.connections,
    };
    gateway->server = tg_server_new(&options);
    if (!gateway->server) return tg_fail(err, TG_ENOMEM, "no memory for the server");
    struct tg_listen_options listeners[2] = {
        {config->listen.address, config->listen.port, config->listen.reuse_port, "public",
         config->listen.backlog, 0},
        {config->admin.address, config->admin.port, false, "admin", 64, config->admin.connections},
    };
    for (int i = 0; i < 1 + config->admin.enabled; i++) {
        int port = 0, rc = tg_server_listen(gateway->server, &listeners[i], &port, err);
        if (rc) return rc;
        tg_info("gateway", "listening", tg_s("listener", listeners[i].label),
                tg_s("address", listeners[i].address), tg_i("port", port));
    }
    return 0;
}

/* Handles whose owner is the gateway itself. */
static void start_handles(struct tg_gateway *gateway)
{
    uv_loop_t *loop = &gateway->loop;
    (void)uv_timer_init(loop, &gateway->ticker);
    (void)uv_timer_init(loop, &gateway->slow);
    (void)uv_check_init(loop, &gateway->check);
    (void)uv_prepare_init(loop, &gateway->prepare);
    (void)uv_signal_init(loop, &gateway->sigterm);
    (void)uv_signal_init(loop, &gateway->sigint);
    (void)uv_signal_init(loop, &gateway->sighup);
    gateway->ticker.data = gateway->slow.data = gateway->check.data = gateway->prepare.data =
        gateway->sigterm.data = gateway->sigint.data = gateway->sighup.data = gateway;
    (void)uv_timer_start(&gateway->ticker, on_tick, FINE_TICK_MS, FINE_TICK_MS);
    (void)uv_timer_start(&gateway->slow, on_slow, 1000, 1000);
    (void)uv_check_start(&gateway->check, on_check);
    (void)uv_prepare_start(&gateway->prepare, on_prepare);
    (void)uv_signal_start(&gateway->sigterm, on_terminate, SIGTERM);
    (void)uv_signal_start(&gateway->sigint, on_terminate, SIGINT);
    (void)uv_signal_start(&gateway->sighup, on_sighup, SIGHUP);
}

static void close_handles(struct tg_gateway *gateway)
{
    uv_handle_t *const handles[] = {
        (uv_handle_t *)&gateway->ticker,  (uv_handle_t *)&gateway->slow,
        (uv_handle_t *)&gateway->check,   (uv_handle_t *)&gateway->prepare,
        (uv_handle_t *)&gateway->sigterm, (uv_handle_t *)&gateway->sigint,
        (uv_handle_t *)&gateway->sighup};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (!uv_is_closing(handles[i])) uv_close(handles[i], NULL);
}

/* What is still open after everything was told to close is a leak: it is named, not waited for. */
static void name_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    tg_error("gateway", "handle_left_open", tg_s("type", uv_handle_type_name(handle->type)));
}

static void close_all(struct tg_gateway *gateway)
{
    if (gateway->server) tg_server_close(gateway->server);
    if (gateway->scheduler) tg_scheduler_free(gateway->scheduler);
    tg_router_close(gateway->router);
    tg_upstreams_close(gateway->upstreams, gateway->config->sources_count);
    tg_recorder_close(gateway->recorder);
    tg_reloader_close(gateway->reloader);
    close_handles(gateway);
    for (int turn = 0; turn < 1000 && uv_run(&gateway->loop, UV_RUN_NOWAIT); turn++)
        continue;
    if (uv_loop_close(&gateway->loop)) uv_walk(&gateway->loop, name_handle, NULL);
    if (gateway->hooks != gateway->config->functions) tg_hooks_free(gateway->hooks);
    tg_store_free(gateway->store);
    tg_script_free(gateway->script);
    tg_auth_free(gateway->auth);
    tg_tally_fini(&gateway->subjects);
    tg_tally_fini(&gateway->addresses);
    free(gateway->fresh);
}

int tg_gateway_run(const char *config_path, const struct tg_config *config)
{
    static struct tg_gateway gateway; /* too large for a stack, and there is one a process */
    struct tg_err err = {0};
    memset(&gateway, 0, sizeof gateway);
    gateway.clock = tg_clock_system();
    gateway.config_path = config_path;
    gateway.config = config;
    gateway.hooks = config->functions;
    gateway.started_mono_ms = tg_mono_ms(gateway.clock);
    gateway.started_wall_ms = tg_wall_ms(gateway.clock);
    tg_clock_virtual_init(&gateway.turn, gateway.started_mono_ms, gateway.started_wall_ms);
    tg_list_init(&gateway.clients);
    tg_wheel_init(&gateway.wheel, TICK_MS, gateway.started_mono_ms);
    tg_wheel_init(&gateway.beat, FINE_TICK_MS, gateway.started_mono_ms);
    (void)signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&gateway.loop)) return 3;
    start_handles(&gateway);
    gateway.store = tg_store_new();
    gateway.fresh_cap = 64; /* from here on it only grows, and what it holds is never dropped */
    gateway.fresh = calloc(gateway.fresh_cap, sizeof *gateway.fresh);
    int rc = gateway.store && gateway.fresh
                 ? tg_setup_auth(config, gateway.clock, &gateway.auth, &err)
                 : -TG_ENOMEM;
    if (!rc) rc = open_script(&gateway, &err);
    bool given = rc != 0; /* what failed so far stands in files of the operator */
    if (!rc) rc = tg_upstreams_open(&gateway.loop, gateway.clock, config, &gateway.upstreams, &err);
    if (!rc) rc = tg_recording_open(&gateway, &err);
    if (!rc) rc = tg_router_open(&gateway.loop, config, gateway.hooks, &gateway.router, &err);
    if (!rc) rc = open_scheduler(&gateway, &err);
    if (!rc) rc = open_server(&gateway, &err);
    if (!rc && config->rules.reload && config->rules.paths_count)
        gateway.reloader = tg_reloader_new(&gateway);
    if (rc) {
        tg_error("gateway", "start_failed", tg_s("reason", *err.text ? err.text : tg_strerror(rc)));
        close_all(&gateway);
        return given ? 1 : 3;
    }
    gateway.ready = true;
    tg_info("gateway", "ready", tg_s("version", TIDEGATE_VERSION),
            tg_i("sources", config->sources_count));
    (void)uv_run(&gateway.loop, UV_RUN_DEFAULT);
    close_all(&gateway);
    tg_info("gateway", "stopped", tg_i("exit_code", gateway.exit_code));
    return gateway.exit_code;
}
