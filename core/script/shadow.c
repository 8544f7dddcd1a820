/* The live generation runs first and is never waited for: its events are out before the candidate
 * sees the account. Then the candidate runs over the same account, at the same time of the clock,
 * and both sides' events are laid beside each other, rule by rule.
 *
 * A candidate that had skipped a poll would remember something else from then on, and every
 * difference after it would be a lie. So an account for which there is no time is left out for
 * good: fewer accounts are compared, but what is told of them is true.
 *
 * What would break it: letting the candidate's `every` wake the live account. Its wakes are kept
 * here, by slot, and put into the account only while it runs. */
#include "script/shadow.h"

#include "base/log.h"
#include "script/run.h"
#include "script/shadow_inner.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000

static uint32_t row_of(struct tg_shadow *shadow, const char *name)
{
    for (uint32_t i = 0; i < shadow->rows_count; i++)
        if (!strcmp(shadow->rows[i].name, name)) return i;
    if (shadow->rows_count == shadow->rows_cap) {
        uint32_t cap = shadow->rows_cap ? shadow->rows_cap * 2 : 16;
        struct tg_shadow_row *rows = realloc(shadow->rows, cap * sizeof *rows);
        if (!rows) return UINT32_MAX;
        shadow->rows = rows;
        shadow->rows_cap = cap;
    }
    char *copy = strdup(name);
    if (!copy) return UINT32_MAX;
    shadow->rows[shadow->rows_count] =
        (struct tg_shadow_row){.name = copy, .live = -1, .candidate = -1};
    return shadow->rows_count++;
}

static void free_rows(struct tg_shadow *shadow)
{
    for (uint32_t i = 0; i < shadow->rows_count; i++) {
        free(shadow->rows[i].name);
        for (int k = 0; k < TG_SHADOW_SAMPLES; k++)
            free(shadow->rows[i].samples[k]);
    }
    free(shadow->rows);
    free(shadow->row_of_live);
    free(shadow->row_of_candidate);
    shadow->rows = NULL;
    shadow->row_of_live = shadow->row_of_candidate = NULL;
    shadow->rows_count = shadow->rows_cap = 0;
}

int tg_shadow_face(struct tg_shadow *shadow, const struct tg_generation *live)
{
    const struct tg_generation *own = shadow->generation;
    free_rows(shadow);
    shadow->live.count = 0;
    tg_buf_clear(&shadow->live.text);
    shadow->row_of_live = calloc(live->rules_count + 1, sizeof *shadow->row_of_live);
    shadow->row_of_candidate = calloc(own->rules_count + 1, sizeof *shadow->row_of_candidate);
    if (!shadow->row_of_live || !shadow->row_of_candidate) return -TG_ENOMEM;
    for (uint32_t i = 0; i < live->rules_count; i++) {
        uint32_t row = shadow->row_of_live[i] = row_of(shadow, live->rules[i].name);
        if (row == UINT32_MAX) return -TG_ENOMEM;
        shadow->rows[row].live = (int)i;
        shadow->rows[row].filtered |= live->rules[i].filtered;
    }
    for (uint32_t i = 0; i < own->rules_count; i++) {
        uint32_t row = shadow->row_of_candidate[i] = row_of(shadow, own->rules[i].name);
        if (row == UINT32_MAX) return -TG_ENOMEM;
        shadow->rows[row].candidate = (int)i;
        shadow->rows[row].filtered |= own->rules[i].filtered;
    }
    shadow->faced = live->number;
    shadow->faced_wall_ms = tg_wall_ms(shadow->options.script->clock);
    return 0;
}

/* The account's follow, made when it is new; NULL: left out, or no memory. */
static struct tg_follow *follow(struct tg_shadow *shadow, const struct tg_account *account)
{
    if (account->slot >= shadow->follows_cap) {
        uint32_t cap = shadow->follows_cap ? shadow->follows_cap : 64;
        while (cap <= account->slot)
            cap *= 2;
        struct tg_follow *follows = realloc(shadow->follows, cap * sizeof *follows);
        if (!follows) return NULL;
        memset(follows + shadow->follows_cap, 0, (cap - shadow->follows_cap) * sizeof *follows);
        shadow->follows = follows;
        shadow->follows_cap = cap;
    }
    struct tg_follow *at = &shadow->follows[account->slot];
    if (at->birth != account->birth) {
        *at = (struct tg_follow){.birth = account->birth};
        shadow->followed++;
    }
    return at->left_out ? NULL : at;
}

static const struct tg_follow *known(const struct tg_shadow *shadow,
                                     const struct tg_account *account)
{
    const struct tg_follow *at =
        account->slot < shadow->follows_cap ? &shadow->follows[account->slot] : NULL;
    return at && at->birth == account->birth ? at : NULL;
}

/* The live account's wakes are the candidate's as well when it begins: it remembers the same. */
static void adopt(struct tg_shadow *shadow)
{
    const struct tg_script_options *script = shadow->options.script;
    uint32_t count = script->live ? script->live(script->ctx, NULL, 0) : 0;
    struct tg_account **accounts = count ? calloc(count, sizeof *accounts) : NULL;
    if (!accounts) return;
    count = script->live(script->ctx, accounts, count);
    for (uint32_t i = 0; i < count; i++) {
        struct tg_follow *at = follow(shadow, accounts[i]);
        if (at) at->wake_wall_ms = accounts[i]->wake_wall_ms;
    }
    free(accounts);
}

void tg_shadow_hear(struct tg_shadow *shadow, struct tg_generation *live,
                    const struct tg_script_event *event)
{
    const struct tg_follow *at = known(shadow, event->account);
    if (at && at->left_out) return;
    tg_shadow_keep(shadow, &shadow->live, live, event, shadow->row_of_live[event->rule]);
}

static void hear_candidate(void *ctx, const struct tg_script_event *event)
{
    struct tg_shadow *shadow = ctx;
    tg_shadow_keep(shadow, &shadow->candidate, shadow->generation, event,
                   shadow->row_of_candidate[event->rule]);
}

/* Whether this second has time left. */
static bool has_time(struct tg_shadow *shadow)
{
    int64_t now = tg_mono_us();
    if (now - shadow->second_us >= SECOND_US) {
        shadow->second_us = now;
        shadow->second_spent_us = 0;
    }
    return shadow->second_spent_us < (int64_t)shadow->options.ms_per_second * 1000;
}

static void spend(struct tg_shadow *shadow, int64_t begun_us)
{
    int64_t spent = tg_run_burnt_us() - begun_us;
    shadow->second_spent_us += spent;
    shadow->spent_us += (uint64_t)spent;
}

/* What the candidate is run for. */
struct turn {
    enum { TURN_POLL, TURN_DUE, TURN_TOLD } what;
    int kind;
    const char *told;
};

/* One account: the candidate runs at the live run's time, with its own wake, and is compared. */
static void run_one(struct tg_shadow *shadow, struct tg_shadow_part part,
                    const struct tg_generation *live, struct tg_account *account,
                    const struct turn *turn)
{
    struct tg_follow *at = follow(shadow, account);
    if (!at) return;
    if (!has_time(shadow)) {
        at->left_out = true;
        shadow->left_out++;
        shadow->followed--;
        return;
    }
    int64_t begun_us = tg_run_burnt_us(), wake_wall_ms = account->wake_wall_ms;
    shadow->clock.wall = (int64_t)live->work.now_ms;
    shadow->clock.mono = tg_mono_ms(shadow->options.script->clock);
    shadow->candidate.count = 0;
    tg_buf_clear(&shadow->candidate.text);
    account->wake_wall_ms = at->wake_wall_ms;
    if (turn->what == TURN_POLL)
        tg_run_all(shadow->generation, &account, 1);
    else if (turn->what == TURN_DUE)
        tg_run_due(shadow->generation, account);
    else
        tg_run_told(shadow->generation, account, turn->kind, turn->told);
    at->wake_wall_ms = account->wake_wall_ms;
    account->wake_wall_ms = wake_wall_ms;
    shadow->runs++;
    tg_shadow_compare(shadow, part, account, turn->told);
    spend(shadow, begun_us);
}

/* Forgets what was heard since `mark`. */
static void hush(struct tg_shadow *shadow, uint32_t mark)
{
    shadow->live.count = mark;
    if (!mark) tg_buf_clear(&shadow->live.text);
}

uint32_t tg_shadow_mark(const struct tg_shadow *shadow)
{
    return shadow->live.count;
}

void tg_shadow_run(struct tg_shadow *shadow, uint32_t mark, const struct tg_generation *live,
                   struct tg_account *const *accounts, uint32_t count)
{
    struct turn turn = {.what = TURN_POLL};
    struct tg_shadow_part part = {mark, mark};
    for (uint32_t i = 0; i < count; i++) {
        /* The live run has told account by account, in this order. */
        while (part.end < shadow->live.count && !shadow->live.rows[part.end].account)
            part.end++;
        part.first = part.end;
        while (part.end < shadow->live.count && shadow->live.rows[part.end].account == accounts[i])
            part.end++;
        run_one(shadow, part, live, accounts[i], &turn);
    }
    hush(shadow, mark);
}

void tg_shadow_due(struct tg_shadow *shadow, uint32_t mark, const struct tg_generation *live,
                   struct tg_account *account)
{
    struct turn turn = {.what = TURN_DUE};
    run_one(shadow, (struct tg_shadow_part){mark, shadow->live.count}, live, account, &turn);
    hush(shadow, mark);
}

void tg_shadow_told(struct tg_shadow *shadow, uint32_t mark, const struct tg_generation *live,
                    struct tg_account *account, int kind, const char *what)
{
    struct turn turn = {.what = TURN_TOLD, .kind = kind, .told = what};
    bool listens = shadow->generation->on & UINT32_C(1) << kind;
    if (!listens && shadow->live.count == mark) return;
    run_one(shadow, (struct tg_shadow_part){mark, shadow->live.count}, live, account, &turn);
    hush(shadow, mark);
}

bool tg_shadow_wakes(const struct tg_shadow *shadow, const struct tg_account *account,
                     int64_t wall_ms)
{
    const struct tg_follow *at = known(shadow, account);
    if (at && at->left_out) return false;
    return tg_run_wakes(shadow->generation, account, at ? at->wake_wall_ms : 0, wall_ms);
}

/* The row of the rule that makes the snapshots of a generation, UINT32_MAX = the built-in one. */
static uint32_t maker_of(const struct tg_generation *generation, const uint32_t *rows)
{
    return generation->snapshot.rule >= 0 ? rows[generation->snapshot.rule] : UINT32_MAX;
}

void tg_shadow_snapshot(struct tg_shadow *shadow, const struct tg_generation *live,
                        struct tg_account *account, const char *text, size_t len)
{
    uint32_t row = maker_of(live, shadow->row_of_live);
    if (row == UINT32_MAX) row = maker_of(shadow->generation, shadow->row_of_candidate);
    struct tg_follow *at = row == UINT32_MAX ? NULL : follow(shadow, account);
    if (!at || !has_time(shadow)) return; /* a snapshot leaves nothing behind: the next may fit */
    int64_t begun_us = tg_run_burnt_us();
    struct tg_buf own = {0};
    struct tg_script_event event = {
        .account = account, .type = "snapshot", .payload = text, .len = len};
    uint32_t mark = shadow->live.count;
    shadow->clock.wall = tg_wall_ms(shadow->options.script->clock);
    (void)tg_run_snapshot(shadow->generation, account, &own);
    shadow->candidate.count = 0;
    tg_buf_clear(&shadow->candidate.text);
    if (!own.failed && own.len) {
        tg_shadow_keep(shadow, &shadow->live, NULL, &event, row);
        event.payload = own.data;
        event.len = own.len;
        tg_shadow_keep(shadow, &shadow->candidate, NULL, &event, row);
        tg_shadow_compare(shadow, (struct tg_shadow_part){mark, shadow->live.count}, account, NULL);
    }
    hush(shadow, mark);
    tg_buf_fini(&own);
    spend(shadow, begun_us);
}

void tg_shadow_forget(struct tg_shadow *shadow, const struct tg_account *account)
{
    const struct tg_follow *at = known(shadow, account);
    for (uint32_t i = 0; i < shadow->live.count; i++)
        if (shadow->live.rows[i].account == account) shadow->live.rows[i].account = NULL;
    if (at) {
        if (at->left_out)
            shadow->left_out--;
        else
            shadow->followed--;
        shadow->follows[account->slot] = (struct tg_follow){0};
    }
    tg_run_forget(shadow->generation, account);
}

static bool copy_paths(struct tg_shadow *shadow)
{
    size_t count = (size_t)shadow->options.paths_count;
    shadow->paths = calloc(count + 1, sizeof *shadow->paths);
    if (!shadow->paths) return false;
    for (size_t i = 0; i < count; i++)
        if (!(shadow->paths[i] = strdup(shadow->options.paths[i]))) return false;
    shadow->options.paths = (const char *const *)shadow->paths;
    return true;
}

static int prepare(struct tg_shadow *shadow, struct tg_ruleset *set, struct tg_generation *live,
                   struct tg_err *err)
{
    struct tg_memories memories = {0};
    char *bytes = NULL;
    if (!copy_paths(shadow)) return tg_fail(err, TG_ENOMEM, "no memory for the candidate");
    tg_shadow_seen(shadow);
    tg_clock_virtual_init(&shadow->clock, tg_mono_ms(shadow->options.script->clock),
                          tg_wall_ms(shadow->options.script->clock));
    shadow->engine.interpreted = true;
    shadow->engine.clock = &shadow->clock.clock;
    shadow->engine.emit = hear_candidate;
    shadow->engine.ctx = shadow;
    shadow->generation = tg_generation_new(&shadow->engine, TG_ROLE_CANDIDATE, set, err);
    if (!shadow->generation) return -TG_EINVAL;
    shadow->generation->set = *set;
    *set = (struct tg_ruleset){0};
    if (!tg_generation_save(live, &bytes, &memories.len)) memories.bytes = bytes;
    int rc = tg_generation_inherit(shadow->generation, live, &memories, err);
    free(bytes);
    if (!rc && tg_shadow_face(shadow, live))
        rc = tg_fail(err, TG_ENOMEM, "no memory for the candidate");
    if (!rc) adopt(shadow);
    return rc;
}

int tg_shadow_new(const struct tg_shadow_options *options, struct tg_ruleset *set,
                  struct tg_generation *live, struct tg_shadow **out, struct tg_err *err)
{
    struct tg_shadow *shadow = calloc(1, sizeof *shadow);
    int rc = -TG_ENOMEM;
    if (shadow) {
        shadow->options = *options;
        shadow->engine = *options->script;
        shadow->started_wall_ms = tg_wall_ms(options->script->clock);
        rc = prepare(shadow, set, live, err);
    } else {
        (void)tg_fail(err, TG_ENOMEM, "no memory for the candidate");
    }
    tg_ruleset_fini(set);
    if (rc) {
        tg_shadow_free(shadow);
        return rc;
    }
    *out = shadow;
    return 0;
}

void tg_shadow_free(struct tg_shadow *shadow)
{
    if (!shadow) return;
    tg_generation_free(shadow->generation);
    free_rows(shadow);
    for (int i = 0; shadow->paths && i < shadow->options.paths_count; i++)
        free(shadow->paths[i]);
    free(shadow->paths);
    free(shadow->live.rows);
    free(shadow->candidate.rows);
    tg_buf_fini(&shadow->live.text);
    tg_buf_fini(&shadow->candidate.text);
    free(shadow->follows);
    free(shadow);
}

void tg_shadow_hush(struct tg_shadow *shadow, const char *rule, bool on)
{
    if (!on)
        (void)tg_generation_unhush(shadow->generation, rule);
    else if (tg_generation_hush(shadow->generation, rule))
        tg_warn("rules", "candidate_speaks", tg_s("rule", rule),
                tg_s("reason", "no memory to silence the candidate's rule"));
}

const struct tg_ruleset *tg_shadow_set(const struct tg_shadow *shadow)
{
    return &shadow->generation->set;
}

bool tg_shadow_stale(const struct tg_shadow *shadow)
{
    return shadow->signature !=
           tg_ruleset_signature(shadow->options.paths, shadow->options.paths_count);
}

void tg_shadow_seen(struct tg_shadow *shadow)
{
    shadow->signature = tg_ruleset_signature(shadow->options.paths, shadow->options.paths_count);
}

const char *const *tg_shadow_paths(const struct tg_shadow *shadow, int *count)
{
    *count = shadow->options.paths_count;
    return shadow->options.paths;
}
