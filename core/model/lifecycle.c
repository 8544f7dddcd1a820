/* The rule above all others: no failure becomes an event. What two sets of positions differ by has
 * happened when the deals say so (proof.c). Without them a difference is a suspect: the account
 * stays as it was told, and only after several good polls in a row it is told without them, marked
 * as estimated. One thing is told at once: a position that was not there. It is its own witness,
 * and nobody wants to hear of it late; its deals are owed (debts.c).
 *
 * A poll is planned first, position by position, and told then. What it learns of suspects and
 * debts is built aside and taken over at the end, so that a poll that runs out of memory has not
 * happened. */
#include "model/lifecycle_inner.h"

#include "base/decimal.h"
#include "base/err.h"
#include "model/field.h"
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

struct tg_moment *tg_moment_add(struct tg_account *account, int kind)
{
    if (account->moments_count == account->moments_cap) {
        uint32_t cap = account->moments_cap ? account->moments_cap * 2 : 4;
        struct tg_moment *moments = realloc(account->moments, cap * sizeof *moments);
        if (!moments) return NULL;
        account->moments = moments;
        account->moments_cap = cap;
    }
    struct tg_moment *moment = &account->moments[account->moments_count++];
    memset(moment, 0, sizeof *moment);
    moment->kind = kind;
    tg_moment_blank(&moment->about);
    moment->about.estimated = moment->about.synthetic = moment->about.coalesced = 0;
    moment->about.currency_digits = account->now.currency_digits;
    return moment;
}

uint64_t tg_lifecycle_fields(void)
{
    return TG_POSITION_BIT(symbol) | TG_POSITION_BIT(comment) | TG_POSITION_BIT(external_id) |
           TG_POSITION_BIT(ticket) | TG_POSITION_BIT(magic) | TG_POSITION_BIT(volume) |
           TG_POSITION_BIT(price_open) | TG_POSITION_BIT(sl) | TG_POSITION_BIT(tp) |
           TG_POSITION_BIT(side);
}

struct tg_moment *tg_walk_add(struct tg_walk *walk, int kind, const struct tgl_position *position)
{
    struct tg_moment *moment = tg_moment_add(walk->account, kind);
    if (!moment) {
        walk->rc = -TG_ENOMEM;
        return NULL;
    }
    if (position) {
        moment->position = *position;
        moment->about.digits = position->digits;
        moment->about.currency_digits = position->currency_digits;
    }
    return moment;
}

int64_t tg_walk_last_poll(const struct tg_account *account)
{
    return account->good_source_ms ? account->good_source_ms : account->good_wall_ms;
}

int64_t tg_walk_news_since(const struct tg_account *account)
{
    int64_t minute_ms = tg_walk_last_poll(account) - TG_NEWS_MS;
    int64_t waits_ms = tg_waits_oldest(&account->waiting);
    return waits_ms < minute_ms ? waits_ms : minute_ms;
}

bool tg_walk_has_begun(const struct tg_account *account, int64_t time_ms)
{
    int64_t begun_ms = account->begun_ms;
    if (time_ms % 1000 == 0) begun_ms -= begun_ms % 1000; /* whole seconds */
    return time_ms && time_ms >= begun_ms;
}

bool tg_walk_is_news(const struct tg_account *account, int64_t time_ms)
{
    return tg_walk_has_begun(account, time_ms) && time_ms >= tg_walk_news_since(account);
}

bool tg_walk_is_repeat(const struct tg_account *account, const struct tg_records *records)
{
    return records->source_time_ms && records->source_time_ms == account->good_source_ms;
}

static const struct tg_suspect *suspect_of(const struct tg_suspects *suspects, uint64_t id)
{
    return TG_ROWS_FIND(suspects->rows, suspects->count, id, id);
}

static int64_t signed_lots(const struct tgl_position *position)
{
    if (!position) return 0;
    int64_t lots = tg_scaled(position->volume, 8);
    return position->side == TG_SIDE_SELL ? -lots : lots;
}

/* Whether a position is new to us and was there before us: the first answers, of a minute at most,
 * lacked it. */
static bool is_found(const struct tg_walk *walk, const struct tg_plan *plan)
{
    const struct tgl_position *now = plan->now;
    int64_t begun_ms = walk->account->begun_ms;
    return now && !plan->was && now->time_open && now->time_open < begun_ms &&
           tg_walk_last_poll(walk->account) < begun_ms + TG_NEWS_MS;
}

static int64_t evidence_since(const struct tg_walk *walk, const struct tg_plan *plan)
{
    const struct tg_account *account = walk->account;
    const struct tg_heirloom *row = tg_heirlooms_find(&account->heirlooms, plan->id);
    if (row || !is_found(walk, plan)) return row ? row->since_ms : 0;
    return tg_heirloom_since(plan->now, account->begun_ms, walk->records->source_time_ms);
}

/* Whether a position began with that deal, as far as is told; within whole seconds. A position that
 * was only turned round may keep the time of its opening. */
static bool begins_with(const struct tgl_position *now, const struct tgl_position *was,
                        const struct tgl_deal *deal)
{
    return !now->time_open || !deal->time || now->time_open == was->time_open ||
           llabs(now->time_open - deal->time) <= TG_SECOND_MS;
}

/* Whether no other deal of its position is listed that was made before, in which case those are
 * what the reversal turned round. */
static bool is_first(const struct tg_records *records, const struct tgl_deal *deal)
{
    for (const struct tgl_deal *row = records->deals; row < deal; row++)
        if (row->position_id == deal->position_id) return false;
    return true;
}

/* A netting position that turned round may come back under another identifier: its reversal is then
 * a deal of one of the two, of the volume of both, and the ticket is that of the deal's order. */
static const struct tgl_deal *turn_of(const struct tg_walk *walk, const struct tgl_position *was)
{
    const struct tg_records *records = walk->records;
    for (uint32_t i = 0; records->deals_known && i < records->deals_count; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        if (deal->entry != TG_ENTRY_INOUT || walk->marks[i] != TG_DEAL_FREE) continue;
        if (strcmp(deal->symbol, was->symbol) != 0) continue;
        for (uint32_t k = 0; k < records->positions_count; k++) {
            const struct tgl_position *now = &records->positions[k];
            if (strcmp(now->symbol, was->symbol) != 0 || now->side == was->side ||
                tg_scaled(deal->volume, 8) != llabs(signed_lots(was) - signed_lots(now)) ||
                !begins_with(now, was, deal) ||
                tg_positions_find(&walk->account->positions, now->position_id))
                continue;
            bool by_order = !deal->order || deal->order == now->ticket;
            if ((deal->position_id == was->position_id && by_order) ||
                (deal->position_id == now->position_id && is_first(records, deal)))
                return deal;
        }
    }
    return NULL;
}

/* MT5 uses a ticket again when an order whose position has been closed is filled once more. Deals
 * show that; without any the time of opening and the price do. */
static bool is_reborn(const struct tg_walk *walk, const struct tg_plan *plan)
{
    const struct tgl_position *was = plan->was, *now = plan->now;
    if (walk->account->deals_ever || walk->records->deals_known || !was || !now) return false;
    return was->time_open && now->time_open > was->time_open && was->ticket == now->ticket &&
           !tg_same(was->price_open, now->price_open, now->digits);
}

/* Deals that are listed of a position that is told as closed without them, as they do not lead
 * there, were all made before: the estimate stands for them. */
static void sweep(const struct tg_walk *walk, struct tg_plan *plan)
{
    uint32_t at = 0;
    plan->owed = plan->expected = 0;
    for (const struct tgl_deal *deal; (deal = tg_walk_next(walk, plan, &at));) {
        int64_t volume = tg_scaled(deal->volume, 8);
        if (deal->reason != TG_REASON_ROLLOVER)
            plan->swept += deal->action == TG_ACTION_SELL ? -volume : volume;
        plan->settled++;
    }
}

static void judge(struct tg_walk *walk, struct tg_plan *plan)
{
    const struct tg_suspect *suspect = suspect_of(&walk->account->suspects, plan->id);
    plan->verdict = TG_SHOWN;
    plan->seen_ms = suspect ? suspect->seen_ms : walk->account->positions_ms;
    plan->reborn = is_reborn(walk, plan);
    if (plan->reborn) plan->verdict = TG_ESTIMATED;
    if (plan->reborn) return;
    if (tg_walk_prove(walk, plan) || !plan->was) return;
    if (!plan->now && (plan->turn = turn_of(walk, plan->was))) return;
    bool same = suspect && suspect->lots == plan->lots;
    bool repeat = same && tg_walk_is_repeat(walk->account, walk->records);
    plan->polls = (same ? suspect->polls : 0) + !repeat;
    plan->repeats = (same ? suspect->repeats : 0) + repeat;
    plan->settled = plan->shown = 0;
    plan->verdict =
        tg_walk_weight(plan->polls, plan->repeats) < tg_gap_patience(walk, plan, suspect)
            ? TG_HELD
            : TG_ESTIMATED;
    if (plan->verdict == TG_ESTIMATED && !plan->now) sweep(walk, plan);
}

static struct tg_plan *add_plan(struct tg_walk *walk, uint64_t id, const struct tgl_position *was,
                                const struct tgl_position *now)
{
    struct tg_plan *plan = &walk->plans[walk->plans_count++];
    *plan = (struct tg_plan){
        .id = id, .was = was, .now = now, .told = signed_lots(was), .lots = signed_lots(now)};
    plan->since_ms = evidence_since(walk, plan);
    return plan;
}

const struct tg_plan *tg_walk_plan(const struct tg_walk *walk, uint64_t id)
{
    const struct tg_plan *plan = TG_ROWS_FIND(walk->plans, walk->positions_count, id, id);
    if (plan) return plan;
    for (uint32_t i = walk->positions_count; i < walk->plans_count; i++)
        if (walk->plans[i].id == id) return &walk->plans[i];
    return NULL;
}

/* A plan for each position of the two sets, which are sorted, and for those that only deals know.
 */
static void make_plans(struct tg_walk *walk)
{
    const struct tg_positions *old = &walk->account->positions;
    const struct tg_records *records = walk->records;
    for (uint32_t i = 0, k = 0; i < old->count || k < records->positions_count;) {
        const struct tgl_position *was = i < old->count ? &old->rows[i] : NULL;
        const struct tgl_position *now =
            k < records->positions_count ? &records->positions[k] : NULL;
        if (was && now && was->position_id != now->position_id) {
            if (was->position_id < now->position_id)
                now = NULL;
            else
                was = NULL;
        }
        i += was != NULL;
        k += now != NULL;
        judge(walk, add_plan(walk, was ? was->position_id : now->position_id, was, now));
    }
    walk->positions_count = walk->plans_count;
    for (uint32_t i = 0; records->deals_known && i < records->deals_count; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        if (walk->marks[i] != TG_DEAL_FREE || !tg_deal_is_trade(deal) || !deal->position_id ||
            tg_walk_plan(walk, deal->position_id))
            continue;
        judge(walk, add_plan(walk, deal->position_id, NULL, NULL));
    }
}

/* Takes the settled deals off what is owed for a plan's position; `rest` is what is left. What was
 * told as estimated stands for all that was made before, however much it was: that is not used up,
 * it ends with time. */
static void pay(struct tg_walk *walk, const struct tg_plan *plan, struct tg_debt rest)
{
    struct tg_debts *debts = &walk->account->debts_was;
    const struct tg_debt *before = tg_debts_find(debts, plan->id);
    if (!plan->settled) return;
    if (plan->settled < plan->expected) rest.deals = plan->expected - plan->settled;
    if (before && before->told_ms) {
        rest.told_ms = before->told_ms;
        rest.owed_ms = before->owed_ms;
        if (!plan->was) rest.seen_ms = before->seen_ms;
    }
    tg_debts_pay(debts, plan->id);
    if (rest.told_ms || plan->owed || rest.deals) tg_debts_owe(debts, &rest);
}

/* What this poll leaves behind: the new set, the suspects, what is owed. */
static void settle_up(struct tg_walk *walk)
{
    struct tg_account *account = walk->account;
    struct tg_suspects *suspects = &account->suspects_was;
    for (uint32_t i = 0; i < walk->plans_count; i++) {
        const struct tg_plan *plan = &walk->plans[i];
        const struct tgl_position *row = plan->verdict == TG_HELD ? plan->was : plan->now;
        const struct tg_suspect *before = suspect_of(&account->suspects, plan->id);
        if (row) walk->next->rows[walk->next->count++] = *row;
        struct tg_debt debt = {.position_id = plan->id,
                               .lots = plan->owed,
                               .owed_ms = walk->mono_ms,
                               .seen_ms = plan->seen_ms};
        pay(walk, plan, debt);
        if (plan->verdict == TG_HELD) {
            struct tg_suspect *suspect = &suspects->rows[suspects->count++];
            *suspect = (struct tg_suspect){.id = plan->id,
                                           .polls = plan->polls,
                                           .repeats = plan->repeats,
                                           .lots = plan->lots,
                                           .seen_ms = plan->seen_ms};
            tg_gap_take(walk, before, suspect);
        } else if (is_found(walk, plan)) {
            if (!tg_heirlooms_find(&account->heirlooms, plan->id))
                tg_heirlooms_add(&account->heirlooms,
                                 (struct tg_heirloom){plan->id, plan->since_ms});
        } else if (!plan->shown && !plan->turn && (plan->reborn || plan->lots != plan->told)) {
            debt.lots = plan->lots - plan->told - plan->swept;
            debt.deals = plan->reborn ? 2 : 1;
            if (plan->was && walk->records->source_time_ms)
                debt.told_ms = walk->records->source_time_ms - (plan->lots ? TG_CLOCK_MS : 0);
            tg_debts_owe(&account->debts_was, &debt);
        }
    }
}

/* Makes room for all that this poll may add to what is built aside. */
static int make_room(struct tg_account *account, const struct tg_records *records, int64_t mono_ms)
{
    struct tg_positions *next = &account->positions_was;
    struct tg_suspects *suspects = &account->suspects_was;
    uint32_t old = account->positions.count, room = old + records->positions_count;
    uint32_t deals = records->deals_known ? records->deals_count : 0;
    if (next->cap < room) {
        struct tgl_position *rows = realloc(next->rows, room * sizeof *rows);
        if (!rows) return -TG_ENOMEM;
        next->rows = rows;
        next->cap = room;
    }
    if (suspects->cap < old) {
        struct tg_suspect *rows = realloc(suspects->rows, old * sizeof *rows);
        if (!rows) return -TG_ENOMEM;
        suspects->rows = rows;
        suspects->cap = old;
    }
    next->count = suspects->count = 0;
    int rc = tg_heirlooms_reserve(&account->heirlooms, records->positions_count);
    if (!rc) rc = tg_debts_copy(&account->debts_was, &account->debts, room + deals, mono_ms);
    if (!rc) rc = tg_waits_reserve(&account->waiting_was, deals);
    return rc ? rc : tg_deals_reserve(&account->deals, 2 * deals + old);
}

/* Deals that were told or used up, and positions that were closed, are remembered. */
static void remember(struct tg_walk *walk)
{
    struct tg_deals *deals = &walk->account->deals;
    for (uint32_t i = 0; walk->records->deals_known && i < walk->records->deals_count; i++)
        if (walk->marks[i] > TG_DEAL_KNOWN) tg_deals_remember(deals, &walk->records->deals[i]);
    for (uint32_t i = 0; i < walk->account->moments_count; i++)
        if (walk->account->moments[i].kind == TG_MOMENT_POSITION_CLOSED)
            tg_deals_bury(deals, walk->account->moments[i].position.position_id);
}

static void take_over(struct tg_walk *walk)
{
    struct tg_account *account = walk->account;
    struct tg_suspects suspects = account->suspects;
    struct tg_debts debts = account->debts;
    account->suspects = account->suspects_was;
    account->suspects_was = suspects;
    account->debts = account->debts_was;
    account->debts_was = debts;
    bool repeat = tg_walk_is_repeat(account, walk->records);
    if (walk->gap_known && !repeat &&
        tg_same(walk->gap, account->gap, account->now.currency_digits)) {
        account->steady = walk->gap;
        account->steady_ms = walk->records->source_time_ms ? walk->records->source_time_ms
                                                           : tg_walk_last_poll(account);
    }
    if (walk->gap_known) account->gap = walk->gap;
    if (!walk->records->deals_known) return;
    account->deals_ever = true;
    struct tg_waits waiting = account->waiting;
    for (uint32_t i = 0; i < walk->records->deals_count; i++) {
        const struct tgl_deal *deal = &walk->records->deals[i];
        if (walk->marks[i] != TG_DEAL_FREE) continue;
        const struct tg_wait *before = tg_waits_find(&waiting, deal);
        tg_waits_add(&account->waiting_was, deal, before ? before->since_ms : walk->mono_ms);
    }
    account->waiting = account->waiting_was;
    account->waiting_was = waiting;
}

int tg_lifecycle_run(struct tg_account *account, const struct tg_records *records,
                     const struct tg_account_policy *policy, int64_t mono_ms)
{
    uint32_t deals = records->deals_known ? records->deals_count : 0;
    uint32_t plans = account->positions.count + records->positions_count + deals;
    int rc = make_room(account, records, mono_ms);
    if (rc) return rc;
    struct tg_walk walk = {.account = account,
                           .records = records,
                           .policy = policy,
                           .next = &account->positions_was,
                           .mono_ms = mono_ms};
    walk.plans = malloc(plans * (sizeof *walk.plans + 1) + 1);
    if (!walk.plans) return -TG_ENOMEM;
    walk.marks = (uint8_t *)(walk.plans + plans);
    for (uint32_t i = 0; i < deals; i++)
        walk.marks[i] =
            tg_deals_seen(&account->deals, &records->deals[i]) ? TG_DEAL_KNOWN : TG_DEAL_FREE;
    tg_gap_find(&walk);
    make_plans(&walk);
    tg_walk_deals(&walk);
    for (int phase = TG_CLOSES; phase <= TG_OPENS; phase++)
        for (uint32_t i = 0; i < walk.plans_count && !walk.rc; i++)
            tg_walk_tell(&walk, &walk.plans[i], (enum tg_phase)phase);
    if (!walk.rc) {
        settle_up(&walk);
        remember(&walk);
        take_over(&walk);
    }
    free(walk.plans);
    return walk.rc;
}
