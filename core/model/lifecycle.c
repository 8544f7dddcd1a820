/* The rule above all others: no failure becomes an event. A position that is missing is not closed;
 * it is closed when a deal says so. Without a deal it is a suspect, stays in the account as it last
 * was, and is told as closed (marked as estimated) only after it was missing from several good
 * polls in a row. Both sets are sorted by identifier, so one walk over both finds every difference.
 *
 * What would break it: using a deal twice, or for something else than what it did. A deal is told
 * once and is evidence once, and while it is open what it belongs to (its position is a suspect, or
 * does not show it yet) it is neither told nor used up. What a poll learns of suspects and debts is
 * built aside and taken over at the end, so that a poll that runs out of memory has not happened.
 */
#include "model/lifecycle_inner.h"

#include "base/decimal.h"
#include "base/err.h"
#include "model/field.h"

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

/* What the new deals say of a position that was open at the last poll. A position that was watched
 * from its opening has no deals that were not told, so every untold one is evidence, whatever its
 * clock says. Of one that was there before us, only deals made since then are; without a clock of
 * the source's own, a minute is granted to ours. */
static void evidence(const struct tg_walk *walk, uint64_t position_id, struct tg_closing *closing)
{
    const struct tg_account *account = walk->account;
    int64_t since = 0;
    for (uint32_t i = 0; i < account->heirlooms.count; i++)
        if (account->heirlooms.ids[i] == position_id)
            since = account->begun_ms - (account->good_source_ms ? TG_CLOCK_MS : TG_NEWS_MS);
    tg_closing_of(closing, walk->records, &account->deals, position_id, since);
}

void tg_walk_confirm(struct tg_moment *moment, const struct tg_closing *closing)
{
    struct tgl_moment *about = &moment->about;
    about->time_close = closing->time;
    about->volume_closed = closing->volume;
    about->close_price = closing->price;
    about->close_reason = closing->reason;
    about->net_profit = closing->profit + closing->swap + closing->commission + closing->fee;
}

void tg_walk_realised(struct tgl_position *position, const struct tg_closing *closing)
{
    position->profit = closing->profit;
    position->swap = closing->swap;
    position->commission = closing->commission;
    if (!isnan(closing->price)) position->price_current = closing->price;
}

static void keep(struct tg_walk *walk, const struct tgl_position *position)
{
    walk->next->rows[walk->next->count++] = *position;
}

static int suspect_polls(const struct tg_suspects *suspects, uint64_t position_id)
{
    uint32_t low = 0, high = suspects->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct tg_suspect *row = &suspects->rows[middle];
        if (row->id == position_id) return row->polls;
        if (row->id < position_id)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

bool tg_walk_holds(const struct tg_walk *walk, uint64_t position_id)
{
    return suspect_polls(&walk->account->suspects_was, position_id) > 0;
}

static bool proves(const struct tg_closing *closing, const struct tgl_position *position)
{
    return closing->volume > 0 && tg_scaled(closing->volume, 8) >= tg_scaled(position->volume, 8);
}

static void owe(struct tg_walk *walk, uint64_t position_id, double volume)
{
    int64_t lots = tg_scaled(volume, 8);
    if (lots > 0) tg_debts_owe(&walk->account->debts_was, position_id, lots, walk->mono_ms);
}

/* The position is in the old set and not in the new one. */
static void vanished(struct tg_walk *walk, const struct tgl_position *position)
{
    struct tg_closing closing;
    if (tg_walk_holds(walk, position->position_id)) {
        keep(walk, position);
        return;
    }
    evidence(walk, position->position_id, &closing);
    bool proved = proves(&closing, position);
    tg_deals_bury(&walk->account->deals, position->position_id);
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_CLOSED, position);
    if (!moment) return;
    tg_walk_confirm(moment, &closing);
    if (proved) {
        tg_walk_realised(&moment->position, &closing);
        return;
    }
    owe(walk, position->position_id, position->volume - closing.volume);
    moment->about.estimated = 1;
    moment->about.close_reason = TG_REASON_UNKNOWN;
    moment->about.time_close = 0;
    moment->about.volume_closed = position->volume;
    moment->about.close_price = position->price_current;
    moment->about.net_profit = position->profit + (isnan(position->swap) ? 0 : position->swap) +
                               (isnan(position->commission) ? 0 : position->commission);
}

static void opened(struct tg_walk *walk, const struct tgl_position *position)
{
    (void)tg_walk_add(walk, TG_MOMENT_POSITION_OPENED, position);
}

/* The position turned round under the same identifier (netting): the old side is closed, the new
 * one is opened. */
static void reversed(struct tg_walk *walk, const struct tgl_position *was)
{
    struct tg_closing closing;
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_CLOSED, was);
    if (!moment) return;
    evidence(walk, was->position_id, &closing);
    bool turned = closing.exit && closing.exit->entry == TG_ENTRY_INOUT;
    if (turned || proves(&closing, was)) {
        tg_walk_confirm(moment, &closing);
        tg_walk_realised(&moment->position, &closing);
        if (!proves(&closing, was)) moment->about.volume_closed = was->volume;
    } else {
        owe(walk, was->position_id, was->volume - closing.volume);
        moment->about.estimated = 1;
        moment->about.volume_closed = was->volume;
        moment->about.close_price = was->price_current;
    }
    moment->about.close_reason = TG_REASON_REVERSAL;
}

static void modified(struct tg_walk *walk, const struct tgl_position *was,
                     const struct tgl_position *now, uint64_t changed)
{
    struct tg_moment *moment = tg_walk_add(walk, TG_MOMENT_POSITION_MODIFIED, now);
    if (!moment) return;
    struct tg_closing closing;
    int64_t before = tg_scaled(was->volume, 8), after = tg_scaled(now->volume, 8);
    moment->was = *was;
    moment->changed = changed;
    if (after < before) {
        evidence(walk, now->position_id, &closing);
        tg_walk_confirm(moment, &closing);
        moment->about.change = TG_CHANGE_PARTIAL_CLOSE;
        if (tg_scaled(closing.volume, 8) < before - after) {
            owe(walk, now->position_id, was->volume - now->volume - closing.volume);
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
static void walk_positions(struct tg_walk *walk, enum phase phase)
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
            if (phase == OPENS) {
                (void)tg_debts_pay(&walk->account->debts_was, now->position_id, 0);
                opened(walk, now);
            }
            continue;
        }
        i++;
        uint64_t changed = tg_entity_diff(&tg_position_entity, was, now);
        if (was->side != now->side) {
            if (phase == CLOSES) reversed(walk, was);
            if (phase == OPENS) opened(walk, now);
        } else if (phase == CHANGES && (changed & tg_lifecycle_fields())) {
            modified(walk, was, now, changed);
        }
    }
}

const struct tgl_position *tg_walk_now(const struct tg_records *records, uint64_t id)
{
    const struct tg_positions set = {records->positions, records->positions_count, 0};
    return tg_positions_find(&set, id);
}

/* Finds the positions that are missing without proof and stay open for now. The room was made. */
static void find_suspects(struct tg_walk *walk)
{
    struct tg_account *account = walk->account;
    account->suspects_was.count = 0;
    for (uint32_t i = 0; i < account->positions.count; i++) {
        const struct tgl_position *was = &account->positions.rows[i];
        struct tg_closing closing;
        if (tg_walk_now(walk->records, was->position_id)) continue;
        int polls = suspect_polls(&account->suspects, was->position_id) + 1;
        if (polls >= walk->policy->suspect_polls) continue;
        evidence(walk, was->position_id, &closing);
        if (proves(&closing, was)) continue;
        account->suspects_was.rows[account->suspects_was.count++] =
            (struct tg_suspect){was->position_id, polls};
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
    account->deals_new.count = 0;
    int rc = tg_debts_copy(&account->debts_was, &account->debts, old, mono_ms);
    if (!rc) rc = tg_deals_reserve(&account->deals_new, deals);
    return rc ? rc : tg_deals_reserve(&account->deals, 2 * deals + old);
}

static void take_over(struct tg_account *account)
{
    tg_deals_join(&account->deals, &account->deals_new);
    struct tg_suspects suspects = account->suspects;
    struct tg_debts debts = account->debts;
    account->suspects = account->suspects_was;
    account->suspects_was = suspects;
    account->debts = account->debts_was;
    account->debts_was = debts;
}

int tg_lifecycle_run(struct tg_account *account, const struct tg_records *records,
                     const struct tg_account_policy *policy, int64_t mono_ms)
{
    int rc = make_room(account, records, mono_ms);
    if (rc) return rc;
    struct tg_walk walk = {
        account, records, policy, &account->positions_was, mono_ms, account->deals.count, 0};
    if (records->deals_known) tg_walk_settle(&walk);
    find_suspects(&walk);
    if (records->deals_known) tg_walk_tell(&walk);
    for (int phase = CLOSES; phase <= OPENS && !walk.rc; phase++)
        walk_positions(&walk, (enum phase)phase);
    if (walk.rc) {
        account->deals.count = walk.told;
        return walk.rc;
    }
    take_over(account);
    return 0;
}
