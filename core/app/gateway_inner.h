/* The gateway's inside, shared by the files of core/app that make it up. */
#pragma once

#include "app/admission.h"
#include "app/config.h"
#include "app/refusal.h"
#include "app/router.h"
#include "app/scheduler.h"
#include "auth/auth.h"
#include "base/list.h"
#include "base/wheel.h"
#include "net/server.h"
#include "record/recorder.h"
#include "script/script.h"
#include "stream/channel.h"
#include "stream/session.h"

#include <uv.h>

struct tg_client;

struct tg_gateway {
    uv_loop_t loop;
    const struct tg_clock *clock;
    const char *config_path;
    const struct tg_config *config; /* as started */
    struct tg_wheel wheel;          /* 100 ms: connections and sessions */
    struct tg_wheel beat;           /* 10 ms: polls */
    uv_timer_t ticker, slow;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_signal_t sigterm, sigint, sighup;
    struct tg_reloader *reloader;

    struct tg_auth *auth;
    struct tg_script *script;
    struct tg_store *store;
    struct tg_upstream *upstreams; /* as many as config->sources, in its order */
    struct tg_hooks *hooks;        /* the functions in force; NULL without any */
    struct tg_router *router;
    struct tg_scheduler *scheduler;
    struct tg_server *server;
    struct tg_recorder *recorder; /* NULL: nothing is recorded */

    struct tg_list clients; /* struct tg_client.node */
    uint32_t clients_count;
    struct tg_tally subjects, addresses;
    struct tg_rate handshakes, health;

    struct tg_clock_virtual turn; /* the rules' clock: it stands still while they run */
    int turns;                    /* runs of rules under way; they nest */
    struct tg_account **fresh;    /* accounts whose rules run at the end of this loop turn */
    uint32_t fresh_count, fresh_cap;

    struct tg_channel_names names; /* point into the script's envelope */
    int64_t started_wall_ms, started_mono_ms;
    bool ready, draining;
    int64_t drain_until_ms, drain_next_us, drain_step_us;
    int exit_code;
    struct {
        uint64_t events_ordered, events_latest, events_lost, snapshots;
        uint64_t refused[TG_REFUSALS];
        struct tg_histogram rules; /* one run over the accounts of a turn */
    } counters;
    char last_error[256];
    int64_t last_error_wall_ms;
};

/* routes.c: a complete request came. */
void tg_routes_request(void *ctx, struct tg_conn *conn, const struct tg_request *request);

/* client.c: clients. */
struct tg_client_start {
    struct tg_conn *conn;
    const struct tg_request *request;
    const char *account_id, *events, *query; /* query without the token; events NULL = all */
    struct tg_identity *identity;            /* taken over on success */
};

/* Upgrades the connection and starts its session. 0, -TG_ELIMIT (accounts.maximum) or -TG_ENOMEM
 * with nothing done. */
int tg_client_open(struct tg_gateway *gateway, const struct tg_client_start *start);
void tg_client_message(void *ctx, struct tg_conn *conn, bool text, const char *data, size_t len);
void tg_client_ping(void *ctx, struct tg_conn *conn);
void tg_client_writable(void *ctx, struct tg_conn *conn);
void tg_client_closed(void *ctx, struct tg_conn *conn, int code);

/* Sends a control message to every client of a watch. */
void tg_client_tell(struct tg_watch *watch, const char *text, size_t len);

/* Ends every client of a watch. */
void tg_client_end_all(struct tg_watch *watch, int code, const char *reason);

/* Announces the drain; closes the next few clients of a drain. */
void tg_client_going_away(struct tg_gateway *gateway, int64_t within_ms);
bool tg_client_drain_next(struct tg_gateway *gateway);

/* Whether a session may have an event (rule filters). */
bool tg_client_permits(void *ctx, const struct tg_session *session);

/* Checks every client's ownership again, now. */
void tg_client_recheck_all(struct tg_gateway *gateway);

/* Bytes waiting in all outboxes. */
uint64_t tg_client_queued_bytes(const struct tg_gateway *gateway);

/* events.c: from polls to events. */

/* The watch's channel, made when it has none. NULL without memory. */
struct tg_channel *tg_events_channel(struct tg_gateway *gateway, struct tg_watch *watch);

/* Tells rules of a client that came or left. */
void tg_events_client(struct tg_gateway *gateway, struct tg_watch *watch, bool connected,
                      const char *subject);

void tg_events_emit(void *ctx, const struct tg_script_event *event);
void tg_events_applied(void *ctx, struct tg_watch *watch);
void tg_events_fresh(void *ctx, struct tg_watch *watch, bool first);
void tg_events_status(void *ctx, struct tg_watch *watch, const char *code, const char *message,
                      int64_t retry_in_ms);
void tg_events_unknown(void *ctx, struct tg_watch *watch);
void tg_events_replaced(void *ctx, struct tg_watch *watch);
void tg_events_ended(void *ctx, struct tg_watch *watch);

/* Runs the rules over the accounts that were polled in this turn. */
void tg_events_flush(struct tg_gateway *gateway);

/* Runs what `every` held back where no poll came by to do it: an interval after its time. */
void tg_events_due(struct tg_gateway *gateway);

/* Accounts with a state, for the rules' dry run; see struct tg_script_options. */
uint32_t tg_events_live(void *ctx, struct tg_account **out, uint32_t max);

/* Appends the snapshot message of a watch; -TG_EAGAIN before its first good poll. */
int tg_events_snapshot(struct tg_gateway *gateway, struct tg_watch *watch, struct tg_buf *out);

/* recording.c: what happens, for the recorder. Without one, nothing. */
int tg_recording_open(struct tg_gateway *gateway, struct tg_err *err);
void tg_recording_note(struct tg_gateway *gateway, enum tg_note_kind kind, struct tg_watch *watch,
                       const char *text);
bool tg_recording_ill(const struct tg_gateway *gateway);
void tg_recording_health(const struct tg_gateway *gateway, struct tg_buf *out);
void tg_recording_metrics(const struct tg_gateway *gateway, struct tg_buf *out);

/* status_page.c: /health, /ready, /metrics. */
bool tg_health_write(const struct tg_gateway *gateway, struct tg_buf *out); /* false: unhealthy */
/* Appends where the rules come from and whether they were rolled back: members of an object. */
void tg_rules_standing_write(const struct tg_script_status *rules, struct tg_buf *out);
void tg_metrics_write(const struct tg_gateway *gateway, struct tg_buf *out);

/* reloader.c: watches the rule folders and reloads. */
struct tg_reloader *tg_reloader_new(struct tg_gateway *gateway);
void tg_reloader_close(
    struct tg_reloader *reloader); /* freed when the loop has closed its handles */

/* Reads the rules again, whatever ran before: an operator's word. As tg_script_load. */
int tg_reload_rules(struct tg_gateway *gateway, const char *cause);

/* The files have changed. As tg_script_follow. */
int tg_follow_rules(struct tg_gateway *gateway, const char *cause);

/* SIGHUP: reads them again, unless that would bring back what was rolled back. */
void tg_signalled_rules(struct tg_gateway *gateway);

/* As tg_script_rollback. */
int tg_rollback_rules(struct tg_gateway *gateway, const char *reason, struct tg_err *err);

/* Once a second: rolls a fresh generation back when it does worse than the one before, and reads
 * the candidate again when its files have changed. */
void tg_judge_rules(struct tg_gateway *gateway);

/* admin_candidate.c: starts the candidate of rules.candidate. -TG_ENOTFOUND: none is configured. */
int tg_candidate_begin(struct tg_gateway *gateway, struct tg_err *err);
void tg_gateway_names(struct tg_gateway *gateway); /* after a load: the envelope may differ */

/* hooks_reload.c: the functions of a configuration that was read again. Whether they can take over:
 * 0, or -TG_EINVAL with a sentence; and the taking over. */
int tg_reload_hooks_check(const struct tg_gateway *gateway, const struct tg_config *fresh,
                          struct tg_err *err);
void tg_reload_hooks(struct tg_gateway *gateway, struct tg_config *fresh);

/* Remembers a fault for /health. */
void tg_gateway_fault(struct tg_gateway *gateway, const char *text);
