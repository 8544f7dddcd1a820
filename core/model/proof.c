/* What the deals prove. A position's volume, signed by its side, is what its deals made of it, so
 * the deals that a poll may believe are exactly those that lead from the volume that was told to
 * the one that is shown. Those behind them were made after the positions were read, and wait; and
 * where no such deals are listed the positions are ahead of the history, and wait. No clock is
 * asked: services tell whole seconds, the wrong zone, or nothing.
 *
 * The longest run of deals counts: a volume that was added and taken off again is there whether
 * the positions were read before or after, and can be told at once.
 *
 * What would break it: deals of before the first poll, which made the volume what it was then. They
 * are marked as known from the first answer on (account.c), and older ones are no evidence. */
#include "model/lifecycle_inner.h"

#include "base/decimal.h"

#include <stdlib.h>

bool tg_deal_is_trade(const struct tgl_deal *deal)
{
    return deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
}

/* A rollover closes and opens the same again. Deals that come without an entry have no part in a
 * position. */
int64_t tg_deal_apply(const struct tgl_deal *deal, int64_t lots)
{
    int64_t volume = tg_scaled(deal->volume, 8), size = llabs(lots);
    int64_t opened = deal->action == TG_ACTION_SELL ? -volume : volume;
    if (deal->reason == TG_REASON_ROLLOVER) return lots;
    switch (deal->entry) {
    case TG_ENTRY_IN: return (lots < 0) == (opened < 0) || !lots ? lots + opened : INT64_MIN;
    case TG_ENTRY_OUT:
    case TG_ENTRY_OUT_BY:
        if (volume > size) return INT64_MIN;
        return lots < 0 ? lots + volume : lots - volume;
    case TG_ENTRY_INOUT:
        if (!lots || volume <= size) return INT64_MIN;
        return lots < 0 ? volume - size : size - volume;
    default: return INT64_MIN;
    }
}

const struct tgl_deal *tg_walk_next(const struct tg_walk *walk, const struct tg_plan *plan,
                                    uint32_t *at)
{
    const struct tg_records *records = walk->records;
    for (; records->deals_known && *at < records->deals_count; (*at)++) {
        const struct tgl_deal *deal = &records->deals[*at];
        uint8_t mark = walk->marks[*at];
        if (deal->position_id != plan->id || !tg_deal_is_trade(deal)) continue;
        if (mark == TG_DEAL_KNOWN || mark == TG_DEAL_STRAY || !deal->entry) continue;
        if (deal->time && deal->time < plan->since_ms) continue;
        (*at)++;
        return deal;
    }
    return NULL;
}

/* Whether a position's volume last moved after a deal, or with it: by the times of the platform. */
static bool has_moved_since(const struct tgl_position *position, const struct tgl_deal *deal)
{
    int64_t grain = deal->time % 1000 ? 0 : 999;
    return position && deal->time && deal->time + grain <= position->time_update;
}

/* The first deals that only pay for what was told before them. Where the source has a clock these
 * are the ones that were made before the position was last seen as it was told, or before its
 * volume last moved: they were in that volume already (one from before what was asked for shows
 * that the clocks disagree). Where it has none, or within the clock's grain, the ones that make the
 * volume that was told of the one that deals had made before, and as many as were told without:
 * volumes may come back to what they were.
 */
static uint32_t settle(const struct tg_walk *walk, struct tg_plan *plan)
{
    const struct tg_debt *debt = tg_debts_find(&walk->account->debts, plan->id);
    if (!debt) return 0;
    int64_t seen_ms = plan->was ? plan->seen_ms : debt->seen_ms, lots = plan->told - debt->lots;
    int64_t oldest_ms = tg_walk_news_since(walk->account);
    bool spent = !debt->lots && !debt->deals;
    uint32_t at = 0, n = 0, old = 0, paid = 0;
    plan->owed = debt->lots;
    plan->expected = debt->deals;
    for (const struct tgl_deal *deal; (deal = tg_walk_next(walk, plan, &at));) {
        bool told = deal->time < debt->told_ms;
        bool before =
            deal->time >= oldest_ms && n == old &&
            (told ||
             (!spent && (deal->time < seen_ms - TG_CLOCK_MS || has_moved_since(plan->was, deal))));
        if (spent && !before) break;
        int64_t effect = tg_scaled(deal->volume, 8);
        if (before) {
            if (deal->reason == TG_REASON_ROLLOVER) effect = 0;
            lots += deal->action == TG_ACTION_SELL ? -effect : effect;
            plan->owed = plan->told - lots;
            old++;
            if (told) plan->silent++;
        } else {
            lots = tg_deal_apply(deal, lots);
        }
        n++;
        if (lots == INT64_MIN) break;
        if (lots != plan->told || before) continue;
        paid = n;
        if (n >= plan->expected) break;
    }
    if (!paid) return old;
    plan->owed = 0;
    return paid;
}

/* Whether all that is listed of a position that nobody saw are its closings, as services do that
 * list closed trades and not deals. They are a trade of its own when it was opened since the first
 * poll and was not told as closed before. */
static bool is_bare(const struct tg_walk *walk, const struct tg_plan *plan)
{
    const struct tg_account *account = walk->account;
    uint32_t at = 0;
    bool news = false;
    if (plan->was || plan->now || tg_deals_buried(&account->deals, plan->id)) return false;
    for (const struct tgl_deal *deal; (deal = tg_walk_next(walk, plan, &at));) {
        if (deal->entry != TG_ENTRY_OUT && deal->entry != TG_ENTRY_OUT_BY) return false;
        news = tg_walk_is_news(account, deal->time_open);
    }
    return news;
}

/* Whether a deal may have added to a position that was there before us and that the answers so far
 * lacked: a position's identifier is the order's that opened it. After a minute it would have been
 * seen. */
static bool is_addition(const struct tg_walk *walk, const struct tg_plan *plan,
                        const struct tgl_deal *deal)
{
    return deal->order && deal->order != plan->id &&
           deal->time < walk->account->begun_ms + TG_NEWS_MS;
}

/* Whether the trade that the shown deals make began since the first poll. */
static bool has_begun(const struct tg_walk *walk, const struct tg_plan *plan)
{
    const struct tgl_deal *deal = NULL;
    uint32_t at = 0;
    for (uint32_t n = 0; n <= plan->settled; n++)
        deal = tg_walk_next(walk, plan, &at);
    return deal && tg_walk_is_news(walk->account, deal->time) && !is_addition(walk, plan, deal);
}

/* Closing deals of what nobody saw, made before a position of the same identifier began: of a life
 * whose beginning is not known. They are no part of this one. */
static void set_orphans_aside(const struct tg_walk *walk, const struct tg_plan *plan)
{
    uint32_t at = 0;
    if (plan->was || !plan->now || !plan->now->time_open) return;
    for (const struct tgl_deal *deal; (deal = tg_walk_next(walk, plan, &at));) {
        if (deal->entry == TG_ENTRY_IN || deal->time >= plan->now->time_open - TG_SECOND_MS) return;
        walk->marks[at - 1] = TG_DEAL_STRAY;
    }
}

/* Whole lives of what nobody saw that began before the first poll: history, which the life after it
 * neither waits for nor tells. */
static void set_history_aside(const struct tg_walk *walk, const struct tg_plan *plan)
{
    uint32_t begun = 0, at = 0;
    int64_t lots = 0;
    if (plan->was || tg_debts_find(&walk->account->debts, plan->id)) return;
    for (const struct tgl_deal *deal; (deal = tg_walk_next(walk, plan, &at));) {
        if (!lots && tg_walk_is_news(walk->account, deal->time)) return;
        if (!lots) begun = at - 1;
        lots = tg_deal_apply(deal, lots);
        if (lots == INT64_MIN) return;
        for (uint32_t i = begun; !lots && i < at; i++)
            if (walk->marks[i] == TG_DEAL_FREE && walk->records->deals[i].position_id == plan->id)
                walk->marks[i] = TG_DEAL_STRAY;
    }
}

/* Whether a part of what is owed has been paid and not all of it: what is listed next belongs to
 * that, so it proves nothing. */
static bool is_half_paid(const struct tg_walk *walk, const struct tg_plan *plan)
{
    const struct tg_debt *debt = tg_debts_find(&walk->account->debts, plan->id);
    return debt && plan->owed && (plan->settled || !debt->deals);
}

bool tg_walk_prove(const struct tg_walk *walk, struct tg_plan *plan)
{
    uint32_t at = 0, n = 0;
    int64_t lots = plan->told;
    bool holds = plan->told == plan->lots;
    set_orphans_aside(walk, plan);
    set_history_aside(walk, plan);
    plan->silent = 0;
    plan->settled = settle(walk, plan);
    plan->shown = 0;
    if (is_half_paid(walk, plan)) return holds;
    plan->bare = is_bare(walk, plan);
    for (const struct tgl_deal *deal; (deal = tg_walk_next(walk, plan, &at));) {
        if (n++ < plan->settled) continue;
        if (plan->bare) {
            plan->shown = n;
            continue;
        }
        lots = tg_deal_apply(deal, lots);
        if (lots == INT64_MIN) break;
        if (lots != plan->lots) continue;
        holds = true;
        plan->shown = n - plan->settled;
    }
    if (plan->shown && !plan->was && !plan->now && !plan->bare && !has_begun(walk, plan))
        plan->shown = 0;
    return holds;
}
