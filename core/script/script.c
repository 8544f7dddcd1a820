/* The engine: it holds the options, the client classes and the generation that runs, and passes on
 * what is asked of it. How one generation follows another is in deploy.c. */
#include "script/script.h"

#include "base/log.h"
#include "base/text.h"
#include "script/leash.h"
#include "script/run.h"
#include "script/script_inner.h"
#include "script/trace.h"

#include <stdlib.h>
#include <string.h>

/* Every event of the live generation passes here. */
static void on_event(void *ctx, const struct tg_script_event *event)
{
    struct tg_script *script = ctx;
    script->events++;
    if (script->shadow) tg_shadow_hear(script->shadow, script->generation, event);
    script->emit(script->ctx, event);
}

static uint32_t on_live(void *ctx, struct tg_account **out, uint32_t max)
{
    const struct tg_script *script = ctx;
    return script->live(script->ctx, out, max);
}

static void on_fault(void *ctx, const char *rule, const char *file, const char *account,
                     const char *text)
{
    const struct tg_script *script = ctx;
    script->fault(script->ctx, rule, file, account, text);
}

static bool copy_options(struct tg_script *script, const struct tg_script_options *options)
{
    script->options = *options;
    size_t count = (size_t)options->paths_count;
    script->paths = calloc(count + 1, sizeof *script->paths);
    if (!script->paths) return false;
    for (size_t i = 0; i < count; i++)
        if (!(script->paths[i] = strdup(options->paths[i]))) return false;
    script->options.paths = (const char *const *)script->paths;
    if (options->settings && !(script->settings = strdup(options->settings))) return false;
    script->options.settings = script->settings;
    script->emit = options->emit;
    script->live = options->live;
    script->fault = options->fault;
    script->ctx = options->ctx;
    script->options.emit = on_event;
    script->options.live = options->live ? on_live : NULL;
    script->options.fault = options->fault ? on_fault : NULL;
    script->options.ctx = script;
    script->past.cap =
        options->keep_generations < TG_PAST_MAX ? options->keep_generations : TG_PAST_MAX;
    script->probation.policy = (struct tg_probation_policy){
        options->probation_seconds, options->rollback_faults, options->rollback_events_factor,
        options->rollback_events_minimum};
    return true;
}

struct tg_script *tg_script_new(const struct tg_script_options *options)
{
    struct tg_script *script = calloc(1, sizeof *script);
    if (!script) return NULL;
    if (tg_leash_hold()) {
        free(script);
        return NULL;
    }
    bool traced = options->explain_bytes > 0;
    if (traced) script->trace = tg_trace_new(options->explain_bytes, options->explain_seconds);
    if (copy_options(script, options) && (script->trace || !traced)) return script;
    tg_script_free(script);
    return NULL;
}

int tg_script_settings(struct tg_script *script, const char *settings)
{
    char *copy = settings ? strdup(settings) : NULL;
    if (settings && !copy) return -TG_ENOMEM;
    free(script->settings);
    script->settings = copy;
    script->options.settings = copy;
    return 0;
}

void tg_script_free(struct tg_script *script)
{
    if (!script) return;
    tg_shadow_free(script->shadow);
    tg_generation_free(script->generation);
    tg_trace_free(script->trace);
    tg_classes_fini(&script->classes);
    tg_past_fini(&script->past);
    for (int i = 0; script->paths && i < script->options.paths_count; i++)
        free(script->paths[i]);
    free(script->paths);
    free(script->settings);
    tg_leash_release();
    free(script);
}

bool tg_script_wakes(const struct tg_script *script, const struct tg_account *account)
{
    int64_t wall_ms = tg_wall_ms(script->options.clock);
    if (!script->generation) return false;
    return tg_run_wakes(script->generation, account, account->wake_wall_ms, wall_ms) ||
           (script->shadow && tg_shadow_wakes(script->shadow, account, wall_ms));
}

/* Like tg_script_run, with the candidate behind the live rules. */
static void run_both(struct tg_script *script, struct tg_account *const *accounts, uint32_t count)
{
    int64_t wall_ms = tg_wall_ms(script->options.clock);
    for (uint32_t i = 0; i < count; i++)
        if (!tg_run_wakes(script->generation, accounts[i], accounts[i]->wake_wall_ms, wall_ms))
            tg_script_idle(script, accounts[i]);
    uint32_t mark = tg_shadow_mark(script->shadow);
    tg_run_all(script->generation, accounts, count);
    tg_shadow_run(script->shadow, mark, script->generation, accounts, count);
}

void tg_script_run(struct tg_script *script, struct tg_account *const *accounts, uint32_t count)
{
    if (!script->generation || !count) return;
    if (script->shadow)
        run_both(script, accounts, count);
    else
        tg_run_all(script->generation, accounts, count);
}

void tg_script_due(struct tg_script *script, struct tg_account *account)
{
    if (!script->generation || !script->generation->timed || !account->wake_wall_ms) return;
    uint32_t mark = script->shadow ? tg_shadow_mark(script->shadow) : 0;
    tg_run_due(script->generation, account);
    if (script->shadow) tg_shadow_due(script->shadow, mark, script->generation, account);
}

static void tell(struct tg_script *script, struct tg_account *account, int kind, const char *what)
{
    struct tg_generation *generation = script->generation;
    uint32_t mark = script->shadow ? tg_shadow_mark(script->shadow) : 0;
    if (generation->on & UINT32_C(1) << kind)
        tg_run_told(generation, account, kind, what);
    else if (script->trace)
        tg_trace_told(script->trace, generation, account, tg_wall_ms(script->options.clock), kind,
                      what);
    if (script->shadow) tg_shadow_told(script->shadow, mark, generation, account, kind, what);
}

void tg_script_tell(struct tg_script *script, struct tg_account *account, const char *moment,
                    const char *what)
{
    if (!script->generation) return;
    for (int kind = TG_ON_SOURCE_STATUS; kind <= TG_ON_CLIENT_DISCONNECTED; kind++)
        if (!strcmp(tg_on_name(kind), moment)) tell(script, account, kind, what);
}

int tg_script_snapshot(struct tg_script *script, struct tg_account *account, struct tg_buf *out)
{
    size_t before = out->len;
    if (!script->generation) return -TG_ENOTFOUND;
    int rc = tg_run_snapshot(script->generation, account, out);
    if (script->shadow && !out->failed)
        tg_shadow_snapshot(script->shadow, script->generation, account, out->data + before,
                           out->len - before);
    return rc;
}

void tg_script_forget(struct tg_script *script, const struct tg_account *account)
{
    if (script->generation) tg_run_forget(script->generation, account);
    if (script->shadow) tg_shadow_forget(script->shadow, account);
}

uint32_t tg_script_class_join(struct tg_script *script, const char *subject,
                              const char *claims_json, const char *query)
{
    return tg_classes_join(&script->classes, subject, claims_json, query);
}

void tg_script_class_leave(struct tg_script *script, uint32_t client_class)
{
    tg_classes_leave(&script->classes, client_class);
}

bool tg_script_permits(struct tg_script *script, const struct tg_script_event *event,
                       uint32_t client_class)
{
    struct tg_generation *generation = script->generation;
    struct tg_class *class = tg_classes_at(&script->classes, client_class);
    if (!event->filtered) return true;
    if (!generation || !class || !generation->run) return false;
    if (class->asked == generation->event_serial && class->asked_of == generation->number)
        return class->verdict;
    class->verdict = tg_run_permits(generation, event, class);
    if (script->trace) tg_trace_permit(script->trace, generation->speaking, class->verdict);
    class->asked = generation->event_serial;
    class->asked_of = generation->number;
    return class->verdict;
}

void tg_script_idle(struct tg_script *script, const struct tg_account *account)
{
    if (script->trace && script->generation)
        tg_trace_idle(script->trace, script->generation, account,
                      tg_wall_ms(script->options.clock));
}

int tg_script_explain(const struct tg_script *script, const struct tg_script_question *question,
                      struct tg_buf *out)
{
    struct tg_trace_question asked = {question->account_id, question->type, question->since_wall_ms,
                                      question->limit};
    if (!script->trace || !script->generation) return -TG_ENOTFOUND;
    int64_t kept_ms =
        tg_wall_ms(script->options.clock) - (int64_t)script->options.explain_seconds * 1000;
    if (asked.since_wall_ms < kept_ms) asked.since_wall_ms = kept_ms;
    if (!asked.limit) asked.limit = 100;
    return tg_trace_explain(script->trace, script->generation, &asked, out);
}

const struct tg_envelope *tg_script_envelope(const struct tg_script *script)
{
    static const struct tg_envelope plain = {"type", "seq", "rev", "timestamp", ""};
    return script->generation ? &script->generation->envelope : &plain;
}

void tg_script_status(const struct tg_script *script, struct tg_script_status *out)
{
    const struct tg_generation *generation = script->generation;
    *out = (struct tg_script_status){
        .reloads_ok = script->reloads_ok,
        .reloads_failed = script->reloads_failed,
        .preemption = tg_leash_rings() && !script->options.interpreted,
        .memory_cap = script->options.memory_bytes,
        .classes = script->classes.living,
        .origin = script->origin,
        .rollback = script->rollback,
        .rollbacks = script->rollbacks,
        .rollbacks_automatic = script->rollbacks_automatic,
        .kept = script->past.count,
    };
    int64_t now_ms = tg_mono_ms(script->options.clock);
    if (tg_probation_runs(&script->probation, now_ms))
        out->probation_ms = script->probation.until_ms - now_ms;
    memcpy(out->last_error, script->last_error, sizeof out->last_error);
    if (!generation) return;
    out->generation = generation->number;
    memcpy(out->name, generation->name, sizeof out->name);
    memcpy(out->version, generation->version, sizeof out->version);
    out->loaded_wall_ms = generation->loaded_wall_ms;
    out->memory_used = generation->vm.used;
    out->walks = generation->walks;
    out->rules = generation->rules_count;
}

bool tg_script_rule(const struct tg_script *script, uint32_t index, struct tg_rule_status *out)
{
    const struct tg_generation *generation = script->generation;
    if (!generation || index >= generation->rules_count) return false;
    const struct tgl_tally *tally = &generation->work.tallies[index];
    const struct tg_rule *rule = &generation->rules[index];
    *out = (struct tg_rule_status){
        .name = rule->name,
        .file = rule->path,
        .type = rule->type,
        .lane = rule->lane,
        .watch = rule->watch,
        .on = rule->on,
        .calls = (uint64_t)tally->calls,
        .events = (uint64_t)tally->events,
        .faults = (uint64_t)tally->faults,
        .dropped = (uint64_t)tally->dropped,
        .nanoseconds = (int64_t)tally->nanoseconds,
        .muted = tally->muted != 0,
        .stopped = tally->muted == TG_MUTED_BY_FAULT,
        .why = rule->why,
        .where = rule->where,
        .last_fault = rule->last_fault,
        .last_fault_wall_ms = rule->last_fault_wall_ms,
    };
    return true;
}

int tg_script_mute(struct tg_script *script, const char *name)
{
    struct tg_generation *generation = script->generation;
    if (!generation || !tg_generation_find(generation, name)) return -TG_ENOTFOUND;
    int rc = tg_generation_hush(generation, name);
    if (!rc && script->shadow) tg_shadow_hush(script->shadow, name, true);
    return rc;
}

int tg_script_unmute(struct tg_script *script, const char *name)
{
    struct tg_generation *generation = script->generation;
    struct tg_rule *rule = generation ? tg_generation_find(generation, name) : NULL;
    if (rule && rule->hollow) return -TG_EINVAL;
    bool hushed = generation && tg_generation_unhush(generation, name);
    if (hushed && script->shadow) tg_shadow_hush(script->shadow, name, false);
    if (!rule) return hushed ? 1 : -TG_ENOTFOUND;
    tg_generation_unmute(generation, (uint32_t)(rule - generation->rules));
    return 0;
}

const char *tg_script_muted_absent(const struct tg_script *script, uint32_t index)
{
    struct tg_generation *generation = script->generation;
    for (uint32_t i = 0; generation && i < generation->hushed.count; i++) {
        const char *name = generation->hushed.names[i];
        if (!tg_generation_find(generation, name) && !index--) return name;
    }
    return NULL;
}
