/* The rules as their operator sees them, and what he may do to them while they run. */
#include "app/admin.h"
#include "model/field.h"

#include <stdio.h>
#include <string.h>

static void text_member(struct tg_buf *out, const char *name, const char *text)
{
    tg_json_key(out, name);
    tg_json_text(out, text && *text ? text : NULL);
}

static void time_member(struct tg_buf *out, const char *name, int64_t wall_ms)
{
    char time[TG_ISO8601_SIZE];
    tg_iso8601_write(time, wall_ms);
    text_member(out, name, wall_ms ? time : NULL);
}

static void write_set(const struct tg_script_status *status, struct tg_buf *out)
{
    tg_json_key(out, "set");
    tg_json_open(out, '{');
    text_member(out, "name", status->name);
    tg_json_member_u64(out, "generation", status->generation);
    text_member(out, "version", status->version);
    time_member(out, "loaded", status->loaded_wall_ms);
    text_member(out, "last_error", status->last_error);
    tg_json_member_u64(out, "memory_bytes", (uint64_t)status->memory_used);
    tg_rules_standing_write(status, out);
    tg_json_close(out, '}');
}

static void write_wakes(const struct tg_rule_status *rule, struct tg_buf *out)
{
    tg_json_key(out, "watch");
    tg_json_open(out, '[');
    for (int i = 0; i < tg_account_entity.count; i++)
        if (rule->watch & UINT64_C(1) << i) tg_json_text(out, tg_account_entity.fields[i].name);
    tg_json_close(out, ']');
    tg_json_key(out, "on");
    tg_json_open(out, '[');
    for (int i = 0; tg_on_name(i); i++)
        if (rule->on & UINT32_C(1) << i) tg_json_text(out, tg_on_name(i));
    tg_json_close(out, ']');
}

static void write_rule(const struct tg_rule_status *rule, struct tg_buf *out)
{
    tg_json_open(out, '{');
    text_member(out, "name", rule->name);
    text_member(out, "file", rule->file);
    text_member(out, "type", rule->type);
    text_member(out, "lane", rule->lane == TG_LANE_LATEST ? "latest" : "ordered");
    write_wakes(rule, out);
    tg_json_member_u64(out, "calls", rule->calls);
    tg_json_member_u64(out, "events", rule->events);
    tg_json_member_u64(out, "faults", rule->faults);
    tg_json_member_u64(out, "dropped", rule->dropped);
    tg_json_member_u64(out, "nanoseconds", (uint64_t)rule->nanoseconds);
    tg_json_member_bool(out, "muted", rule->muted);
    text_member(out, "why", rule->why);
    text_member(out, "where", rule->where);
    text_member(out, "last_fault", rule->last_fault);
    time_member(out, "last_fault_time", rule->last_fault_wall_ms);
    tg_json_close(out, '}');
}

static void answer_set(struct tg_admin_call *call, bool with_rules)
{
    struct tg_script_status status;
    struct tg_rule_status rule;
    struct tg_buf out = {0};
    tg_script_status(call->gateway->script, &status);
    tg_json_open(&out, '{');
    tg_json_member_bool(&out, "success", true);
    write_set(&status, &out);
    if (with_rules) {
        tg_json_key(&out, "rules");
        tg_json_open(&out, '[');
        for (uint32_t i = 0; tg_script_rule(call->gateway->script, i, &rule); i++)
            write_rule(&rule, &out);
        tg_json_close(&out, ']');
        tg_json_key(&out, "muted_absent");
        tg_json_open(&out, '[');
        const char *name;
        for (uint32_t i = 0; (name = tg_script_muted_absent(call->gateway->script, i)); i++)
            tg_json_text(&out, name);
        tg_json_close(&out, ']');
    }
    tg_json_close(&out, '}');
    tg_admin_answer(call, &out);
}

void tg_admin_answer_set(struct tg_admin_call *call)
{
    answer_set(call, false);
}

void tg_admin_rules_list(struct tg_admin_call *call)
{
    answer_set(call, true);
}

void tg_admin_rules_reload(struct tg_admin_call *call)
{
    struct tg_script_status status;
    int rc = tg_reload_rules(call->gateway, "admin");
    tg_script_status(call->gateway->script, &status);
    tg_admin_audit(call, "rules_reload", status.version, rc ? status.last_error : "ok");
    if (rc)
        tg_admin_refuse(call, 422, "RELOAD_REFUSED", "%s", status.last_error);
    else
        answer_set(call, false);
}

void tg_admin_rules_rollback(struct tg_admin_call *call)
{
    struct tg_script_status status;
    struct tg_err err = {{0}};
    char reason[200];
    int given = tg_admin_text(call, "reason", reason, sizeof reason);
    if (given == -TG_EINVAL) {
        tg_admin_refuse(call, 400, "INVALID_REQUEST", "reason must be a text of at most %zu bytes",
                        sizeof reason - 1);
        return;
    }
    if (given <= 0) (void)snprintf(reason, sizeof reason, "asked for by the operator");
    int rc = tg_rollback_rules(call->gateway, reason, &err);
    tg_script_status(call->gateway->script, &status);
    tg_admin_audit(call, "rules_rollback", status.version, rc ? err.text : "ok");
    if (rc == -TG_ENOTFOUND)
        tg_admin_refuse(call, 409, "NOTHING_TO_ROLL_BACK", "%s", err.text);
    else if (rc)
        tg_admin_refuse(call, 422, "ROLLBACK_REFUSED", "%s", err.text);
    else
        answer_set(call, false);
}

static void answer_rule(struct tg_admin_call *call)
{
    struct tg_rule_status rule;
    struct tg_buf out = {0};
    uint32_t i = 0;
    bool found;
    while ((found = tg_script_rule(call->gateway->script, i, &rule)) &&
           strcmp(rule.name, call->name) != 0)
        i++;
    tg_json_open(&out, '{');
    tg_json_member_bool(&out, "success", true);
    tg_json_key(&out, "rule");
    if (found)
        write_rule(&rule, &out);
    else
        tg_json_text(&out, NULL);
    tg_json_close(&out, '}');
    tg_admin_answer(call, &out);
}

/* After mute or unmute. */
static void conclude(struct tg_admin_call *call, const char *event, int rc)
{
    const char *outcome = "ok";
    if (rc == -TG_ENOTFOUND) outcome = "no such rule";
    if (rc == -TG_EINVAL) outcome = "its code was let go to free memory";
    if (rc == -TG_ENOMEM || rc == -TG_ELIMIT) outcome = "there is no room for one more";
    tg_admin_audit(call, event, call->name, outcome);
    if (rc == -TG_ENOTFOUND)
        tg_admin_refuse(call, 404, "UNKNOWN_RULE", "there is no rule \"%s\"", call->name);
    else if (rc == -TG_ENOMEM || rc == -TG_ELIMIT)
        tg_admin_refuse(call, 503, "SERVICE_OVERLOADED", "there is no room for one more mute");
    else if (rc < 0)
        tg_admin_refuse(
            call, 409, "RULE_IS_HOLLOW",
            "the code of rule \"%s\" was let go to free memory: a reload brings it back",
            call->name);
    else
        answer_rule(call);
}

void tg_admin_rule_mute(struct tg_admin_call *call)
{
    conclude(call, "rule_mute", tg_script_mute(call->gateway->script, call->name));
}

void tg_admin_rule_unmute(struct tg_admin_call *call)
{
    conclude(call, "rule_unmute", tg_script_unmute(call->gateway->script, call->name));
}
