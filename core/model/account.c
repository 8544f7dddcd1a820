/* A poll is taken in as a whole or not at all: whatever can fail (a duplicate identifier, memory)
 * fails before the first field of the account has moved. */
#include "model/account.h"

#include "base/decimal.h"
#include "base/err.h"
#include "base/text.h"
#include "model/field.h"
#include "model/lifecycle_inner.h"
#include "model/orders.h"
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

/* The deals are asked for at least once in so many polls: a trade or an order that came and went
 * between two polls and moved no money shows nowhere else. */
#define DEALS_EVERY 30

/* For how many polls the deals are asked for again after the balance moved and no deal explained
 * it: services list a closed trade a moment after the balance has it. */
#define SWEEP_POLLS 60
#define SWEEP_EAGER 3 /* the first of them one after the other, then … */
#define SWEEP_EVERY 5 /* … each fifth */

void tg_account_init(struct tg_account *account, const char *id)
{
    memset(account, 0, sizeof *account);
    tg_copy(account->id, sizeof account->id, id, strlen(id));
    tg_account_blank(&account->now);
    tg_copy(account->now.id, sizeof account->now.id, id, strlen(id));
    account->was = account->now;
    account->gap = account->steady = NAN;
}

void tg_account_fini(struct tg_account *account)
{
    free(account->positions.rows);
    free(account->positions_was.rows);
    free(account->moments);
    free(account->suspects.rows);
    free(account->suspects_was.rows);
    free(account->orders.rows);
    free(account->orders_was.rows);
    free(account->order_suspects.rows);
    free(account->order_suspects_was.rows);
    tg_deals_fini(&account->orders_gone);
    tg_debts_fini(&account->debts);
    tg_debts_fini(&account->debts_was);
    tg_heirlooms_fini(&account->heirlooms);
    tg_deals_fini(&account->deals);
    tg_waits_fini(&account->waiting);
    tg_waits_fini(&account->waiting_was);
}

const struct tgl_position *tg_positions_find(const struct tg_positions *positions,
                                             uint64_t position_id)
{
    return TG_ROWS_FIND(positions->rows, positions->count, position_id, position_id);
}

int64_t tg_account_deals_since(const struct tg_account *account, int64_t wall_ms)
{
    return account->known ? tg_walk_news_since(account) : wall_ms - TG_NEWS_MS;
}

static bool moved(double before, double after, int digits)
{
    return !isnan(after) && !tg_same(before, after, digits);
}

bool tg_account_wants_deals(const struct tg_account *account, const struct tg_records *records)
{
    if (!account->positions_known) return true;
    if (account->suspects.count || account->waiting.count) return true;
    if (account->sweep > SWEEP_POLLS - SWEEP_EAGER || account->sweep % SWEEP_EVERY == 1)
        return true;
    if (account->deals_age >= DEALS_EVERY) return true;
    if (tg_orders_want_history(account, records)) return true;
    int digits = account->now.currency_digits;
    if (records->account_known && (moved(account->now.balance, records->account.balance, digits) ||
                                   moved(account->now.credit, records->account.credit, digits)))
        return true;
    if (!records->positions_known) return false;
    if (records->positions_count != account->positions.count) return true;
    for (uint32_t i = 0; i < records->positions_count; i++) {
        const struct tgl_position *now = &records->positions[i];
        const struct tgl_position *was = tg_positions_find(&account->positions, now->position_id);
        if (!was || now->side != was->side || now->time_update != was->time_update ||
            tg_scaled(now->volume, 8) != tg_scaled(was->volume, 8) ||
            !tg_same(now->price_open, was->price_open, now->digits))
            return true;
    }
    return false;
}

static int by_position_id(const void *a, const void *b)
{
    const struct tgl_position *x = a, *y = b;
    return (x->position_id > y->position_id) - (x->position_id < y->position_id);
}

/* Sorts the rows; -TG_EINVAL when one has no identifier or two have the same. */
static int arrange(struct tg_records *records)
{
    struct tgl_position *rows = records->positions;
    uint32_t n = records->positions_count;
    if (n) qsort(rows, n, sizeof *rows, by_position_id);
    for (uint32_t i = 0; i < n; i++)
        if (!rows[i].position_id || (i && rows[i].position_id == rows[i - 1].position_id))
            return -TG_EINVAL;
    return 0;
}

/* Whether the first positions show what a deal did that is listed with them: it was made, by the
 * source's clock, before they were read. A source without a clock shows it by the time at which a
 * position last moved; what is not known is taken for shown. */
static bool is_shown(const struct tg_records *records, const struct tgl_deal *deal)
{
    const struct tg_positions positions = {records->positions, records->positions_count, 0};
    if (records->source_time_ms) return deal->time <= records->source_time_ms;
    const struct tgl_position *position = tg_positions_find(&positions, deal->position_id);
    return !position || !position->time_update || deal->time <= position->time_update;
}

/* The first set of positions is what was there before us, and so are the deals that it shows. */
static int inherit(struct tg_account *account, const struct tg_records *records)
{
    uint32_t n = records->positions_count, deals = records->deals_known ? records->deals_count : 0;
    bool all = true;
    if (tg_deals_reserve(&account->deals, deals)) return -TG_ENOMEM;
    for (uint32_t i = 0; i < deals; i++) {
        bool old = is_shown(records, &records->deals[i]);
        if (old) tg_deals_remember(&account->deals, &records->deals[i]);
        all = all && old;
    }
    /* Whether the balance has those that are left nobody knows, nor, where it is read after the
     * deals, those that are not listed yet: then the next poll has to say the same. */
    if (all) account->gap = 0;
    if (all && !records->deals_known) account->steady = 0;
    account->steady_ms = account->begun_ms;
    if (!n) return 0;
    if (tg_heirlooms_reserve(&account->heirlooms, n)) return -TG_ENOMEM;
    struct tgl_position *rows = malloc(n * sizeof *rows);
    if (!rows) return -TG_ENOMEM;
    memcpy(rows, records->positions, n * sizeof *rows);
    for (uint32_t i = 0; i < n; i++)
        tg_heirlooms_add(
            &account->heirlooms,
            (struct tg_heirloom){rows[i].position_id, tg_heirloom_since(&rows[i], account->begun_ms,
                                                                        records->source_time_ms)});
    account->positions = (struct tg_positions){rows, n, n};
    return 0;
}

/* Copies the fields that the source gave; the others stay as they were. */
static void take_fields(struct tgl_account *into, const struct tg_records *records)
{
    for (int i = 0; records->account_known && i < tg_account_entity.count; i++) {
        const struct tg_field *field = &tg_account_entity.fields[i];
        if (!(records->account_fields & (UINT64_C(1) << i)) || field->offset == 0) continue;
        memcpy((char *)into + field->offset, (const char *)&records->account + field->offset,
               field->size);
    }
}

/* What the deals that this poll told moved the balance by. */
static double explained(const struct tg_account *account)
{
    double sum = 0;
    for (uint32_t i = 0; i < account->moments_count; i++) {
        const struct tg_moment *moment = &account->moments[i];
        if (moment->kind == TG_MOMENT_DEAL || moment->kind == TG_MOMENT_BALANCE_OPERATION)
            sum += tg_deal_money(&moment->deal);
    }
    return sum;
}

/* By how much an amount moved; 0 when it was not known before or is not now. */
static double step(double before, double after)
{
    return isnan(before) || isnan(after) ? 0 : after - before;
}

/* Whether deals are still owed: balance and credit moved by more or less than they say. A service
 * whose deals never add up is asked for a minute after each move, not for ever. */
static void plan_sweep(struct tg_account *account)
{
    int digits = account->now.currency_digits;
    double delta = step(account->was.balance, account->now.balance) +
                   step(account->was.credit, account->now.credit);
    double surprise = delta - explained(account);
    account->unexplained += surprise;
    account->drift += surprise;
    if (!tg_same(delta, 0, digits))
        account->sweep = SWEEP_POLLS;
    else if (account->sweep > 0)
        account->sweep--;
    if (tg_same(account->unexplained, 0, digits)) account->sweep = 0;
    if (!account->sweep) account->unexplained = 0;
}

/* Whether the records are of another account, or of a time before what is known: answers of a cache
 * or of a proxy that mixes them up. A clock that goes back by more is a clock that was set. */
static bool is_foreign(const struct tg_account *account, const struct tg_records *records)
{
    const char *login = records->account.login;
    int64_t age_ms = account->good_source_ms - records->source_time_ms;
    if (records->account_known && login[0] && account->now.login[0] &&
        strcmp(login, account->now.login) != 0)
        return true;
    return records->source_time_ms && age_ms > 0 && age_ms < TG_STALE_MS;
}

/* Money has the decimals of the account's currency wherever it stands. */
static void spread_digits(struct tg_records *records)
{
    if (!(records->account_fields & TG_ACCOUNT_BIT(currency_digits))) return;
    int32_t digits = records->account.currency_digits;
    for (uint32_t i = 0; i < records->positions_count; i++)
        records->positions[i].currency_digits = digits;
    for (uint32_t i = 0; i < records->orders_count; i++)
        records->orders[i].currency_digits = digits;
}

int tg_account_apply(struct tg_account *account, struct tg_records *records,
                     const struct tg_account_policy *policy, int64_t mono_ms, int64_t wall_ms)
{
    bool first = !account->known;
    if (is_foreign(account, records)) return -TG_EINVAL;
    int rc = records->positions_known ? arrange(records) : 0;
    if (!rc && records->orders_known) rc = tg_orders_arrange(records);
    if (rc) return rc;
    if (records->deals_known) tg_deals_arrange(records);
    account->moments_count = 0;
    account->changed = 0;
    account->revealed = false;
    bool reveals = (records->orders_known && !account->orders_known) ||
                   (records->positions_known && !account->positions_known);
    spread_digits(records);
    if (records->orders_known) {
        rc = tg_orders_run(account, records, policy);
        if (rc) {
            account->moments_count = 0;
            return rc;
        }
    }
    if (records->positions_known) {
        bool heir = !account->positions_known;
        if (heir) account->begun_ms = records->source_time_ms ? records->source_time_ms : wall_ms;
        rc = heir ? inherit(account, records) : tg_lifecycle_run(account, records, policy, mono_ms);
        if (rc) {
            account->moments_count = 0;
            return rc;
        }
        account->positions_known = true;
        account->positions_ms = records->source_time_ms;
        if (!heir) {
            struct tg_positions spare = account->positions;
            account->positions = account->positions_was;
            account->positions_was = spare;
        }
    }
    if (records->orders_known) tg_orders_take(account);
    struct tgl_account before = account->now;
    take_fields(&account->now, records);
    account->now.positions_count = (int32_t)account->positions.count;
    account->now.orders_count = (int32_t)account->orders.count;
    account->now.orders_known = account->orders_known;
    account->was = first ? account->now : before;
    account->changed = tg_entity_diff(&tg_account_entity, &account->was, &account->now);
    account->revealed = reveals && !first;
    if (!first) plan_sweep(account);
    account->deals_age++;
    if (records->deals_known || account->deals_age > DEALS_EVERY) account->deals_age = 0;
    account->known = true;
    account->good_mono_ms = mono_ms;
    account->good_wall_ms = wall_ms;
    account->good_source_ms = records->source_time_ms;
    return 0;
}
