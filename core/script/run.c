/* C selects, Lua decides, C delivers. All steps of all accounts are laid out first, in the order in
 * which their events are to be told, and Lua walks them in one call: the loop stays compiled.
 * Events are queued, not emitted, while Lua runs, so nothing that an event sets off can find a VM
 * in the middle of something.
 *
 * Rules that are shapes and nothing else are taken by C itself, before Lua is entered for the rest;
 * then the events are put back into the order of the steps.
 *
 * A run takes a few accounts at a time and emits what they said before it goes on, so that what is
 * said and not yet sent is bounded however many accounts there are and whatever the rules say.
 *
 * When a call is stopped (the leash, or no memory), the walk itself is torn down with it, because
 * the hook spares nobody. That costs nothing: the cursor is in shared memory, the rule that was
 * stopped is muted, its events of this step are taken back, and the walk goes on behind it. */
#include "script/run.h"

#include "base/err.h"
#include "base/log.h"
#include "model/field.h"
#include "script/leash.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ACCOUNTS 128 /* of one walk; with rules.bytes_per_tick it bounds what waits to be sent */
#define SAMPLE 64    /* one call in so many is timed, here as in lua/beat.lua */
#define AHEAD 3      /* accounts ahead of the walk at which memory is asked for the next */

/* Room for one more step. */
static struct tgl_step *add_step(struct tg_generation *generation)
{
    if (generation->steps_count == generation->steps_cap) {
        uint32_t cap = generation->steps_cap ? generation->steps_cap * 2 : 64;
        struct tgl_step *steps = realloc(generation->steps, cap * sizeof *steps);
        if (!steps) return NULL;
        generation->steps = steps;
        uint8_t *verdicts = realloc(generation->verdicts, cap);
        if (!verdicts) return NULL;
        generation->verdicts = verdicts;
        generation->steps_cap = cap;
    }
    generation->verdicts[generation->steps_count] = TGL_NOT_RUN;
    return &generation->steps[generation->steps_count++];
}

/* A step for each rule that `wants`; without memory the rest of the account's steps are dropped. */
static bool select_rules(struct tg_generation *generation, uint32_t account, int moment,
                         uint64_t watch, uint32_t on, bool timed)
{
    for (uint32_t i = 0; i < generation->rules_count; i++) {
        const struct tg_rule *rule = &generation->rules[i];
        if (!(rule->watch & watch) && !(rule->on & on) && !(timed && rule->timed)) continue;
        if (generation->work.tallies[i].muted) continue;
        struct tgl_step *step = add_step(generation);
        if (!step) return false;
        *step = (struct tgl_step){account, i, moment};
    }
    return true;
}

static bool is_due(const struct tg_account *account, int64_t wall_ms)
{
    return account->wake_wall_ms && account->wake_wall_ms <= wall_ms;
}

int64_t tg_run_burnt_us(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)) return 0;
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

bool tg_run_wakes(const struct tg_generation *generation, const struct tg_account *account,
                  int64_t wake_wall_ms, int64_t wall_ms)
{
    if (account->changed & generation->watch) return true;
    if (generation->on & UINT32_C(1) << TG_ON_TICK) return true;
    for (uint32_t i = 0; i < account->moments_count; i++)
        if (generation->on & UINT32_C(1) << account->moments[i].kind) return true;
    return generation->timed && wake_wall_ms && wake_wall_ms <= wall_ms;
}

/* The order of a poll: what happened, what moved, what was waiting, what runs always. */
static void select_account(struct tg_generation *generation, struct tg_account *account,
                           uint32_t index, int64_t wall_ms)
{
    bool room = true;
    for (uint32_t i = 0; i < account->moments_count && room; i++) {
        uint32_t on = UINT32_C(1) << account->moments[i].kind;
        if (generation->on & on) room = select_rules(generation, index, (int)i, 0, on, false);
    }
    if (room && (account->changed & generation->watch))
        room = select_rules(generation, index, TGL_STEP_WATCH, account->changed, 0, false);
    if (room && generation->timed && is_due(account, wall_ms)) {
        account->wake_wall_ms = 0;
        room = select_rules(generation, index, TGL_STEP_DUE, 0, 0, true);
    }
    if (room && (generation->on & UINT32_C(1) << TG_ON_TICK))
        room = select_rules(generation, index, TGL_STEP_TICK, 0, UINT32_C(1) << TG_ON_TICK, false);
    if (!room) tg_error("rules", "no_memory", tg_s("account", account->id));
}

void tg_faults_add(struct tg_faults *faults, uint32_t step, const char *text)
{
    if (!faults->count) tg_buf_clear(&faults->text);
    if (faults->count == TG_FAULTS_KEPT) return;
    size_t at = faults->text.len, len = strlen(text);
    tg_buf_add(&faults->text, text, len);
    faults->rows[faults->count].step = step;
    faults->rows[faults->count].text = (uint32_t)at;
    faults->rows[faults->count++].len = (uint32_t)len;
}

/* The events that C has made of the account already count towards its bounds. Accounts are loaded
 * in the order of their steps. */
static void count_plain(const struct tg_generation *generation, struct tg_run *run, uint32_t index)
{
    run->loaded_spoke = 0;
    run->loaded_bytes = 0;
    for (uint32_t i = run->plain_at; i < run->plain_count; i++) {
        uint32_t account = generation->steps[run->spoken[i].step].account;
        if (account < index) run->plain_at = i + 1;
        if (account > index) break;
        if (account != index) continue;
        run->loaded_spoke++;
        run->loaded_bytes += run->spoken[i].len;
    }
}

/* Asks for what nearly every step reads of an account, its figures now and before and what
 * tg_run_load takes: with many accounts none of it is in the cache when the walk comes by. */
static void fetch(const struct tg_account *account)
{
    __builtin_prefetch(&account->slot);
    __builtin_prefetch(&account->now.margin_level);
    __builtin_prefetch(&account->was.margin_level);
    __builtin_prefetch(&account->positions);
}

int tg_run_load(struct tg_generation *generation, uint32_t index)
{
    struct tg_run *run = generation->run;
    struct tgl_work *work = &generation->work;
    if (!run || index >= run->accounts_count) return -TG_EINVAL;
    const struct tg_account *account = run->accounts[index];
    work->account = index;
    work->now = &account->now;
    work->was = &account->was;
    work->positions = account->positions.rows;
    work->positions_count = account->positions.count;
    work->positions_was = account->positions_was.rows;
    work->positions_was_count = account->positions_was.count;
    work->orders = account->orders.rows;
    work->orders_count = account->orders.count;
    work->orders_was = account->orders_was.rows;
    work->orders_was_count = account->orders_was.count;
    work->moments = (const char *)account->moments;
    work->moments_count = account->moments_count;
    work->slot = account->slot;
    work->birth = (double)account->birth;
    work->stay++;
    count_plain(generation, run, index);
    if (run->accounts_count - index > AHEAD) fetch(run->accounts[index + AHEAD]);
    return 0;
}

struct tg_account *tg_run_account(const struct tg_generation *generation)
{
    const struct tg_run *run = generation->run;
    uint32_t index = generation->work.account;
    return run && index < run->accounts_count ? run->accounts[index] : NULL;
}

int tg_run_speak(struct tg_generation *generation, uint32_t rule, const char *json, size_t len)
{
    struct tg_run *run = generation->run;
    struct tg_account *account = tg_run_account(generation);
    if (!account) return TGL_DROPPED;
    if (len > (size_t)generation->options.payload_bytes) return TGL_TOO_BIG;
    const struct tg_script_options *options = &generation->options;
    const char *bound = "rules.events_per_tick";
    if (run->loaded_spoke >= (uint32_t)options->events_per_tick) goto dropped;
    bound = "rules.bytes_per_tick";
    if (run->loaded_bytes + len > (size_t)options->bytes_per_tick) goto dropped;
    bound = "memory";
    if (run->count == run->cap) {
        uint32_t cap = run->cap ? run->cap * 2 : 64;
        struct tg_spoken *spoken = realloc(run->spoken, cap * sizeof *spoken);
        if (!spoken) goto dropped;
        run->spoken = spoken;
        run->cap = cap;
    }
    size_t at = run->text.len;
    tg_buf_add(&run->text, json, len);
    if (run->text.failed) {
        run->text.failed = false;
        goto dropped;
    }
    uint32_t step = generation->work.leash->cursor;
    run->spoken[run->count++] = (struct tg_spoken){account, rule, step, at, len, 0};
    run->loaded_spoke++;
    run->loaded_bytes += len;
    generation->work.tallies[rule].events++;
    return TGL_SPOKEN;
dropped:
    generation->work.tallies[rule].dropped++;
    if (generation->role == TG_ROLE_LIVE)
        tg_warn("rules", "event_dropped", tg_s("rule", generation->rules[rule].name),
                tg_s("account", account->id), tg_s("bound", bound));
    return TGL_DROPPED;
}

int tg_run_draw(struct tg_generation *generation, const struct tg_shape *shape, int moment,
                const char *since)
{
    const struct tg_account *account = tg_run_account(generation);
    if (!account) return TGL_DROPPED;
    struct tgl_account before;
    struct tg_shape_scene scene = {
        .now = &account->now,
        .was = &account->was,
        .changed = account->changed,
        .positions = &account->positions,
        .orders = account->orders_known ? &account->orders : NULL,
        .told = generation->work.told,
        .ids_as_text = generation->options.ids_as_text,
    };
    if (moment >= 0 && (uint32_t)moment < account->moments_count)
        scene.moment = &account->moments[moment];
    if (since) {
        memcpy(&before, since, sizeof before);
        scene.was = &before;
        scene.changed = tg_entity_diff(&tg_account_entity, &before, &account->now);
    }
    struct tg_buf *out = &generation->scratch;
    tg_buf_clear(out);
    int rc = tg_shape_write(shape, &scene, out);
    out->failed = false;
    generation->work.text = out->data;
    generation->work.text_len = (double)out->len;
    if (rc) return rc == -TG_EAGAIN ? TGL_EMPTY : TGL_DROPPED;
    return out->len > (size_t)generation->options.payload_bytes ? TGL_TOO_BIG : TGL_SPOKEN;
}

/* Takes a step of a plain rule: what Lua would do, without Lua. One that is too big is left to it,
 * and so is the rule from then on: there its faults are counted, and it rests. */
static bool take_plain(struct tg_generation *generation, uint32_t index)
{
    const struct tgl_step *step = &generation->steps[index];
    struct tgl_work *work = &generation->work;
    struct tg_rule *rule = &generation->rules[step->rule];
    struct tgl_tally *tally = &work->tallies[step->rule];
    int shape = rule->watch_shape;
    if (step->moment == TGL_STEP_TICK) shape = rule->on_shapes[TG_ON_TICK];
    if (step->moment == TGL_STEP_TOLD) shape = rule->on_shapes[work->told_kind];
    if (work->account != step->account) (void)tg_run_load(generation, step->account);
    if (step->moment >= 0) {
        const struct tg_account *account = tg_run_account(generation);
        shape = rule->on_shapes[account->moments[step->moment].kind];
    }
    work->leash->cursor = index;
    bool timed = (uint64_t)tally->calls % SAMPLE == 0;
    double began = timed ? work->nanoseconds() : 0;
    int result = tg_run_draw(generation, &generation->shapes[shape], step->moment, NULL);
    if (result == TGL_TOO_BIG) {
        rule->plain = false;
        return false;
    }
    if (result == TGL_SPOKEN)
        result = tg_run_speak(generation, step->rule, work->text, (size_t)work->text_len);
    generation->verdicts[index] = result == TGL_SPOKEN  ? TGL_SPOKE
                                  : result == TGL_EMPTY ? TGL_NO_PAYLOAD
                                                        : TGL_OVER_BOUND;
    tally->calls++;
    if (timed) tally->nanoseconds += (work->nanoseconds() - began) * SAMPLE;
    return true;
}

/* Takes the steps of plain rules; how many are left for Lua. */
static uint32_t walk_plain(struct tg_generation *generation)
{
    struct tg_run *run = generation->run;
    uint32_t left = 0;
    generation->work.account = UINT32_MAX;
    for (uint32_t i = 0; i < generation->steps_count; i++) {
        const struct tg_rule *rule = &generation->rules[generation->steps[i].rule];
        if (!rule->plain || !take_plain(generation, i)) left++;
    }
    run->plain_count = run->count;
    return left;
}

/* Puts the events in the order of their steps: those that C made stand before those of Lua, and
 * each kind is in order. */
static void sort_spoken(struct tg_generation *generation, struct tg_run *run)
{
    uint32_t a = 0, b = run->plain_count, n = 0;
    if (!b || b == run->count) return;
    if (generation->sorted_cap < run->count) {
        struct tg_spoken *sorted = realloc(generation->sorted, run->cap * sizeof *sorted);
        if (!sorted) return; /* all are told, though a poll's events may stand in another order */
        generation->sorted = sorted;
        generation->sorted_cap = run->cap;
    }
    while (n < run->count) {
        bool first =
            b == run->count || (a < run->plain_count && run->spoken[a].step < run->spoken[b].step);
        generation->sorted[n++] = run->spoken[first ? a++ : b++];
    }
    memcpy(run->spoken, generation->sorted, n * sizeof *run->spoken);
}

static int beat(lua_State *L)
{
    const struct tg_generation *generation = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, generation->entries.beat);
    lua_call(L, 0, 0);
    return 0;
}

/* Takes back what a step said before it was stopped. */
static void take_back(struct tg_run *run, uint32_t step)
{
    while (run->count && run->spoken[run->count - 1].step == step) {
        run->text.len = run->spoken[--run->count].text;
        if (!run->loaded_spoke) continue;
        run->loaded_spoke--;
        run->loaded_bytes -= run->spoken[run->count].len;
    }
}

/* After a walk that was torn down: finds whose fault it was, silences that rule, and puts the
 * cursor where the walk goes on. A call that was cut short for another's fault is made again. */
static void judge(struct tg_generation *generation, const struct tg_leash_report *report,
                  const struct tg_err *err)
{
    struct tgl_leash *word = generation->work.leash;
    uint32_t cursor = word->cursor, rule = generation->steps[cursor].rule, guilty = rule;
    char reason[TG_MUTE_REASON];
    take_back(generation->run, cursor);
    generation->verdicts[cursor] = TGL_STOPPED;
    if (report->rung && report->cursor < generation->steps_count)
        guilty = generation->steps[report->cursor].rule;
    bool second = generation->pinched_step == cursor;
    if (report->pinched) {
        generation->pinched_step = cursor;
        guilty = tg_generation_relieve(generation, guilty, second);
    } else if (report->rung) {
        (void)snprintf(reason, sizeof reason, "it ran longer than %d ms",
                       generation->options.budget_ms);
        tg_generation_mute(generation, guilty, reason, report->where);
    } else if (generation->vm.refused) { /* the text alone proves nothing: a rule may lie */
        guilty = tg_generation_relieve(generation, rule, true);
    } else {
        tg_generation_mute(generation, rule, err->text, "");
    }
    if (guilty == rule)
        word->cursor = cursor + 1;
    else
        generation->verdicts[cursor] = TGL_NOT_RUN;
}

static void walk(struct tg_generation *generation)
{
    struct tgl_work *work = &generation->work;
    struct tg_leash_report report;
    struct tg_err err;
    work->steps = generation->steps;
    work->verdicts = generation->verdicts;
    work->count = generation->steps_count;
    if (!walk_plain(generation)) return;
    work->account = UINT32_MAX;
    work->leash->cursor = 0;
    generation->pinched_step = UINT32_MAX;
    /* Each round ends a step, gives it its second chance, or mutes a rule. */
    uint32_t rounds = 2 * work->count + generation->rules_count;
    for (uint32_t round = 0; work->leash->cursor < work->count && round <= rounds; round++) {
        err.text[0] = '\0';
        generation->vm.refused = false;
        tg_leash_enter(generation->vm.L, generation->options.budget_ms,
                       generation->options.interpreted);
        generation->walks++;
        int rc = tg_vm_call(&generation->vm, beat, generation, &err);
        tg_leash_leave(&report);
        if (!rc) break;
        judge(generation, &report, &err);
    }
}

void tg_run_begin(struct tg_generation *generation, struct tg_run *run,
                  struct tg_account *const *accounts, uint32_t count)
{
    *run = generation->spare;
    generation->spare = (struct tg_run){0};
    run->accounts = accounts;
    run->accounts_count = count;
    run->outer = generation->run;
    generation->run = run;
    generation->steps_count = 0;
    generation->faults.count = 0;
    run->now_ms = generation->work.now_ms = (double)tg_wall_ms(generation->options.clock);
}

/* Emits what was said, then gives the run's memory back for the next. */
void tg_run_end(struct tg_generation *generation, struct tg_run *run)
{
    uint64_t speaking = generation->speaking;
    if (generation->steps_count) walk(generation);
    generation->work.stay++; /* what was lent is not to be read any more */
    sort_spoken(generation, run);
    if (generation->trace) tg_trace_run(generation->trace, generation, run);
    generation->work.told = NULL;
    generation->work.account = UINT32_MAX;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct tg_spoken *spoken = &run->spoken[i];
        if (!spoken->account) continue;
        const struct tg_rule *rule = &generation->rules[spoken->rule];
        struct tg_script_receipt receipt = {0};
        struct tg_script_event event = {
            .account = spoken->account,
            .type = rule->type,
            .lane = rule->lane,
            .payload = run->text.data + spoken->text,
            .len = spoken->len,
            .rule = spoken->rule,
            .filtered = rule->filtered,
            .receipt = &receipt,
        };
        generation->event_serial++;
        generation->speaking = spoken->trace;
        generation->options.emit(generation->options.ctx, &event);
        if (generation->trace) tg_trace_sent(generation->trace, spoken->trace, &receipt);
    }
    generation->speaking = speaking;
    generation->work.now_ms = run->now_ms; /* not that of a run within this one */
    generation->run = run->outer;
    run->count = run->plain_count = 0;
    tg_buf_clear(&run->text);
    if (generation->spare.cap || generation->spare.text.cap) {
        free(generation->spare.spoken);
        tg_buf_fini(&generation->spare.text);
    }
    generation->spare = (struct tg_run){.spoken = run->spoken, .cap = run->cap, .text = run->text};
}

void tg_run_all(struct tg_generation *generation, struct tg_account *const *accounts,
                uint32_t count)
{
    struct tg_run run;
    for (uint32_t from = 0; from < count; from += ACCOUNTS) {
        uint32_t some = count - from < ACCOUNTS ? count - from : ACCOUNTS;
        tg_run_begin(generation, &run, accounts + from, some);
        for (uint32_t i = 0; i < some; i++)
            select_account(generation, run.accounts[i], i, (int64_t)generation->work.now_ms);
        tg_run_end(generation, &run);
    }
}

void tg_run_due(struct tg_generation *generation, struct tg_account *account)
{
    struct tg_run run;
    tg_run_begin(generation, &run, &account, 1);
    if (is_due(account, (int64_t)generation->work.now_ms)) {
        account->wake_wall_ms = 0;
        if (!select_rules(generation, 0, TGL_STEP_DUE, 0, 0, true))
            tg_error("rules", "no_memory", tg_s("account", account->id));
    }
    tg_run_end(generation, &run);
}

void tg_run_told(struct tg_generation *generation, struct tg_account *account, int kind,
                 const char *what)
{
    struct tg_run run;
    tg_run_begin(generation, &run, &account, 1);
    generation->work.told = what;
    generation->work.told_kind = kind;
    if (!select_rules(generation, 0, TGL_STEP_TOLD, 0, UINT32_C(1) << kind, false))
        tg_error("rules", "no_memory", tg_s("account", account->id));
    tg_run_end(generation, &run);
}
