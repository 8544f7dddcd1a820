/* The rule above all others: no failure becomes an event. A position that is missing is not closed;
 * it is closed when a deal says so. Without a deal it is a suspect, stays in the account as it last
 * was, and is told as closed (marked as estimated) only after it was missing from several good
 * polls in a row. Both sets are sorted by identifier, so one walk over both finds every difference.
 */
#include "model/lifecycle.h"

#include "base/decimal.h"
#include "base/err.h"
#include "model/field.h"

#include <stdlib.h>
#include <string.h>

/* One comparison in progress. */
struct walk {
    struct tg_account *account;
    const struct tg_records *records;
    const struct tg_account_policy *policy;
    struct tg_positions *next; /* the new set; room for every row was made beforehand */
    int rc;
};

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

static struct tg_moment *add(struct walk *walk, int kind, const struct tgl_position *position)
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

/* When the last good poll was, by the source's own clock where it tells one. */
static int64_t last_poll(const struct tg_account *account)
{
    return account->good_source_ms ? account->good_source_ms : account->good_wall_ms;
}

/* What the new deals say of a position that was open at the last poll. A position that was watched
 * from its opening has no deals that were not told, so every untold one is evidence, whatever its
 * clock says. Of one that was there before us, only deals made since the last poll are; a minute is
 * granted to the clocks. */
static void evidence(const struct walk *walk, uint64_t position_id, struct tg_closing *closing)
{
    const struct tg_account *account = walk->account;
    int64_t since = 0;
    for (uint32_t i = 0; i < account->heirlooms.count; i++)
        if (account->heirlooms.ids[i] == position_id) since = last_poll(account) - 60000;
    tg_closing_of(closing, walk->records, &account->deals, position_id, since);
}

/* Fills the close figures of a moment, and the position's own with what was realised. */
static void confirm(struct tg_moment *moment, const struct tg_closing *closing)
{
    struct tgl_moment *about = &moment->about;
    about->time_close = closing->time;
    about->volume_closed = closing->volume;
    about->close_price = closing->price;
    about->close_reason = closing->reason;
    about->net_profit = closing->profit + closing->swap + closing->commission + closing->fee;
}

static void realised(struct tgl_position *position, const struct tg_closing *closing)
{
    position->profit = closing->profit;
    position->swap = closing->swap;
    position->commission = closing->commission;
    if (!isnan(closing->price)) position->price_current = closing->price;
}

static void keep(struct walk *walk, const struct tgl_position *position)
{
    walk->next->rows[walk->next->count++] = *position;
}

static struct tg_suspect *suspect_of(struct tg_account *account, uint64_t position_id)
{
    for (uint32_t i = 0; i < account->suspects_count; i++)
        if (account->suspects[i].position_id == position_id) return &account->suspects[i];
    return NULL;
}

static void clear_suspect(struct tg_account *account, uint64_t position_id)
{
    struct tg_suspect *suspect = suspect_of(account, position_id);
    if (suspect) *suspect = account->suspects[--account->suspects_count];
}

/* Counts one more poll without the position; gives how many there were, or -TG_ENOMEM. */
static int suspect(struct tg_account *account, uint64_t position_id)
{
    struct tg_suspect *found = suspect_of(account, position_id);
    if (found) return ++found->polls;
    if (account->suspects_count == account->suspects_cap) {
        uint32_t cap = account->suspects_cap ? account->suspects_cap * 2 : 4;
        struct tg_suspect *suspects = realloc(account->suspects, cap * sizeof *suspects);
        if (!suspects) return -TG_ENOMEM;
        account->suspects = suspects;
        account->suspects_cap = cap;
    }
    account->suspects[account->suspects_count++] = (struct tg_suspect){position_id, 1};
    return 1;
}

/* The position is in the old set and not in the new one. */
static void vanished(struct walk *walk, const struct tgl_position *position)
{
    struct tg_closing closing;
    evidence(walk, position->position_id, &closing);
    bool proved =
        closing.volume > 0 && tg_scaled(closing.volume, 8) >= tg_scaled(position->volume, 8);
    if (!proved) {
        int polls = suspect(walk->account, position->position_id);
        if (polls < 0) walk->rc = polls;
        if (polls < walk->policy->suspect_polls) {
            keep(walk, position);
            return;
        }
    }
    clear_suspect(walk->account, position->position_id);
    struct tg_moment *moment = add(walk, TG_MOMENT_POSITION_CLOSED, position);
    if (!moment) return;
    confirm(moment, &closing);
    if (proved) {
        realised(&moment->position, &closing);
        return;
    }
    moment->about.estimated = 1;
    moment->about.close_reason = TG_REASON_UNKNOWN;
    moment->about.time_close = 0;
    moment->about.volume_closed = position->volume;
    moment->about.close_price = position->price_current;
    moment->about.net_profit = position->profit + (isnan(position->swap) ? 0 : position->swap) +
                               (isnan(position->commission) ? 0 : position->commission);
}

static void opened(struct walk *walk, const struct tgl_position *position)
{
    (void)add(walk, TG_MOMENT_POSITION_OPENED, position);
}

/* The position turned round under the same identifier (netting): the old side is closed, the new
 * one is opened. */
static void reversed(struct walk *walk, const struct tgl_position *was)
{
    struct tg_closing closing;
    struct tg_moment *moment = add(walk, TG_MOMENT_POSITION_CLOSED, was);
    if (!moment) return;
    evidence(walk, was->position_id, &closing);
    if (closing.volume > 0 && tg_scaled(closing.volume, 8) >= tg_scaled(was->volume, 8)) {
        confirm(moment, &closing);
        realised(&moment->position, &closing);
    } else {
        moment->about.estimated = 1;
        moment->about.volume_closed = was->volume;
        moment->about.close_price = was->price_current;
    }
    moment->about.close_reason = TG_REASON_REVERSAL;
}

static void modified(struct walk *walk, const struct tgl_position *was,
                     const struct tgl_position *now, uint64_t changed)
{
    struct tg_moment *moment = add(walk, TG_MOMENT_POSITION_MODIFIED, now);
    if (!moment) return;
    struct tg_closing closing;
    int64_t before = tg_scaled(was->volume, 8), after = tg_scaled(now->volume, 8);
    moment->was = *was;
    moment->changed = changed;
    if (after < before) {
        evidence(walk, now->position_id, &closing);
        confirm(moment, &closing);
        moment->about.change = TG_CHANGE_PARTIAL_CLOSE;
        if (closing.volume <= 0) {
            moment->about.estimated = 1;
            moment->about.net_profit = NAN;
            moment->about.volume_closed = was->volume - now->volume;
        }
    } else if (after > before) {
        moment->about.change = TG_CHANGE_VOLUME_INCREASE;
    } else if (was->ticket != now->ticket) {
        moment->about.change = TG_CHANGE_ROLLOVER;
    } else if (was->sl != now->sl || was->tp != now->tp) {
        moment->about.change = TG_CHANGE_LEVELS;
    } else {
        moment->about.change = TG_CHANGE_OTHER;
    }
}

enum phase { CLOSES, CHANGES, OPENS };

/* One walk over both sorted sets, telling what belongs to this phase. The set is built in the
 * first. */
static void walk_positions(struct walk *walk, enum phase phase)
{
    const struct tg_positions *old = &walk->account->positions;
    const struct tg_records *new = walk->records;
    for (uint32_t i = 0, k = 0; (i < old->count || k < new->positions_count) && !walk->rc;) {
        const struct tgl_position *was = i < old->count ? &old->rows[i] : NULL;
        const struct tgl_position *now = k < new->positions_count ? &new->positions[k] : NULL;
        if (was && (!now || was->position_id < now->position_id)) {
            if (phase == CLOSES) vanished(walk, was);
            i++;
            continue;
        }
        if (phase == CLOSES) keep(walk, now);
        k++;
        if (!was || now->position_id < was->position_id) {
            if (phase == OPENS) opened(walk, now);
            continue;
        }
        i++;
        clear_suspect(walk->account, now->position_id);
        uint64_t changed = tg_entity_diff(&tg_position_entity, was, now);
        if (was->side != now->side) {
            if (phase == CLOSES) reversed(walk, was);
            if (phase == OPENS) opened(walk, now);
        } else if (phase == CHANGES && (changed & tg_lifecycle_fields())) {
            modified(walk, was, now, changed);
        }
    }
}

static const struct tgl_position *in_records(const struct tg_records *records, uint64_t id)
{
    const struct tg_positions set = {records->positions, records->positions_count, 0};
    return tg_positions_find(&set, id);
}

/* Whether a deal is of the time since the last good poll. Sources list whole days; what was there
 * before the first poll is history, not news. Two seconds are granted to clocks and to snapshots
 * that lag. */
static bool is_news(const struct tg_account *account, int64_t time_ms)
{
    return time_ms && time_ms >= last_poll(account) - 2000;
}

/* Whether the positions of this poll do not show yet what the deal did, because it was made between
 * the two answers: then the next poll decides, and the deal must be neither told nor forgotten. */
static bool is_ahead(const struct walk *walk, const struct tgl_deal *deal)
{
    if (deal->action != TG_ACTION_BUY && deal->action != TG_ACTION_SELL) return false;
    const struct tgl_position *now = in_records(walk->records, deal->position_id);
    const struct tgl_position *was =
        tg_positions_find(&walk->account->positions, deal->position_id);
    if (deal->entry == TG_ENTRY_IN) {
        struct tg_closing closing;
        if (now && was) return tg_scaled(now->volume, 8) == tg_scaled(was->volume, 8);
        if (now || was) return false;
        tg_closing_of(&closing, walk->records, &walk->account->deals, deal->position_id, 0);
        return closing.volume <= 0;
    }
    return now && was && now->side == was->side &&
           tg_scaled(now->volume, 8) == tg_scaled(was->volume, 8);
}

/* A position that was opened and closed between the two polls: both events, rebuilt from its deals.
 */
static void fast_trade(struct walk *walk, const struct tgl_deal *deal)
{
    struct tg_closing closing;
    tg_closing_of(&closing, walk->records, &walk->account->deals, deal->position_id, 0);
    int64_t time_open = closing.entry ? closing.entry->time : closing.time_open;
    if (closing.exit != deal || !time_open || !is_news(walk->account, time_open)) return;
    struct tgl_position position;
    tg_position_blank(&position);
    memcpy(position.symbol, deal->symbol, sizeof position.symbol);
    memcpy(position.comment, deal->comment, sizeof position.comment);
    position.ticket = position.position_id = deal->position_id;
    position.magic = deal->magic;
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
    struct tg_moment *open = add(walk, TG_MOMENT_POSITION_OPENED, &position);
    if (!open) return;
    open->about.synthetic = 1;
    struct tg_moment *close = add(walk, TG_MOMENT_POSITION_CLOSED, &position);
    if (!close) return;
    close->about.synthetic = 1;
    confirm(close, &closing);
    realised(&close->position, &closing);
}

/* Tells the deals of the time since the last poll, and the trades that only the deals saw. */
static void tell_deals(struct walk *walk)
{
    const struct tg_records *records = walk->records;
    for (uint32_t i = 0; i < records->deals_count && !walk->rc; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        if (tg_deals_seen(&walk->account->deals, deal) || !is_news(walk->account, deal->time) ||
            is_ahead(walk, deal))
            continue;
        bool trade = deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
        struct tg_moment *moment =
            add(walk, trade ? TG_MOMENT_DEAL : TG_MOMENT_BALANCE_OPERATION, NULL);
        if (!moment) return;
        moment->deal = *deal;
        moment->about.digits = deal->digits;
        moment->about.currency_digits = deal->currency_digits;
        if (trade && deal->position_id &&
            !tg_positions_find(&walk->account->positions, deal->position_id) &&
            !in_records(records, deal->position_id))
            fast_trade(walk, deal);
    }
}

int tg_lifecycle_run(struct tg_account *account, const struct tg_records *records,
                     const struct tg_account_policy *policy)
{
    struct tg_positions *next = &account->positions_was;
    uint32_t room = account->positions.count + records->positions_count;
    if (next->cap < room) {
        struct tgl_position *rows = realloc(next->rows, room * sizeof *rows);
        if (!rows) return -TG_ENOMEM;
        next->rows = rows;
        next->cap = room;
    }
    next->count = 0;
    struct walk walk = {account, records, policy, next, 0};
    if (records->deals_known) tell_deals(&walk);
    for (int phase = CLOSES; phase <= OPENS && !walk.rc; phase++)
        walk_positions(&walk, (enum phase)phase);
    for (uint32_t i = 0; records->deals_known && i < records->deals_count && !walk.rc; i++)
        if (!is_ahead(&walk, &records->deals[i]))
            walk.rc = tg_deals_remember(&account->deals, &records->deals[i]);
    return walk.rc;
}
