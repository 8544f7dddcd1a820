/* The rules are run over the accounts as they are at this moment, but as if everything had just
 * happened: every field changed, what `every` holds back is due, and the account's first position
 * opened, was modified and closed. So a rule that divides by a margin that is 0 for real accounts
 * falls here, and not in front of clients.
 *
 * The VM is one of its own, because a rule that ran has remembered things: in its memory, in the
 * locals of its file. It is interpreted, so the live VM keeps the bell and its compiled code.
 *
 * What faults in the running generation on the same accounts is not held against the new one: an
 * operator must be able to repair one rule while another one is broken. */
#include "script/trial.h"

#include "model/field.h"
#include "script/run.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 8   /* accounts between two looks at the time */
#define CLASSES 4 /* whose filters are asked for each event */
#define MOMENTS 3

/* An account as if everything had just happened to it. */
struct scene {
    struct tg_account account;
    struct tg_moment moments[MOMENTS];
};

struct stage {
    struct tg_generation *generation;
    struct tg_classes *classes;
};

static void listen(void *ctx, const struct tg_script_event *event)
{
    const struct stage *stage = ctx;
    if (!event->filtered) return;
    for (uint32_t id = 1, asked = 0; id <= stage->classes->count && asked < CLASSES; id++) {
        struct tg_class *class = tg_classes_at(stage->classes, id);
        if (!class) continue;
        (void)tg_run_permits(stage->generation, event, class);
        asked++;
    }
}

static void add_moment(struct scene *scene, int kind, const struct tgl_position *position)
{
    struct tg_moment *moment = &scene->moments[scene->account.moments_count++];
    *moment = (struct tg_moment){.kind = kind, .position = *position, .was = *position};
    tg_moment_blank(&moment->about);
    moment->about.estimated = moment->about.synthetic = moment->about.coalesced = 0;
    moment->about.digits = position->digits;
    moment->about.currency_digits = scene->account.now.currency_digits;
    if (kind == TG_MOMENT_POSITION_MODIFIED)
        moment->changed = (UINT64_C(1) << tg_position_entity.count) - 1;
    if (kind != TG_MOMENT_POSITION_CLOSED) return;
    moment->about.estimated = 1;
    moment->about.volume_closed = position->volume;
    moment->about.close_price = position->price_current;
    moment->about.net_profit = position->profit;
}

static void set_scene(struct scene *scene, const struct tg_account *account)
{
    scene->account = *account;
    scene->account.changed = (UINT64_C(1) << tg_account_entity.count) - 1;
    scene->account.wake_wall_ms = 1;
    scene->account.moments = scene->moments;
    scene->account.moments_count = 0;
    if (!account->positions.count) return;
    add_moment(scene, TG_MOMENT_POSITION_OPENED, account->positions.rows);
    add_moment(scene, TG_MOMENT_POSITION_MODIFIED, account->positions.rows);
    add_moment(scene, TG_MOMENT_POSITION_CLOSED, account->positions.rows);
}

static void play(struct tg_generation *generation, struct scene *scenes, uint32_t count)
{
    struct tg_account *accounts[CHUNK];
    struct tg_buf snapshot = {0};
    for (uint32_t i = 0; i < count; i++)
        accounts[i] = &scenes[i].account;
    tg_run_all(generation, accounts, count);
    for (uint32_t i = 0; i < count; i++) {
        tg_buf_clear(&snapshot);
        (void)tg_run_snapshot(generation, accounts[i], &snapshot);
        tg_run_told(generation, accounts[i], TG_ON_SOURCE_STATUS, "live");
    }
    tg_buf_fini(&snapshot);
}

/* Builds the set aside and runs it over `accounts`, until the time is up; NULL when it cannot be
 * built. `*played` is how many it has seen. */
static struct tg_generation *perform(const struct tg_trial *trial, const struct tg_ruleset *set,
                                     struct tg_account *const *accounts, uint32_t count,
                                     uint32_t *played)
{
    struct stage stage = {.classes = trial->classes};
    struct tg_script_options options = *trial->options;
    options.interpreted = true;
    options.emit = listen;
    options.ctx = &stage;
    *played = 0;
    stage.generation = tg_generation_new(&options, TG_ROLE_TRIAL, set, NULL);
    struct scene *scenes = stage.generation ? calloc(CHUNK, sizeof *scenes) : NULL;
    if (!scenes || tg_generation_inherit(stage.generation, trial->running, trial->memories, NULL)) {
        free(scenes);
        tg_generation_free(stage.generation);
        return NULL;
    }
    int64_t until_us = tg_run_burnt_us() + (int64_t)options.trial_ms * 1000;
    while (*played < count && (!*played || tg_run_burnt_us() < until_us)) {
        uint32_t n = count - *played < CHUNK ? count - *played : CHUNK;
        for (uint32_t i = 0; i < n; i++)
            set_scene(&scenes[i], accounts[*played + i]);
        play(stage.generation, scenes, n);
        *played += n;
    }
    free(scenes);
    return stage.generation;
}

static bool has_faulted(struct tg_generation *generation, const char *rule)
{
    const struct tg_rule *at = generation ? tg_generation_find(generation, rule) : NULL;
    return at && at->last_fault_wall_ms;
}

/* The first rule that faulted and does not in `before`; NULL when there is none. */
static const struct tg_rule *first_at_fault(struct tg_generation *generation,
                                            struct tg_generation *before)
{
    for (uint32_t i = 0; i < generation->rules_count; i++) {
        const struct tg_rule *rule = &generation->rules[i];
        if (rule->last_fault_wall_ms && !has_faulted(before, rule->name)) return rule;
    }
    return NULL;
}

int tg_trial_run(struct tg_trial *trial, const struct tg_ruleset *set, struct tg_err *err)
{
    const struct tg_script_options *options = trial->options;
    struct tg_generation *fresh = NULL, *before = NULL;
    int rc = 0;
    if (!trial->running || !options->live || options->trial_accounts <= 0) return 0;
    struct tg_account **accounts = calloc((size_t)options->trial_accounts, sizeof *accounts);
    if (!accounts) return tg_fail(err, TG_ENOMEM, "no memory for the dry run");
    uint32_t count = options->live(options->ctx, accounts, (uint32_t)options->trial_accounts);
    if (count) fresh = perform(trial, set, accounts, count, &trial->accounts);
    if (fresh && first_at_fault(fresh, NULL)) {
        uint32_t played;
        before = perform(trial, &trial->running->set, accounts, trial->accounts, &played);
        const struct tg_rule *rule = first_at_fault(fresh, before);
        if (rule)
            rc = tg_fail(err, TG_EINVAL, "dry run: rule \"%s\" fails on account %s: %s", rule->name,
                         rule->last_fault_account, rule->last_fault);
    }
    tg_generation_free(fresh);
    tg_generation_free(before);
    free(accounts);
    return rc;
}
