/* What the deals of a poll tell by themselves. Services list whole days or the last minute, twice,
 * late, or before the positions show it; so each deal is asked what it belongs to before it is
 * told. The trades that were opened and closed between two polls exist in the deals alone.
 *
 * What would break it: telling a trade from deals that turn up after its close was told, which is
 * why closed positions are remembered (tg_deals_bury). */
#include "model/lifecycle_inner.h"

#include "base/decimal.h"

#include <string.h>

bool tg_walk_is_news(const struct tg_account *account, int64_t time_ms)
{
    return time_ms && time_ms >= account->begun_ms - TG_CLOCK_MS &&
           time_ms >= tg_walk_last_poll(account) - TG_NEWS_MS;
}

static bool is_trade(const struct tgl_deal *deal)
{
    return deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
}

/* Whether the positions of this poll do not show yet what the deal did, because it was made between
 * the two answers: then the next poll decides, and the deal must be neither told nor forgotten. One
 * that closed something well before the last poll is shown already, even where the volume is the
 * same again. */
static bool is_ahead(const struct tg_walk *walk, const struct tgl_deal *deal)
{
    int64_t last = tg_walk_last_poll(walk->account);
    if (!is_trade(deal) || !deal->position_id) return false;
    if (tg_walk_holds(walk, deal->position_id)) return true;
    const struct tgl_position *now = tg_walk_now(walk->records, deal->position_id);
    const struct tgl_position *was =
        tg_positions_find(&walk->account->positions, deal->position_id);
    bool same = now && was && now->side == was->side &&
                tg_scaled(now->volume, 8) == tg_scaled(was->volume, 8);
    if (!now && !was) {
        struct tg_closing closing;
        if (tg_deals_buried(&walk->account->deals, deal->position_id)) return false;
        tg_closing_of(&closing, walk->records, &walk->account->deals, deal->position_id, 0);
        return tg_scaled(closing.volume, 8) < tg_scaled(closing.volume_in, 8);
    }
    if (deal->entry != TG_ENTRY_IN && deal->time >= last - TG_NEWS_MS &&
        deal->time < last - TG_CLOCK_MS)
        return false;
    return same;
}

/* A position that was opened and closed between the two polls: both events, rebuilt from its deals.
 */
static void fast_trade(struct tg_walk *walk, const struct tgl_deal *deal)
{
    struct tg_closing closing;
    tg_closing_of(&closing, walk->records, &walk->account->deals, deal->position_id, 0);
    int64_t time_open = closing.entry ? closing.entry->time : closing.time_open;
    if (closing.exit != deal || !time_open || !tg_walk_is_news(walk->account, time_open) ||
        tg_deals_buried(&walk->account->deals, deal->position_id))
        return;
    const struct tgl_deal *origin = closing.entry ? closing.entry : deal;
    struct tgl_position position;
    tg_position_blank(&position);
    memcpy(position.symbol, deal->symbol, sizeof position.symbol);
    memcpy(position.comment, origin->comment, sizeof position.comment);
    position.ticket = position.position_id = deal->position_id;
    position.magic = origin->magic;
    position.time_open = time_open;
    position.volume = closing.volume;
    position.price_open = closing.entry ? closing.entry->price : closing.price_open;
    position.price_current = closing.price;
    position.sl = deal->sl;
    position.tp = deal->tp;
    position.digits = deal->digits;
    position.currency_digits = deal->currency_digits;
    position.side = deal->action == TG_ACTION_BUY ? TG_SIDE_SELL : TG_SIDE_BUY;
    if (closing.entry) position.reason = closing.entry->reason;
    position.profit = position.swap = 0;
    struct tg_moment *open = tg_walk_add(walk, TG_MOMENT_POSITION_OPENED, &position);
    if (!open) return;
    open->about.synthetic = 1;
    struct tg_moment *close = tg_walk_add(walk, TG_MOMENT_POSITION_CLOSED, &position);
    if (!close) return;
    close->about.synthetic = 1;
    tg_walk_confirm(close, &closing);
    tg_walk_realised(&close->position, &closing);
    tg_deals_bury(&walk->account->deals, deal->position_id);
}

static struct tg_moment *tell(struct tg_walk *walk, const struct tgl_deal *deal)
{
    int kind = is_trade(deal) ? TG_MOMENT_DEAL : TG_MOMENT_BALANCE_OPERATION;
    struct tg_moment *moment = tg_walk_add(walk, kind, NULL);
    if (!moment) return NULL;
    moment->deal = *deal;
    moment->about.digits = deal->digits;
    moment->about.currency_digits = deal->currency_digits;
    return moment;
}

void tg_walk_settle(struct tg_walk *walk)
{
    struct tg_account *account = walk->account;
    for (uint32_t i = 0; i < walk->records->deals_count; i++) {
        const struct tgl_deal *deal = &walk->records->deals[i];
        if (!is_trade(deal) || deal->entry < TG_ENTRY_OUT || tg_deals_seen(&account->deals, deal))
            continue;
        if (!tg_debts_pay(&account->debts_was, deal->position_id,
                          tg_scaled(tg_deal_closed(deal), 8)))
            continue;
        tg_deals_remember(&account->deals, deal);
    }
}

/* What is decided here is remembered when the poll is over: until then these deals are evidence. */
void tg_walk_tell(struct tg_walk *walk)
{
    const struct tg_records *records = walk->records;
    const struct tg_deals *deals = &walk->account->deals;
    const struct tg_deals told = {deals->keys, walk->told, deals->cap};
    for (uint32_t i = 0; i < records->deals_count && !walk->rc; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        if (tg_deals_seen(&told, deal)) continue;
        bool settled = tg_deals_seen(deals, deal);
        if (!settled && is_ahead(walk, deal)) continue;
        tg_deals_remember(&walk->account->deals_new, deal);
        if (!tg_walk_is_news(walk->account, deal->time)) continue;
        if (!tell(walk, deal)) return;
        if (!settled && is_trade(deal) && deal->position_id &&
            !tg_positions_find(&walk->account->positions, deal->position_id) &&
            !tg_walk_now(records, deal->position_id))
            fast_trade(walk, deal);
    }
}
