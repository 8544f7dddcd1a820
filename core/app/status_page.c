/* What operators and their monitors read. Everything here is cheap: counters are kept anyway, and
 * what must be summed up is bounded by the number of clients. */
#include "app/gateway_inner.h"
#include "app/session_metrics.h"
#include "app/sources_page.h"
#include "base/json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOPPED_SHOWN 16

void tg_rules_standing_write(const struct tg_script_status *rules, struct tg_buf *out)
{
    static const char *const origins[] = {"files", "rollback", "candidate"};
    const struct tg_script_rollback *rollback = &rules->rollback;
    char time[TG_ISO8601_SIZE];
    tg_json_member_text(out, "origin", origins[rules->origin]);
    tg_json_member_i64(out, "probation_seconds", (rules->probation_ms + 999) / 1000);
    tg_json_member_i64(out, "kept_generations", rules->kept);
    tg_json_key(out, "rolled_back");
    if (!*rollback->version) {
        tg_json_text(out, NULL);
        return;
    }
    tg_iso8601_write(time, rollback->wall_ms);
    tg_json_open(out, '{');
    tg_json_member_text(out, "version", rollback->version);
    tg_json_member_text(out, "time", time);
    tg_json_member_text(out, "by", rollback->automatic ? "probation" : "operator");
    tg_json_member_text(out, "reason", rollback->reason);
    tg_json_close(out, '}');
}

static void write_candidate(const struct tg_script *script, struct tg_buf *out)
{
    struct tg_candidate_status candidate;
    char time[TG_ISO8601_SIZE];
    tg_json_key(out, "candidate");
    if (!tg_script_candidate(script, &candidate)) {
        tg_json_text(out, NULL);
        return;
    }
    tg_iso8601_write(time, candidate.started_wall_ms);
    tg_json_open(out, '{');
    tg_json_member_text(out, "name", candidate.name);
    tg_json_member_text(out, "version", candidate.version);
    tg_json_member_text(out, "started", time);
    tg_json_member_i64(out, "same", (int64_t)candidate.same);
    tg_json_member_i64(out, "differences", (int64_t)candidate.differences);
    tg_json_member_i64(out, "faults", (int64_t)candidate.faults);
    tg_json_member_i64(out, "accounts_followed", candidate.followed);
    tg_json_member_i64(out, "accounts_left_out", candidate.left_out);
    tg_json_close(out, '}');
}

/* The first of the rules that were stopped. */
static void write_stopped(const struct tg_script *script, struct tg_buf *out)
{
    struct tg_rule_status rule;
    uint32_t count = 0;
    tg_json_key(out, "stopped");
    tg_json_open(out, '[');
    for (uint32_t i = 0; tg_script_rule(script, i, &rule); i++) {
        if (!rule.stopped || ++count > STOPPED_SHOWN) continue;
        tg_json_open(out, '{');
        tg_json_member_text(out, "rule", rule.name);
        tg_json_member_text(out, "where", *rule.where ? rule.where : NULL);
        tg_json_member_text(out, "why", rule.why);
        tg_json_close(out, '}');
    }
    tg_json_close(out, ']');
}

static uint32_t stopped_rules(const struct tg_script *script)
{
    struct tg_rule_status rule;
    uint32_t count = 0;
    for (uint32_t i = 0; tg_script_rule(script, i, &rule); i++)
        count += rule.stopped;
    return count;
}

static void write_rules(const struct tg_script *script, const struct tg_script_status *rules,
                        struct tg_buf *out)
{
    char time[TG_ISO8601_SIZE];
    tg_json_key(out, "rules");
    tg_json_open(out, '{');
    tg_json_member_text(out, "name", rules->name);
    tg_json_member_i64(out, "generation", rules->generation);
    tg_json_member_text(out, "version", rules->version);
    tg_iso8601_write(time, rules->loaded_wall_ms);
    tg_json_member_text(out, "loaded", time);
    tg_json_member_i64(out, "reloads_failed", (int64_t)rules->reloads_failed);
    tg_json_member_text(out, "last_error", *rules->last_error ? rules->last_error : NULL);
    tg_json_member_bool(out, "preemption", rules->preemption);
    write_stopped(script, out);
    tg_rules_standing_write(rules, out);
    write_candidate(script, out);
    tg_json_close(out, '}');
}

bool tg_health_write(const struct tg_gateway *gateway, struct tg_buf *out)
{
    struct tg_sources_health sources;
    struct tg_script_status rules;
    tg_script_status(gateway->script, &rules);
    tg_sources_health(gateway->scheduler, &sources);
    bool well = gateway->ready && !gateway->draining && rules.generation &&
                !(sources.asked && sources.ill == sources.asked);
    bool degraded = sources.ill || sources.stale || *rules.last_error ||
                    rules.origin == TG_ORIGIN_ROLLBACK || sources.circuit_open ||
                    tg_recording_ill(gateway) || stopped_rules(gateway->script);
    tg_json_open(out, '{');
    tg_json_member_text(out, "status", !well ? "unhealthy" : degraded ? "degraded" : "healthy");
    tg_json_member_text(out, "version", TIDEGATE_VERSION);
    tg_json_member_i64(out, "uptime_seconds",
                       (tg_mono_ms(gateway->clock) - gateway->started_mono_ms) / 1000);
    tg_json_member_bool(out, "draining", gateway->draining);
    tg_sources_write(gateway->scheduler, out);
    tg_json_member_i64(out, "connections", gateway->clients_count);
    write_rules(gateway->script, &rules, out);
    tg_recording_health(gateway, out);
    tg_json_key(out, "last_error");
    if (gateway->last_error_wall_ms) {
        char time[TG_ISO8601_SIZE];
        tg_iso8601_write(time, gateway->last_error_wall_ms);
        tg_json_open(out, '{');
        tg_json_member_text(out, "time", time);
        tg_json_member_text(out, "message", gateway->last_error);
        tg_json_close(out, '}');
    } else {
        tg_json_text(out, NULL);
    }
    tg_json_close(out, '}');
    return well;
}

/* The first sample of a family brings its HELP and TYPE lines. */
static void family(struct tg_buf *out, const char *name, const char *type, const char *help)
{
    tg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metric(struct tg_buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    family(out, name, type, help);
    tg_buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void labelled(struct tg_buf *out, const char *name, const char *label, const char *value,
                     uint64_t number)
{
    tg_buf_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)number);
}

static void write_connections(const struct tg_gateway *gateway, struct tg_buf *out)
{
    const struct tg_server_counters *net = tg_server_counters(gateway->server);
    metric(out, "tidegate_connections", "gauge", "open WebSocket connections",
           gateway->clients_count);
    metric(out, "tidegate_http_connections", "gauge", "open connections that speak HTTP",
           net->open_http);
    metric(out, "tidegate_accepted_total", "counter", "connections accepted", net->accepted);
    metric(out, "tidegate_turned_away_total", "counter",
           "connections over limits.connections, answered 503", net->refused_full);
    metric(out, "tidegate_upgrades_total", "counter", "WebSocket handshakes accepted",
           net->upgrades);
    metric(out, "tidegate_requests_total", "counter", "HTTP requests", net->requests);
    metric(out, "tidegate_bad_requests_total", "counter", "malformed HTTP requests",
           net->bad_requests);
    metric(out, "tidegate_handshake_timeouts_total", "counter",
           "connections that never completed a request", net->handshake_timeouts);
    metric(out, "tidegate_bytes_in_total", "counter", "bytes received", net->bytes_in);
    metric(out, "tidegate_bytes_out_total", "counter", "bytes sent", net->bytes_out);
    metric(out, "tidegate_frames_out_total", "counter", "frames sent", net->frames_out);
    metric(out, "tidegate_queue_bytes", "gauge", "bytes waiting for clients",
           tg_client_queued_bytes(gateway));
    family(out, "tidegate_closes_total", "counter", "connections closed, by close code");
    for (int code = 1000; code < 5000; code++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", code);
        if (net->closes[code])
            labelled(out, "tidegate_closes_total", "code", text, net->closes[code]);
    }
    family(out, "tidegate_refused_total", "counter", "requests refused, by code");
    for (int i = 0; i < TG_REFUSALS; i++)
        labelled(out, "tidegate_refused_total", "code", tg_refusal_row((enum tg_refusal)i)->code,
                 gateway->counters.refused[i]);
}

static void write_candidate_metrics(const struct tg_gateway *gateway, struct tg_buf *out)
{
    struct tg_candidate_status candidate = {0};
    bool runs = tg_script_candidate(gateway->script, &candidate);
    metric(out, "tidegate_candidate_running", "gauge", "1 while a candidate runs in the shadow",
           runs);
    metric(out, "tidegate_candidate_same", "gauge", "events that live rules and candidate agree on",
           candidate.same);
    metric(out, "tidegate_candidate_differences", "gauge",
           "events that they do not agree on, since the comparison began", candidate.differences);
    metric(out, "tidegate_candidate_faults", "gauge", "faults of the candidate's rules",
           candidate.faults);
    family(out, "tidegate_candidate_accounts", "gauge", "accounts that are compared, or left out");
    labelled(out, "tidegate_candidate_accounts", "state", "followed", candidate.followed);
    labelled(out, "tidegate_candidate_accounts", "state", "left_out", candidate.left_out);
    metric(out, "tidegate_candidate_milliseconds", "gauge",
           "time of the loop that the candidate took", candidate.spent_us / 1000);
}

static void write_rule_metrics(const struct tg_gateway *gateway, struct tg_buf *out)
{
    struct tg_script_status status;
    struct tg_rule_status rule;
    tg_script_status(gateway->script, &status);
    metric(out, "tidegate_rules_generation", "gauge", "generation of the rules", status.generation);
    family(out, "tidegate_rules_reloads_total", "counter", "rule reloads, by outcome");
    labelled(out, "tidegate_rules_reloads_total", "outcome", "ok", status.reloads_ok);
    labelled(out, "tidegate_rules_reloads_total", "outcome", "failed", status.reloads_failed);
    family(out, "tidegate_rules_rollbacks_total", "counter",
           "returns to the rules before, by whom");
    labelled(out, "tidegate_rules_rollbacks_total", "by", "operator",
             status.rollbacks - status.rollbacks_automatic);
    labelled(out, "tidegate_rules_rollbacks_total", "by", "probation", status.rollbacks_automatic);
    metric(out, "tidegate_rules_rolled_back", "gauge",
           "1 while the files are a set that was rolled back", status.origin == TG_ORIGIN_ROLLBACK);
    write_candidate_metrics(gateway, out);
    metric(out, "tidegate_rules_memory_bytes", "gauge", "memory of the Lua VM",
           (uint64_t)status.memory_used);
    family(out, "tidegate_rule_events_total", "counter", "events by rule");
    for (uint32_t i = 0; tg_script_rule(gateway->script, i, &rule); i++)
        labelled(out, "tidegate_rule_events_total", "rule", rule.name, rule.events);
    family(out, "tidegate_rule_faults_total", "counter", "faults by rule");
    for (uint32_t i = 0; tg_script_rule(gateway->script, i, &rule); i++)
        labelled(out, "tidegate_rule_faults_total", "rule", rule.name, rule.faults);
    family(out, "tidegate_rule_calls_total", "counter", "calls by rule");
    for (uint32_t i = 0; tg_script_rule(gateway->script, i, &rule); i++)
        labelled(out, "tidegate_rule_calls_total", "rule", rule.name, rule.calls);
    family(out, "tidegate_rule_muted", "gauge", "1 while the rule is silenced");
    for (uint32_t i = 0; tg_script_rule(gateway->script, i, &rule); i++)
        labelled(out, "tidegate_rule_muted", "rule", rule.name, rule.muted);
    family(out, "tidegate_rules_info", "gauge", "the rule set that runs; always 1");
    tg_buf_printf(out, "tidegate_rules_info{version=\"%s\",generation=\"%u\"} 1\n", status.version,
                  status.generation);
    tg_histogram_write(&gateway->counters.rules, out, "tidegate_rules_seconds",
                       "one run of the rules over the accounts of a loop turn");
    metric(out, "tidegate_events_ordered_total", "counter", "ordered events",
           gateway->counters.events_ordered);
    metric(out, "tidegate_events_latest_total", "counter", "events of the latest lane",
           gateway->counters.events_latest);
    metric(out, "tidegate_snapshots_total", "counter", "snapshots made",
           gateway->counters.snapshots);
    metric(out, "tidegate_events_lost_total", "counter",
           "events that no memory was left for; the epoch changed", gateway->counters.events_lost);
}

void tg_metrics_write(const struct tg_gateway *gateway, struct tg_buf *out)
{
    size_t resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm) {
        unsigned long total, pages;
        if (fscanf(statm, "%lu %lu", &total, &pages) == 2)
            resident = pages * (size_t)sysconf(_SC_PAGESIZE);
        (void)fclose(statm);
    }
    write_connections(gateway, out);
    tg_sources_metrics(gateway->scheduler, out);
    tg_session_metrics(gateway->scheduler, out);
    tg_hooks_metrics(gateway->hooks, out);
    write_rule_metrics(gateway, out);
    tg_recording_metrics(gateway, out);
    metric(out, "process_resident_memory_bytes", "gauge", "resident memory", resident);
    struct mallinfo2 heap = mallinfo2();
    metric(out, "tidegate_heap_bytes", "gauge", "heap in use", heap.uordblks + heap.hblkhd);
    metric(out, "tidegate_frame_bytes", "gauge", "bytes of living frames", tg_blob_bytes_alive());
    metric(out, "tidegate_uptime_seconds", "gauge", "seconds since the start",
           (uint64_t)((tg_mono_ms(gateway->clock) - gateway->started_mono_ms) / 1000));
}
