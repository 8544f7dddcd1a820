/* A pending order that is missing from an answer has ended only when something says how: the order
 * history, or deals that fill all of it. Without a witness it is a suspect and stays, like a
 * position; after several good polls (many, of a source that tells a history, and those in which it
 * did not count little) it is told as removed in state "unknown", marked as estimated.
 * Whether it was cancelled or filled is never concluded from an absence.
 *
 * The history alone tells orders that were placed and ended between two polls. It also repeats
 * those that were told already, so the tickets of what has gone are remembered. */
#include "model/orders.h"

#include "base/decimal.h"
#include "base/err.h"
#include "model/field.h"
#include "model/lifecycle_inner.h"
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

static bool is_market(const struct tgl_order *order)
{
    return order->type == TG_ORDER_TYPE_BUY || order->type == TG_ORDER_TYPE_SELL ||
           order->type == TG_ORDER_TYPE_CLOSE_BY;
}

static bool has_ended(const struct tgl_order *order)
{
    return order->state == TG_ORDER_STATE_FILLED || order->state == TG_ORDER_STATE_CANCELLED ||
           order->state == TG_ORDER_STATE_EXPIRED || order->state == TG_ORDER_STATE_REJECTED ||
           order->state == TG_ORDER_STATE_PARTIAL;
}

/* What makes a modification; prices follow the market, and the state follows the volume. */
static uint64_t lifecycle_fields(void)
{
    return TG_ORDER_BIT(comment) | TG_ORDER_BIT(external_id) | TG_ORDER_BIT(magic) |
           TG_ORDER_BIT(time_expiration) | TG_ORDER_BIT(volume_initial) |
           TG_ORDER_BIT(volume_current) | TG_ORDER_BIT(price_open) | TG_ORDER_BIT(price_stoplimit) |
           TG_ORDER_BIT(sl) | TG_ORDER_BIT(tp) | TG_ORDER_BIT(type) | TG_ORDER_BIT(type_time);
}

const struct tgl_order *tg_orders_find(const struct tg_orders *orders, uint64_t ticket)
{
    return TG_ROWS_FIND(orders->rows, orders->count, ticket, ticket);
}

static int by_ticket(const void *a, const void *b)
{
    const struct tgl_order *x = a, *y = b;
    return (x->ticket > y->ticket) - (x->ticket < y->ticket);
}

int tg_orders_arrange(struct tg_records *records)
{
    struct tgl_order *rows = records->orders;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < records->orders_count; i++)
        if (!is_market(&rows[i])) rows[kept++] = rows[i];
    records->orders_count = kept;
    if (kept) qsort(rows, kept, sizeof *rows, by_ticket);
    for (uint32_t i = 0; i < kept; i++)
        if (!rows[i].ticket || (i && rows[i].ticket == rows[i - 1].ticket)) return -TG_EINVAL;
    struct tgl_order *history = records->history;
    uint32_t n = records->history_count;
    if (n) qsort(history, n, sizeof *history, by_ticket);
    records->history_count = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!i || history[i].ticket != history[records->history_count - 1].ticket)
            history[records->history_count++] = history[i];
    return 0;
}

bool tg_orders_want_history(const struct tg_account *account, const struct tg_records *records)
{
    if (!account->orders_known) return false;
    if (account->order_suspects.count) return true;
    if (!records->orders_known) return false;
    for (uint32_t i = 0; i < account->orders.count; i++) {
        const struct tgl_order *was = &account->orders.rows[i], *now = NULL;
        for (uint32_t k = 0; k < records->orders_count && !now; k++)
            if (records->orders[k].ticket == was->ticket) now = &records->orders[k];
        if (!now || tg_scaled(now->volume_current, 8) != tg_scaled(was->volume_current, 8))
            return true;
    }
    return false;
}

static struct tg_moment *tell(struct tg_account *account, int kind, const struct tgl_order *order)
{
    struct tg_moment *moment = tg_moment_add(account, kind);
    if (!moment) return NULL;
    moment->order = *order;
    moment->about.digits = order->digits;
    moment->about.currency_digits = order->currency_digits;
    return moment;
}

/* How the history says an order ended, or NULL. */
static const struct tgl_order *ending(const struct tg_records *records, uint64_t ticket)
{
    const struct tg_orders history = {records->history, records->history_count, 0};
    const struct tgl_order *order =
        records->history_known ? tg_orders_find(&history, ticket) : NULL;
    return order && has_ended(order) ? order : NULL;
}

/* The last of the deals that fill all of an order, or NULL while they do not. All its deals count,
 * told or not: a part that was filled before is no proof of the rest. */
static const struct tgl_deal *filling(const struct tg_records *records,
                                      const struct tgl_order *order)
{
    const struct tgl_deal *last = NULL;
    double volume = 0;
    for (uint32_t i = 0; records->deals_known && i < records->deals_count; i++) {
        if (records->deals[i].order != order->ticket) continue;
        last = &records->deals[i];
        volume += last->volume;
    }
    return tg_scaled(volume, 8) >= tg_scaled(order->volume_initial, 8) ? last : NULL;
}

static struct tg_suspect suspect_of(const struct tg_suspects *suspects, uint64_t ticket)
{
    const struct tg_suspect *row = TG_ROWS_FIND(suspects->rows, suspects->count, id, ticket);
    return row ? *row : (struct tg_suspect){.id = ticket};
}

/* The order is in the old set and not in the new one. */
static int gone(struct tg_account *account, const struct tg_records *records,
                const struct tg_account_policy *policy, const struct tgl_order *was)
{
    const struct tgl_order *end = ending(records, was->ticket);
    const struct tgl_deal *fill = end ? NULL : filling(records, was);
    struct tg_suspect suspect = suspect_of(&account->order_suspects, was->ticket);
    bool blind = account->history_ever && !records->history_known;
    if (suspect.polls && (blind || tg_walk_is_repeat(account, records)))
        suspect.repeats++;
    else
        suspect.polls++;
    int patience = policy->suspect_polls;
    if (account->history_ever && patience > 1) patience *= TG_PATIENCE;
    if (!end && !fill && tg_walk_weight(suspect.polls, suspect.repeats) < patience) {
        account->orders_was.rows[account->orders_was.count++] = *was;
        account->order_suspects_was.rows[account->order_suspects_was.count++] = suspect;
        return 0;
    }
    struct tg_moment *moment = tell(account, TG_MOMENT_ORDER_REMOVED, was);
    if (!moment) return -TG_ENOMEM;
    struct tgl_order *order = &moment->order;
    if (end) {
        order->state = end->state;
        order->time_done = end->time_done;
        if (end->position_id) order->position_id = end->position_id;
        order->volume_current = end->volume_current;
    } else if (fill) {
        order->state = TG_ORDER_STATE_FILLED;
        order->time_done = fill->time;
        order->position_id = fill->position_id;
        order->volume_current = 0;
    } else {
        order->state = TG_ORDER_STATE_UNKNOWN;
        moment->about.estimated = 1;
    }
    return 0;
}

static int modified(struct tg_account *account, const struct tgl_order *was,
                    const struct tgl_order *now)
{
    uint64_t changed = tg_entity_diff(&tg_order_entity, was, now);
    if (!(changed & lifecycle_fields())) return 0;
    struct tg_moment *moment = tell(account, TG_MOMENT_ORDER_MODIFIED, now);
    if (!moment) return -TG_ENOMEM;
    moment->order_was = *was;
    moment->changed = changed;
    if (tg_scaled(now->volume_current, 8) < tg_scaled(was->volume_current, 8))
        moment->about.change = TG_CHANGE_PARTIAL_FILL;
    else if (changed & (TG_ORDER_BIT(price_open) | TG_ORDER_BIT(price_stoplimit) |
                        TG_ORDER_BIT(sl) | TG_ORDER_BIT(tp)))
        moment->about.change = TG_CHANGE_LEVELS;
    else
        moment->about.change = TG_CHANGE_OTHER;
    return 0;
}

/* An order that was placed and has ended between two polls, which may be far apart: both events,
 * from the history alone. */
static int brief(struct tg_account *account, const struct tg_records *records,
                 const struct tgl_order *order)
{
    int64_t ended_ms = order->time_done ? order->time_done : order->time_setup;
    if (is_market(order) || !has_ended(order) || !tg_walk_has_begun(account, order->time_setup) ||
        !tg_walk_is_news(account, ended_ms) ||
        tg_deals_buried(&account->orders_gone, order->ticket) ||
        tg_orders_find(&account->orders, order->ticket))
        return 0;
    const struct tg_orders now = {records->orders, records->orders_count, 0};
    if (tg_orders_find(&now, order->ticket)) return 0;
    struct tgl_order placed = *order;
    placed.state = TG_ORDER_STATE_PLACED;
    placed.volume_current = order->volume_initial;
    placed.position_id = 0;
    placed.time_done = 0;
    struct tg_moment *moment = tell(account, TG_MOMENT_ORDER_PLACED, &placed);
    if (!moment) return -TG_ENOMEM;
    moment->about.synthetic = 1;
    moment = tell(account, TG_MOMENT_ORDER_REMOVED, order);
    if (!moment) return -TG_ENOMEM;
    moment->about.synthetic = 1;
    return 0;
}

/* Makes room for all that this poll may add to what is built aside. */
static int make_room(struct tg_account *account, const struct tg_records *records)
{
    struct tg_orders *next = &account->orders_was;
    struct tg_suspects *suspects = &account->order_suspects_was;
    uint32_t old = account->orders.count, room = old + records->orders_count;
    if (next->cap < room) {
        struct tgl_order *rows = realloc(next->rows, room * sizeof *rows);
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
    return tg_deals_reserve(&account->orders_gone, old + records->history_count);
}

static int compare(struct tg_account *account, const struct tg_records *records,
                   const struct tg_account_policy *policy)
{
    const struct tg_orders *old = &account->orders;
    struct tg_orders *next = &account->orders_was;
    const struct tg_orders new = {records->orders, records->orders_count, 0};
    int rc = 0;
    for (uint32_t i = 0; i < old->count && !rc; i++)
        if (!tg_orders_find(&new, old->rows[i].ticket))
            rc = gone(account, records, policy, &old->rows[i]);
    for (uint32_t i = 0; i < new.count && !rc; i++) {
        const struct tgl_order *was = tg_orders_find(old, new.rows[i].ticket);
        if (was) rc = modified(account, was, &new.rows[i]);
    }
    for (uint32_t i = 0; i < new.count && !rc; i++) {
        next->rows[next->count++] = new.rows[i];
        if (!tg_orders_find(old, new.rows[i].ticket) &&
            !tell(account, TG_MOMENT_ORDER_PLACED, &new.rows[i]))
            rc = -TG_ENOMEM;
    }
    return rc;
}

int tg_orders_run(struct tg_account *account, const struct tg_records *records,
                  const struct tg_account_policy *policy)
{
    int rc = make_room(account, records);
    if (rc) return rc;
    if (records->history_known) account->history_ever = true;
    if (!account->orders_known) {
        for (uint32_t i = 0; i < records->orders_count; i++)
            account->orders_was.rows[account->orders_was.count++] = records->orders[i];
        return 0;
    }
    for (uint32_t i = 0; records->history_known && i < records->history_count && !rc; i++)
        rc = brief(account, records, &records->history[i]);
    if (!rc) rc = compare(account, records, policy);
    struct tg_orders *next = &account->orders_was;
    if (next->count) qsort(next->rows, next->count, sizeof *next->rows, by_ticket);
    return rc;
}

void tg_orders_take(struct tg_account *account)
{
    struct tg_orders orders = account->orders;
    struct tg_suspects suspects = account->order_suspects;
    account->orders = account->orders_was;
    account->orders_was = orders;
    account->order_suspects = account->order_suspects_was;
    account->order_suspects_was = suspects;
    account->orders_known = true;
    for (uint32_t i = 0; i < account->moments_count; i++)
        if (account->moments[i].kind == TG_MOMENT_ORDER_REMOVED)
            tg_deals_bury(&account->orders_gone, account->moments[i].order.ticket);
}
