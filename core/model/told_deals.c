/* Which deals a poll uses up, and telling them. Services list whole days or the last minute, twice,
 * late, or before the positions show what they did; so a deal is told when it is known what it
 * belongs to. What waits is neither told nor remembered, and is looked at again with the next
 * answer. */
#include "model/lifecycle_inner.h"

#include <math.h>

static void mark_plan(struct tg_walk *walk, const struct tg_plan *plan)
{
    uint32_t at = 0, n = 0;
    if (plan->turn) walk->marks[plan->turn - walk->records->deals] = TG_DEAL_SHOWN;
    while (n < plan->settled + plan->shown) {
        (void)tg_walk_next(walk, plan, &at);
        walk->marks[at - 1] = n++ < plan->settled ? TG_DEAL_SETTLED : TG_DEAL_SHOWN;
    }
}

/* Whether a deal has waited for too long. Of one position they go one a poll, oldest first: what
 * the next ones lead to is found out before they go too. */
static bool is_overdue(const struct tg_walk *walk, const struct tg_plan *plan,
                       const struct tgl_deal *deal)
{
    const struct tg_wait *wait = tg_waits_find(&walk->account->waiting, deal);
    if (!wait || walk->mono_ms - wait->since_ms <= TG_STRAY_MS) return false;
    for (const struct tgl_deal *row = walk->records->deals; row < deal; row++)
        if (row->position_id == plan->id &&
            (walk->marks[row - walk->records->deals] == TG_DEAL_FREE ||
             walk->marks[row - walk->records->deals] == TG_DEAL_STRAY))
            return false;
    return true;
}

/* Whether nothing that may still come will show what this deal did. One that belongs to a position
 * waits for the positions to show it; one of what nobody saw waits for the rest of its trade, which
 * services may list in any order. */
static bool is_stray(const struct tg_walk *walk, const struct tgl_deal *deal)
{
    if (!tg_deal_is_trade(deal) || !deal->position_id || !deal->entry) return true;
    const struct tg_plan *plan = tg_walk_plan(walk, deal->position_id);
    if (!plan || (deal->time && deal->time < plan->since_ms)) return true;
    if (deal->time && (deal->time < tg_walk_news_since(walk->account) ||
                       deal->time < walk->account->begun_ms - TG_CLOCK_MS))
        return true;
    if (is_overdue(walk, plan, deal)) return true;
    if (plan->was || plan->now) return false;
    return deal->entry != TG_ENTRY_IN &&
           deal->time_open; /* a row of a closed trade that is none of ours */
}

static bool is_money(double amount)
{
    return !isnan(amount) && amount != 0;
}

/* A trade that the broker has cancelled: MetaTrader gives its deal another type and takes its
 * profit out, and another deal settles the balance. It moves nothing itself. */
static bool is_cancelled(const struct tgl_deal *deal)
{
    return deal->action == TG_ACTION_OTHER && deal->position_id && !is_money(deal->profit) &&
           !is_money(deal->swap) && !is_money(deal->commission) && !is_money(deal->fee);
}

static void tell(struct tg_walk *walk, const struct tgl_deal *deal)
{
    if (is_cancelled(deal)) return;
    int kind = tg_deal_is_trade(deal) ? TG_MOMENT_DEAL : TG_MOMENT_BALANCE_OPERATION;
    struct tg_moment *moment = tg_walk_add(walk, kind, NULL);
    if (!moment) return;
    moment->deal = *deal;
    moment->about.digits = deal->digits;
    moment->about.currency_digits = deal->currency_digits;
}

void tg_walk_deals(struct tg_walk *walk)
{
    const struct tg_records *records = walk->records;
    uint32_t count = records->deals_known ? records->deals_count : 0;
    for (uint32_t i = 0; i < walk->plans_count; i++)
        mark_plan(walk, &walk->plans[i]);
    for (uint32_t i = 0; i < count && !walk->rc; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        if (walk->marks[i] == TG_DEAL_FREE && is_stray(walk, deal)) walk->marks[i] = TG_DEAL_STRAY;
        if (walk->marks[i] > TG_DEAL_KNOWN && tg_walk_is_news(walk->account, deal->time))
            tell(walk, deal);
    }
}
