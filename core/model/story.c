/* How a plan is told. The deals of a position fall into chapters, which end where its volume is
 * gone or turns round: a chapter that ends is a close, one that begins is an opening, and a volume
 * that only moved is a modification. Chapters that lie wholly between two polls are told as well,
 * from their deals alone. More deals than one behind one event are told as coalesced. */
#include "model/lifecycle_inner.h"

#include "base/decimal.h"
#include "model/field.h"

#include <stdlib.h>
#include <string.h>

/* A chapter: what the deals since the last close, or since the last poll, did. */
struct chapter {
    struct tg_closing closing;
    const struct tgl_position *was; /* what the chapter began with; NULL: with a deal */
    int64_t opened;                 /* lots that its first deal opened, when it began with one */
    uint32_t deals;
};

static double lots_of(int64_t scaled)
{
    return (double)llabs(scaled) / 1e8;
}

/* The close figures of a moment. The deal may show more of the symbol's decimals than were known
 * when the position was last seen, and its price needs them. */
static void confirm(struct tg_moment *moment, const struct tg_closing *closing)
{
    struct tgl_moment *about = &moment->about;
    const struct tgl_deal *exit = closing->exit;
    if (exit && exit->digits > about->digits) about->digits = exit->digits;
    about->time_close = closing->time;
    about->volume_closed = closing->volume;
    about->close_price = closing->price;
    about->close_reason = closing->reason;
    about->net_profit = closing->profit + closing->swap + closing->commission + closing->fee;
}

/* The opposite position of a close-by: the other deal of the same order. */
static uint64_t partner_of(const struct tg_walk *walk, const struct tgl_deal *deal)
{
    if (!deal || deal->entry != TG_ENTRY_OUT_BY || !deal->order) return 0;
    for (uint32_t i = 0; i < walk->records->deals_count; i++) {
        const struct tgl_deal *other = &walk->records->deals[i];
        if (other->order == deal->order && other->entry == TG_ENTRY_OUT_BY &&
            other->position_id != deal->position_id)
            return other->position_id;
    }
    return 0;
}

/* A position that was never seen, as its deals show it. */
static void rebuild(struct tgl_position *position, const struct chapter *chapter, uint64_t id)
{
    const struct tg_closing *closing = &chapter->closing;
    const struct tgl_deal *exit = closing->exit, *origin = closing->entry ? closing->entry : exit;
    bool sell = closing->entry ? origin->action == TG_ACTION_SELL : origin->action == TG_ACTION_BUY;
    tg_position_blank(position);
    memcpy(position->symbol, exit->symbol, sizeof position->symbol);
    memcpy(position->comment, origin->comment, sizeof position->comment);
    position->ticket = position->position_id = id;
    position->magic = origin->magic;
    position->time_open = closing->entry ? closing->entry->time : closing->time_open;
    position->volume = closing->volume;
    position->price_open = closing->entry ? origin->price : closing->price_open;
    position->price_current = closing->price;
    position->sl = exit->sl;
    position->tp = exit->tp;
    position->digits = exit->digits;
    position->currency_digits = exit->currency_digits;
    position->side = sell ? TG_SIDE_SELL : TG_SIDE_BUY;
    if (closing->entry) position->reason = closing->entry->reason;
    position->profit = position->swap = 0;
}

/* A chapter that has ended: a close, and before it the opening when nobody saw it. */
static void tell_close(struct tg_walk *walk, const struct tg_plan *plan,
                       const struct chapter *chapter, bool turned)
{
    struct tgl_position rebuilt;
    const struct tgl_position *position = chapter->was;
    if (!position) {
        rebuild(&rebuilt, chapter, plan->id);
        position = &rebuilt;
        struct tg_moment *open = tg_walk_add(walk, TG_MOMENT_POSITION_OPENED, position);
        if (!open) return;
        open->about.synthetic = 1;
        open->about.coalesced = chapter->deals > (plan->bare ? 1 : 2);
    }
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_CLOSED, position);
    if (!moment) return;
    confirm(moment, &chapter->closing);
    moment->about.synthetic = !chapter->was;
    moment->about.coalesced = chapter->deals > (chapter->was || plan->bare ? 1 : 2);
    moment->about.position_by_id = partner_of(walk, chapter->closing.exit);
    if (turned) moment->about.close_reason = TG_REASON_REVERSAL;
    moment->position.profit = chapter->closing.profit;
    moment->position.swap = chapter->closing.swap;
    moment->position.commission = chapter->closing.commission;
    if (isnan(chapter->closing.price)) return;
    moment->position.price_current = chapter->closing.price;
    moment->position.digits = moment->about.digits;
}

/* A position that is gone, or has turned round, and no deal says for how much. */
static void tell_estimate(struct tg_walk *walk, const struct tgl_position *was, bool turned)
{
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_CLOSED, was);
    if (!moment) return;
    moment->about.estimated = 1;
    moment->about.close_reason = turned ? TG_REASON_REVERSAL : TG_REASON_UNKNOWN;
    moment->about.volume_closed = was->volume;
    moment->about.close_price = was->price_current;
    if (turned) return;
    moment->about.net_profit = was->profit + (isnan(was->swap) ? 0 : was->swap) +
                               (isnan(was->commission) ? 0 : was->commission);
}

static int kind_of_change(const struct tgl_position *was, const struct tgl_position *now,
                          const struct chapter *chapter)
{
    int64_t before = tg_scaled(was->volume, 8), after = tg_scaled(now->volume, 8);
    if (chapter->closing.volume > 0 || after < before) return TG_CHANGE_PARTIAL_CLOSE;
    if (after > before) return TG_CHANGE_VOLUME_INCREASE;
    if (was->ticket != now->ticket) return TG_CHANGE_ROLLOVER;
    if (!tg_same(was->sl, now->sl, now->digits) || !tg_same(was->tp, now->tp, now->digits))
        return TG_CHANGE_LEVELS;
    return TG_CHANGE_OTHER;
}

/* More than one kind of thing happened to it: the volume, the levels, the ticket. */
static bool is_mixed(uint64_t changed)
{
    bool volume = changed & TG_POSITION_BIT(volume), ticket = changed & TG_POSITION_BIT(ticket);
    bool levels = changed & (TG_POSITION_BIT(sl) | TG_POSITION_BIT(tp));
    return volume + ticket + levels > 1;
}

/* Without deals nobody sees an addition that a partial close takes off again, but the price of
 * opening, which is that of the additions, moves. */
static bool is_repriced(const struct tg_walk *walk, const struct tg_plan *plan, uint64_t changed)
{
    return !walk->account->deals_ever && !walk->records->deals_known && plan->told == plan->lots &&
           changed & TG_POSITION_BIT(price_open);
}

static void tell_change(struct tg_walk *walk, const struct tg_plan *plan,
                        const struct chapter *chapter)
{
    uint64_t changed = tg_entity_diff(&tg_position_entity, plan->was, plan->now);
    if (chapter->deals) changed |= TG_POSITION_BIT(volume);
    if (!(changed & tg_lifecycle_fields())) return;
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_MODIFIED, plan->now);
    if (!moment) return;
    moment->was = *plan->was;
    moment->changed = changed;
    moment->about.change = kind_of_change(plan->was, plan->now, chapter);
    moment->about.coalesced = chapter->deals > 1 || is_mixed(changed);
    if (chapter->closing.volume > 0) {
        confirm(moment, &chapter->closing);
        moment->about.position_by_id = partner_of(walk, chapter->closing.exit);
    }
    bool repriced = is_repriced(walk, plan, changed);
    if (repriced) moment->about.coalesced = 1;
    if (plan->verdict != TG_ESTIMATED && !repriced) return;
    moment->about.estimated = 1;
    if (llabs(plan->lots) < llabs(plan->told))
        moment->about.volume_closed = lots_of(llabs(plan->told) - llabs(plan->lots));
}

static void tell_open(struct tg_walk *walk, const struct tg_plan *plan,
                      const struct chapter *chapter)
{
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_OPENED, plan->now);
    if (!moment) return;
    moment->about.coalesced = chapter->deals > 1;
    moment->about.estimated = plan->verdict == TG_ESTIMATED;
}

/* Deals that turned up late and say that what was told as one opening was more than that: told now,
 * so that no part of it is missing. */
static void tell_settled(struct tg_walk *walk, const struct tg_plan *plan, uint32_t deals,
                         const struct tg_closing *closing)
{
    if (deals <= plan->expected || deals <= plan->silent || !plan->was) return;
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_MODIFIED, plan->was);
    if (!moment) return;
    moment->was = *plan->was;
    moment->changed = TG_POSITION_BIT(volume);
    moment->about.coalesced = 1;
    moment->about.change =
        closing->volume > 0 ? TG_CHANGE_PARTIAL_CLOSE : TG_CHANGE_VOLUME_INCREASE;
    if (closing->volume > 0) confirm(moment, closing);
}

/* What a plan's last chapter is to the account: told in the phase it belongs to. */
static void tell_last(struct tg_walk *walk, const struct tg_plan *plan,
                      const struct chapter *chapter, enum tg_phase phase)
{
    if (!plan->now) return;
    if (chapter->was) {
        if (phase == TG_CHANGES) tell_change(walk, plan, chapter);
    } else if (phase == TG_OPENS) {
        tell_open(walk, plan, chapter);
    }
}

/* What closed of a deal that took a position from one volume to another. */
static double closed_by(const struct tgl_deal *deal, int64_t before, int64_t after)
{
    if (deal->entry == TG_ENTRY_IN) return 0;
    if (deal->entry == TG_ENTRY_INOUT || !after) return lots_of(before);
    return lots_of(llabs(before) - llabs(after));
}

static void tell_chapters(struct tg_walk *walk, const struct tg_plan *plan, enum tg_phase phase)
{
    struct tg_closing settled = TG_CLOSING_NONE;
    struct chapter chapter = {.closing = TG_CLOSING_NONE, .was = plan->was};
    uint32_t at = 0, n = 0;
    int64_t lots = plan->told;
    while (n < plan->settled + plan->shown) {
        const struct tgl_deal *deal = tg_walk_next(walk, plan, &at);
        if (n++ < plan->settled) {
            if (n > plan->silent)
                tg_closing_add(&settled, deal, deal->entry == TG_ENTRY_IN ? 0 : deal->volume);
            if (n == plan->settled && phase == TG_CLOSES) tell_settled(walk, plan, n, &settled);
            continue;
        }
        if (plan->bare) {
            tg_closing_add(&chapter.closing, deal, deal->volume);
            chapter.deals++;
            continue;
        }
        int64_t before = lots;
        lots = tg_deal_apply(deal, lots);
        tg_closing_add(&chapter.closing, deal, closed_by(deal, before, lots));
        chapter.deals++;
        bool turned = lots && before && (lots < 0) != (before < 0);
        if (lots && !turned) continue;
        if (phase == TG_CLOSES) tell_close(walk, plan, &chapter, turned);
        chapter = (struct chapter){.closing = TG_CLOSING_NONE, .deals = turned};
        if (turned) chapter.closing.entry = deal;
    }
    if (plan->bare && phase == TG_CLOSES) tell_close(walk, plan, &chapter, false);
    tell_last(walk, plan, &chapter, phase);
}

/* The reversal under another identifier: its deal belongs to the position that has gone. */
static void tell_turn(struct tg_walk *walk, const struct tg_plan *plan)
{
    struct chapter chapter = {.closing = TG_CLOSING_NONE, .was = plan->was, .deals = 1};
    tg_closing_add(&chapter.closing, plan->turn, plan->was->volume);
    tell_close(walk, plan, &chapter, true);
}

void tg_walk_tell(struct tg_walk *walk, const struct tg_plan *plan, enum tg_phase phase)
{
    const struct chapter none = {.closing = TG_CLOSING_NONE, .was = plan->was};
    bool turned = plan->now && plan->was && (plan->lots < 0) != (plan->told < 0);
    bool same = plan->now && !turned && !plan->reborn;
    if (plan->turn) {
        if (phase == TG_CLOSES) tell_turn(walk, plan);
    } else if (plan->verdict == TG_SHOWN) {
        tell_chapters(walk, plan, phase);
    } else if (plan->verdict == TG_ESTIMATED && same) {
        if (phase == TG_CHANGES) tell_change(walk, plan, &none);
    } else if (plan->verdict == TG_ESTIMATED) {
        if (phase == TG_CLOSES) tell_estimate(walk, plan->was, turned);
        if (phase == TG_OPENS && plan->now) tell_open(walk, plan, &none);
    }
}
