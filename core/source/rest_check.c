/* The last look at records before anybody believes them. It is the same for documents that are read
 * here and for those that an operator's function mapped, because the price of an error is: a
 * position without a volume, or one that is there twice, becomes a false event either way. */
#include "source/rest_check.h"

#include "base/decimal.h"
#include "base/text.h"
#include "source/rest_currency.h"
#include "source/rest_part.h"

#include <string.h>

int tg_rest_check_position(struct tgl_position *position, uint32_t row, struct tg_rest_verdict *v)
{
    if (!position->ticket) return tg_rest_part_bad_row(v, "positions", row, "no ticket");
    if (!position->symbol[0]) return tg_rest_part_bad_row(v, "positions", row, "no symbol");
    if (!position->side) return tg_rest_part_bad_row(v, "positions", row, "no type");
    if (!(position->volume > 0)) return tg_rest_part_bad_row(v, "positions", row, "no volume");
    if (!position->position_id) position->position_id = position->ticket;
    return 0;
}

int tg_rest_check_order(struct tgl_order *order, uint32_t row, struct tg_rest_verdict *v)
{
    if (!order->ticket) return tg_rest_part_bad_row(v, "orders", row, "no ticket");
    if (!order->symbol[0]) return tg_rest_part_bad_row(v, "orders", row, "no symbol");
    if (!order->type) return tg_rest_part_bad_row(v, "orders", row, "no type");
    return 0;
}

static bool is_trade(const struct tgl_deal *deal)
{
    return deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
}

int tg_rest_check_deal(struct tgl_deal *deal, uint32_t row, struct tg_rest_verdict *v)
{
    if (!deal->ticket) return tg_rest_part_bad_row(v, "deals", row, "no ticket");
    if (!deal->action) return tg_rest_part_bad_row(v, "deals", row, "no type");
    if (!is_trade(deal)) return 0;
    if (!deal->symbol[0]) return tg_rest_part_bad_row(v, "deals", row, "no symbol");
    if (!deal->entry) return tg_rest_part_bad_row(v, "deals", row, "no entry");
    if (!(deal->volume > 0)) return tg_rest_part_bad_row(v, "deals", row, "no volume");
    bool out = deal->entry == TG_ENTRY_OUT || deal->entry == TG_ENTRY_OUT_BY;
    if (out && !(deal->volume_closed > 0)) deal->volume_closed = deal->volume;
    return 0;
}

/* Out of memory or of room is not worth a poll: the row is then shown at more decimals. */
void tg_rest_check_learn(struct tg_rest_map *map, const struct tg_entity *entity, void *record,
                         const struct tg_rest_given *given)
{
    const char *symbol = (const char *)record + tg_field_find(entity, "symbol")->offset;
    int32_t digits = -1, *told = (int32_t *)(void *)((char *)record + entity->digits);
    if (tg_rest_part_gave(entity, given, "digits"))
        digits = *told < TG_DIGITS_MAX ? *told : TG_DIGITS_MAX;
    *told = digits;
    if (*symbol)
        (void)tg_rest_symbols_learn(&map->symbols, symbol, digits < 0 ? given->decimals : digits);
}

/* ---- parts ---- */

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Room for so many ids in the map's scratch, or NULL. */
static uint64_t *ids_of(struct tg_rest_map *map, uint32_t n)
{
    if (n <= map->ids_cap && map->ids) return map->ids;
    uint64_t *ids = realloc(map->ids, (n + 1) * sizeof *ids);
    if (!ids) return NULL;
    map->ids = ids;
    map->ids_cap = n + 1;
    return ids;
}

static int check_unique(uint64_t *ids, uint32_t n, const char *part, struct tg_rest_verdict *v)
{
    if (n) qsort(ids, n, sizeof *ids, by_id);
    for (uint32_t i = 1; i < n; i++)
        if (ids[i] == ids[i - 1])
            return tg_rest_fail(v, TG_POLL_FAILED, "BAD_DOCUMENT",
                                "the source's %s: %llu occurs twice", part,
                                (unsigned long long)ids[i]);
    return 0;
}

static int32_t digits_of(const struct tg_rest_map *map, const char *symbol, int32_t digits)
{
    return digits < 0 ? tg_rest_symbols_digits(&map->symbols, symbol) : digits;
}

int tg_rest_check_positions(struct tg_rest_map *map, struct tg_records *records,
                            struct tg_rest_verdict *v)
{
    uint32_t n = records->positions_count;
    uint64_t *ids = ids_of(map, n);
    if (!ids) return tg_rest_part_no_memory(v);
    for (uint32_t i = 0; i < n; i++)
        ids[i] = records->positions[i].position_id;
    int rc = check_unique(ids, n, "positions", v);
    if (rc) return rc;
    for (uint32_t i = 0; i < n; i++) {
        struct tgl_position *position = &records->positions[i];
        position->digits = digits_of(map, position->symbol, position->digits);
        if (records->account_known) position->currency_digits = records->account.currency_digits;
    }
    records->positions_known = true;
    return 0;
}

static void settle_orders(const struct tg_rest_map *map, const struct tg_records *records,
                          struct tgl_order *orders, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        orders[i].digits = digits_of(map, orders[i].symbol, orders[i].digits);
        if (records->account_known) orders[i].currency_digits = records->account.currency_digits;
    }
}

int tg_rest_check_orders(struct tg_rest_map *map, struct tg_records *records,
                         struct tg_rest_verdict *v)
{
    uint32_t n = records->orders_count;
    uint64_t *ids = ids_of(map, n);
    if (!ids) return tg_rest_part_no_memory(v);
    for (uint32_t i = 0; i < n; i++)
        ids[i] = records->orders[i].ticket;
    int rc = check_unique(ids, n, "orders", v);
    if (rc) return rc;
    settle_orders(map, records, records->orders, n);
    records->orders_known = true;
    return 0;
}

void tg_rest_check_history(struct tg_rest_map *map, struct tg_records *records)
{
    settle_orders(map, records, records->history, records->history_count);
    records->history_known = true;
}

void tg_rest_check_deals(struct tg_rest_map *map, struct tg_records *records)
{
    for (uint32_t i = 0; i < records->deals_count; i++) {
        struct tgl_deal *deal = &records->deals[i];
        deal->digits = digits_of(map, deal->symbol, deal->digits);
        deal->currency_digits = records->account.currency_digits;
    }
    records->deals_known = true;
}

/* ---- the account ---- */

/* A margin level that is null while no margin is used is 0 (fields.def), not unknown. */
static void settle_margin_level(struct tgl_account *account, uint64_t *fields)
{
    if ((*fields & TG_ACCOUNT_BIT(margin_level)) || account->margin != 0) return;
    account->margin_level = 0;
    *fields |= TG_ACCOUNT_BIT(margin_level);
}

static void settle_currency_digits(const struct tg_rest_map *map, struct tg_records *records,
                                   const struct tg_rest_given *given)
{
    struct tgl_account *account = &records->account;
    if (!(given->fields & TG_ACCOUNT_BIT(currency_digits)))
        account->currency_digits = tg_rest_currency_digits(account->currency, map->currency_digits);
    if (account->currency_digits > TG_DIGITS_MAX) account->currency_digits = TG_DIGITS_MAX;
    for (uint32_t i = 0; i < records->positions_count; i++)
        records->positions[i].currency_digits = account->currency_digits;
    for (uint32_t i = 0; i < records->orders_count; i++)
        records->orders[i].currency_digits = account->currency_digits;
}

int tg_rest_check_account(struct tg_rest_map *map, const char *account_id,
                          const struct tg_rest_given *given, struct tg_records *records,
                          struct tg_rest_verdict *v)
{
    struct tgl_account *account = &records->account;
    uint64_t fields = given->fields;
    if (isnan(account->balance) || isnan(account->equity))
        return tg_rest_fail(v, TG_POLL_FAILED, "BAD_DOCUMENT",
                            "the source's account has no balance or no equity");
    tg_copy(account->id, sizeof account->id, account_id, strlen(account_id));
    settle_margin_level(account, &fields);
    settle_currency_digits(map, records, given);
    records->account_fields = fields | TG_ACCOUNT_BIT(id);
    records->account_known = true;
    return 0;
}
