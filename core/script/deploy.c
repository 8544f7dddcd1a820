/* How one generation follows another. Everything that can fail is done on a candidate that nobody
 * sees; the swap itself is one assignment between two ticks. What is replaced is kept as text, so
 * the way back does not depend on the disk, and the files that were rolled back are not taken again
 * because somebody touched them.
 *
 * A rollback is not proved anew: it ran before, and the wish to leave what runs now is the stronger
 * reason. */
#include "base/log.h"
#include "base/text.h"
#include "script/script_inner.h"
#include "script/trial.h"

#include <stdlib.h>
#include <string.h>

/* What rules remember is kept beside a set that was replaced, when it is no more than this. */
#define KEPT_MEMORY (8 * 1024 * 1024)

/* Times the faults a call of the rule before: so many more are worse. */
#define WORSE 2

static int refuse(struct tg_script *script, int rc, const struct tg_err *why, struct tg_err *err)
{
    script->reloads_failed++;
    tg_copy(script->last_error, sizeof script->last_error, why->text, strlen(why->text));
    return tg_fail(err, -rc, "%s", why->text);
}

/* The candidate, proved, with what the running one remembers; `memories` holds the bytes. */
static int build(struct tg_script *script, const struct tg_ruleset *set,
                 const struct tg_memories *memories, struct tg_generation **out, struct tg_err *err)
{
    struct tg_script_options options = script->options;
    if (memories->back) options.load_ms = 0; /* it ran before: a slow hour must not bar the way */
    struct tg_trial trial = {.options = &script->options,
                             .classes = &script->classes,
                             .running = script->generation,
                             .memories = memories};
    struct tg_generation *candidate = tg_generation_new(&options, TG_ROLE_LIVE, set, err);
    if (!candidate) return -TG_EINVAL;
    int rc = memories->back ? 0 : tg_trial_run(&trial, set, err);
    script->tried = trial.accounts;
    if (!rc && script->generation)
        rc = tg_generation_inherit(candidate, script->generation, memories, err);
    if (rc) {
        tg_generation_free(candidate);
        return rc;
    }
    *out = candidate;
    return 0;
}

static void save(struct tg_script *script, char **bytes, struct tg_memories *memories)
{
    if (script->generation && !tg_generation_save(script->generation, bytes, &memories->len))
        memories->bytes = *bytes;
}

/* The candidate takes the place of what runs, which is kept as text unless the way is back. Takes
 * the set and the bytes of memory. */
static void swap(struct tg_script *script, struct tg_generation *candidate, struct tg_ruleset *set,
                 char *bytes, const struct tg_memories *memories)
{
    struct tg_generation *former = script->generation;
    candidate->set = *set;
    *set = (struct tg_ruleset){0};
    candidate->number = ++script->number;
    candidate->loaded_wall_ms = tg_wall_ms(script->options.clock);
    script->generation = candidate;
    if (script->shadow && tg_shadow_face(script->shadow, candidate))
        tg_script_candidate_drop(script); /* no memory to compare with */
    candidate->trace = script->trace;
    if (script->trace) tg_trace_cast(script->trace, candidate);
    script->reloads_ok++;
    script->last_error[0] = '\0';
    if (former && !memories->back && strcmp(former->version, candidate->version) != 0) {
        bool kept = memories->len <= KEPT_MEMORY;
        tg_past_push(&script->past, (struct tg_past_row){.set = former->set,
                                                         .number = former->number,
                                                         .memory = kept ? bytes : NULL,
                                                         .len = kept ? memories->len : 0});
        former->set = (struct tg_ruleset){0};
        if (kept) bytes = NULL;
    }
    free(bytes);
    tg_generation_free(former);
    tg_audit("rules", "loaded", tg_s("name", candidate->name), tg_s("version", candidate->version),
             tg_i("generation", candidate->number), tg_i("rules", candidate->rules_count),
             tg_i("tried_on_accounts", script->tried),
             tg_i("microseconds", tg_mono_us() - script->begun_us));
}

int tg_script_deploy(struct tg_script *script, struct tg_ruleset *set, enum tg_origin origin,
                     struct tg_err *err)
{
    struct tg_generation *candidate;
    struct tg_memories memories = {0};
    struct tg_err why = {{0}};
    char *bytes = NULL;
    tg_must(!script->generation || !script->generation->run);
    script->begun_us = tg_mono_us();
    save(script, &bytes, &memories);
    int rc = build(script, set, &memories, &candidate, &why);
    if (rc) {
        tg_ruleset_fini(set);
        free(bytes);
        return refuse(script, rc, &why, err);
    }
    /* The same files again prove nothing new, and are no reason to doubt them. */
    bool fresh = script->generation && strcmp(script->generation->version, candidate->version) != 0;
    swap(script, candidate, set, bytes, &memories);
    script->origin = origin;
    script->rollback = (struct tg_script_rollback){0};
    if (fresh)
        tg_probation_begin(&script->probation, script->events, tg_mono_ms(script->options.clock));
    return 0;
}

static int read_files(struct tg_script *script, struct tg_ruleset *set, struct tg_err *err)
{
    const struct tg_script_options *options = &script->options;
    struct tg_err why = {{0}};
    script->signature = tg_ruleset_signature(options->paths, options->paths_count);
    int rc = tg_ruleset_read(set, options->paths, options->paths_count, &why);
    return rc ? refuse(script, rc, &why, err) : 0;
}

int tg_script_load(struct tg_script *script, struct tg_err *err)
{
    struct tg_ruleset set;
    int rc = read_files(script, &set, err);
    return rc ? rc : tg_script_deploy(script, &set, TG_ORIGIN_FILES, err);
}

int tg_script_follow(struct tg_script *script, struct tg_err *err)
{
    struct tg_ruleset set;
    int rc = read_files(script, &set, err);
    if (rc) return rc;
    if (script->generation && !strcmp(set.version, script->generation->version)) {
        /* Whatever way it came to run, now it is what the files say. */
        tg_ruleset_fini(&set);
        script->last_error[0] = '\0';
        script->origin = TG_ORIGIN_FILES;
        script->rollback = (struct tg_script_rollback){0};
        return 1;
    }
    if (!strcmp(set.version, script->rollback.version)) {
        tg_ruleset_fini(&set);
        return tg_fail(err, TG_EAGAIN, "the files are the set %s that was rolled back: %s",
                       script->rollback.version, script->rollback.reason);
    }
    return tg_script_deploy(script, &set, TG_ORIGIN_FILES, err);
}

int tg_script_check(struct tg_script *script, struct tg_script_counts *counts, struct tg_err *err)
{
    const struct tg_script_options *options = &script->options;
    struct tg_generation *candidate;
    struct tg_memories memories = {0};
    struct tg_ruleset set;
    char *bytes = NULL;
    int rc = tg_ruleset_read(&set, options->paths, options->paths_count, err);
    if (rc) return rc;
    save(script, &bytes, &memories);
    rc = build(script, &set, &memories, &candidate, err);
    if (!rc && counts)
        *counts = (struct tg_script_counts){candidate->rules_count, candidate->examples_count};
    if (!rc) tg_generation_free(candidate);
    tg_ruleset_fini(&set);
    free(bytes);
    return rc;
}

bool tg_script_stale(struct tg_script *script)
{
    if (!script->options.paths_count) return false;
    return script->signature !=
           tg_ruleset_signature(script->options.paths, script->options.paths_count);
}

static int roll_back(struct tg_script *script, const char *reason, bool automatic,
                     struct tg_err *err)
{
    struct tg_past_row *row = tg_past_top(&script->past);
    struct tg_memories memories = {.back = true};
    struct tg_generation *candidate;
    char *bytes = NULL;
    if (!row) return tg_fail(err, TG_ENOTFOUND, "no rule set ran before this one");
    tg_must(!script->generation->run);
    script->begun_us = tg_mono_us();
    struct tg_script_rollback note = {.wall_ms = tg_wall_ms(script->options.clock),
                                      .automatic = automatic};
    uint32_t from = script->generation->number;
    memcpy(note.version, script->generation->version, sizeof note.version);
    tg_copy(note.reason, sizeof note.reason, reason, strlen(reason));
    save(script, &bytes, &memories);
    memories.former = row->memory;
    memories.former_len = row->len;
    int rc = build(script, &row->set, &memories, &candidate, err);
    if (rc) {
        free(bytes);
        return rc;
    }
    swap(script, candidate, &row->set, bytes, &memories);
    tg_past_pop(&script->past);
    script->origin = TG_ORIGIN_ROLLBACK;
    script->rollback = note;
    script->rollbacks++;
    script->rollbacks_automatic += automatic;
    tg_probation_revert(&script->probation);
    tg_audit("rules", "rolled_back", tg_s("by", automatic ? "probation" : "operator"),
             tg_s("reason", reason), tg_i("from", from), tg_s("from_version", note.version),
             tg_i("generation", script->generation->number),
             tg_s("version", script->generation->version));
    return 0;
}

int tg_script_rollback(struct tg_script *script, const char *reason, struct tg_err *err)
{
    return roll_back(script, reason, false, err);
}

/* Whether a rule does worse than the one of its name did before. */
static bool is_worse(const struct tg_script *script, struct tg_err *why)
{
    const struct tg_generation *generation = script->generation;
    for (uint32_t i = 0; i < generation->rules_count; i++) {
        const struct tg_rule *rule = &generation->rules[i];
        const struct tgl_tally *tally = &generation->work.tallies[i];
        if (rule->faulty_before >= 1) continue;
        if (tally->muted == TG_MUTED_BY_FAULT) {
            (void)tg_fail(why, TG_EINVAL, "rule \"%s\" was muted: %s", rule->name,
                          rule->last_fault);
            return true;
        }
        bool often = tally->faults > WORSE * rule->faulty_before * tally->calls;
        if (script->options.rollback_faults && often &&
            tally->faults >= script->options.rollback_faults) {
            (void)tg_fail(why, TG_EINVAL, "rule \"%s\" faulted %.0f times: %s", rule->name,
                          tally->faults, rule->last_fault);
            return true;
        }
    }
    return false;
}

static bool is_louder(const struct tg_script *script, int64_t now_ms, struct tg_err *why)
{
    const struct tg_probation *probation = &script->probation;
    const struct tg_script_options *options = &script->options;
    if (!options->live) return false;
    uint64_t said = script->events - probation->begun_total;
    uint64_t allowed = tg_probation_allows(probation, options->live(options->ctx, NULL, 0), now_ms);
    if (said <= allowed) return false;
    (void)tg_fail(why, TG_ELIMIT,
                  "%llu events in %lld ms, %llu are allowed: before, there were %.1f a second",
                  (unsigned long long)said, (long long)(now_ms - probation->begun_ms),
                  (unsigned long long)allowed, probation->rate);
    return true;
}

bool tg_script_tick(struct tg_script *script, struct tg_err *why)
{
    int64_t now_ms = tg_mono_ms(script->options.clock);
    struct tg_err err = {{0}};
    bool judged = script->probation.until_ms != 0;
    tg_probation_note(&script->probation, script->events);
    if (!judged || !script->generation || !tg_past_top(&script->past)) return false;
    bool bad = is_worse(script, why) || is_louder(script, now_ms, why);
    if (!bad) {
        if (!tg_probation_runs(&script->probation, now_ms)) script->probation.until_ms = 0;
        return false;
    }
    if (!roll_back(script, why->text, true, &err)) return true;
    tg_error("rules", "rollback_failed", tg_s("reason", why->text), tg_s("message", err.text));
    script->probation.until_ms = 0;
    return false;
}
