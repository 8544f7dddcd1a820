/* The same market, traders and books as the gateway's driver `sim`; here they are turned into what
 * an MT5 server would tell of them. The rows of one account are made anew for each question: what
 * is kept is the book alone. */
#include "sim.h"

#include "base/err.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOGIN 5000000
#define NETTING 0
#define HEDGING 2

static void copy(char *out, size_t size, const char *text)
{
    tg_copy(out, size, text, strlen(text));
}

void mt_sim_symbols(struct mt_world *world)
{
    world->symbols = calloc(TG_MARKET_SYMBOLS, sizeof *world->symbols);
    tg_must(world->symbols);
    world->symbols_count = TG_MARKET_SYMBOLS;
    for (int i = 0; i < TG_MARKET_SYMBOLS; i++) {
        const struct tg_symbol *s = &tg_symbols[i];
        struct mt_symbol *out = &world->symbols[i];
        out->head.digits = s->digits;
        out->contract_size = s->contract;
        out->point = out->tick_size = pow(10, -s->digits);
        out->tick_value = out->tick_size * s->contract;
        out->start = s->start * out->point;
        out->calc_mode = s->forex ? 0 : 2;
        out->trade_mode = 4;
        copy(out->symbol, sizeof out->symbol, s->name);
        (void)snprintf(out->path, sizeof out->path, "%s\\%s", s->forex ? "Forex" : "CFD", s->name);
        (void)snprintf(out->description, sizeof out->description, "%s (simulated)", s->name);
        copy(out->currency_base, sizeof out->currency_base, tg_currency_name(s->base));
        copy(out->currency_profit, sizeof out->currency_profit, tg_currency_name(s->profit));
        copy(out->currency_margin, sizeof out->currency_margin, tg_currency_name(s->base));
    }
}

/* Brings the market to the present, for all accounts. */
static void move(struct mt_world *world, int64_t now_ms)
{
    if (world->frozen_ms) now_ms = world->frozen_ms;
    int64_t age = now_ms - world->opened_ms;
    if (age < 0) age = 0;
    int64_t into = age % TG_MARKET_STEP_MS;
    if (age / TG_MARKET_STEP_MS > tg_market_step(world->market))
        tg_market_advance(world->market, age / TG_MARKET_STEP_MS, now_ms - into);
}

void mt_world_simulate(struct mt_world *world, uint32_t accounts)
{
    for (uint32_t number = 1; number <= accounts; number++) {
        struct tg_trader *trader =
            tg_trader_new(world->market, world->seed, number, world->events_per_minute);
        tg_must(trader);
        const struct tg_book *book = &trader->book;
        char name[64];
        (void)snprintf(name, sizeof name, "demo\\%s-%s", tg_currency_name(book->currency),
                       book->netting ? "netting" : "hedging");
        struct mt_client *client = mt_world_add_client(world, FIRST_LOGIN + number, name);
        client->number = number;
        client->trader = trader;
        client->user.leverage = book->leverage;
        (void)snprintf(client->user.name, sizeof client->user.name, "Demo %u", number);
        client->group->margin_mode = book->netting ? NETTING : HEDGING;
        client->group->head.money_digits = tg_currency_digits(book->currency);
        copy(client->group->currency, sizeof client->group->currency,
             tg_currency_name(book->currency));
    }
}

/* enum tg_reason as the server counts reasons. */
static int64_t reason_of(int reason)
{
    switch (reason) {
    case TG_REASON_EXPERT: return 1;
    case TG_REASON_DEALER: return 2;
    case TG_REASON_SL: return 3;
    case TG_REASON_TP: return 4;
    case TG_REASON_STOP_OUT: return 5;
    case TG_REASON_ROLLOVER: return 6;
    case TG_REASON_VMARGIN: return 8;
    case TG_REASON_MOBILE: return 16;
    case TG_REASON_WEB: return 17;
    case TG_REASON_SPLIT: return 18;
    default: return 0;
    }
}

static int64_t action_of(int action)
{
    switch (action) {
    case TG_ACTION_BUY: return 0;
    case TG_ACTION_SELL: return 1;
    case TG_ACTION_CREDIT: return 3;
    case TG_ACTION_CHARGE: return 4;
    case TG_ACTION_CORRECTION: return 5;
    case TG_ACTION_BONUS: return 6;
    case TG_ACTION_COMMISSION: return 7;
    case TG_ACTION_DIVIDEND: return 15;
    default: return 2;
    }
}

static int64_t entry_of(int entry)
{
    return entry == TG_ENTRY_OUT      ? 1
           : entry == TG_ENTRY_INOUT  ? 2
           : entry == TG_ENTRY_OUT_BY ? 3
                                      : 0;
}

static double known(double value)
{
    return isnan(value) ? 0 : value;
}

static int64_t volume_of(double lots)
{
    return isnan(lots) ? 0 : llround(lots * 1e8);
}

static double contract_of(const struct mt_world *world, const char *symbol)
{
    const struct mt_symbol *found = mt_world_symbol(world, symbol);
    return found ? found->contract_size : 0;
}

static void fill_position(const struct mt_world *world, const struct mt_client *client,
                          const struct tgl_position *from, struct mt_position *out)
{
    *out = (struct mt_position){
        .head = {from->digits, from->currency_digits},
        .position = from->position_id,
        .login = client->login,
        .action = from->side == TG_SIDE_SELL,
        .reason = reason_of(from->reason),
        .expert_id = from->magic,
        .time_create = from->time_open,
        .time_update = from->time_update,
        .volume = volume_of(from->volume),
        .contract_size = contract_of(world, from->symbol),
        .price_open = from->price_open,
        .price_current = from->price_current,
        .price_sl = known(from->sl),
        .price_tp = known(from->tp),
        .profit = from->profit,
        .storage = known(from->swap),
        .rate_profit = 1,
        .rate_margin = 1,
    };
    copy(out->symbol, sizeof out->symbol, from->symbol);
    copy(out->comment, sizeof out->comment, from->comment);
}

static void fill_deal(const struct mt_world *world, const struct mt_client *client,
                      const struct tgl_deal *from, struct mt_deal *out)
{
    *out = (struct mt_deal){
        .head = {from->digits, from->currency_digits},
        .deal = from->ticket,
        .login = client->login,
        .order = from->order,
        .position_id = from->position_id,
        .action = action_of(from->action),
        .entry = entry_of(from->entry),
        .reason = reason_of(from->reason),
        .expert_id = from->magic,
        .time = from->time,
        .volume = volume_of(from->volume),
        .volume_closed = volume_of(from->volume_closed),
        .contract_size = contract_of(world, from->symbol),
        .price = known(from->price),
        .price_sl = known(from->sl),
        .price_tp = known(from->tp),
        .price_position = known(from->price_position),
        .profit = known(from->profit),
        .profit_raw = known(from->profit),
        .storage = known(from->swap),
        .commission = known(from->commission),
        .fee = known(from->fee),
        .rate_profit = 1,
        .rate_margin = 1,
    };
    copy(out->symbol, sizeof out->symbol, from->symbol);
    copy(out->comment, sizeof out->comment, from->comment);
}

/* The model's lists begin with "unknown"; the server's orders of kinds and states do not. */
static int64_t state_of(int state)
{
    switch (state) {
    case TG_ORDER_STATE_STARTED: return 0;
    case TG_ORDER_STATE_CANCELLED: return 2;
    case TG_ORDER_STATE_PARTIAL: return 3;
    case TG_ORDER_STATE_FILLED: return 4;
    case TG_ORDER_STATE_REJECTED: return 5;
    case TG_ORDER_STATE_EXPIRED: return 6;
    default: return 1;
    }
}

static int64_t nth(int value)
{
    return value > 0 ? value - 1 : 0;
}

static void fill_order(const struct mt_world *world, const struct mt_client *client,
                       const struct tgl_order *from, struct mt_order *out)
{
    *out = (struct mt_order){
        .head = {from->digits, client->group->head.money_digits},
        .order = from->ticket,
        .login = client->login,
        .state = state_of(from->state),
        .reason = reason_of(from->reason),
        .type = nth(from->type),
        .type_time = nth(from->type_time),
        .type_fill = nth(from->type_filling),
        .position_id = from->position_id,
        .position_by_id = from->position_by_id,
        .expert_id = from->magic,
        .time_setup = from->time_setup,
        .time_expiration = from->time_expiration,
        .time_done = from->time_done,
        .volume_initial = volume_of(from->volume_initial),
        .volume_current = volume_of(from->volume_current),
        .contract_size = contract_of(world, from->symbol),
        .price_order = known(from->price_open),
        .price_trigger = known(from->price_stoplimit),
        .price_current = known(from->price_current),
        .price_sl = known(from->sl),
        .price_tp = known(from->tp),
    };
    copy(out->symbol, sizeof out->symbol, from->symbol);
    copy(out->comment, sizeof out->comment, from->comment);
}

static void fill_account(const struct mt_client *client, const struct tg_records *records,
                         struct mt_account *out)
{
    const struct tgl_account *from = &records->account;
    *out = (struct mt_account){
        .head = {.money_digits = from->currency_digits},
        .login = client->login,
        .leverage = from->leverage,
        .balance = from->balance,
        .credit = from->credit,
        .margin = from->margin,
        .margin_free = from->margin_free,
        .margin_level = known(from->margin_level),
        .floating = from->profit,
        .equity = from->equity,
    };
    for (uint32_t i = 0; i < records->positions_count; i++)
        out->storage += known(records->positions[i].swap);
    out->profit = out->floating - out->storage;
}

/* The rows of the account that was read last. */
static struct mt_positions positions;
static struct mt_orders orders, history;
static struct mt_deals deals;

static void read_positions(struct mt_world *world, struct mt_client *client, struct mt_state *out)
{
    const struct tg_records *records = &world->records;
    positions.count = 0;
    for (uint32_t i = 0; i < records->positions_count; i++) {
        positions.rows =
            mt_grow(positions.rows, &positions.cap, positions.count, sizeof *positions.rows);
        fill_position(world, client, &records->positions[i], &positions.rows[positions.count++]);
    }
    out->positions = positions.rows;
    out->positions_count = positions.count;
}

static void read_orders(struct mt_world *world, struct mt_client *client, struct mt_state *out)
{
    const struct tg_records *records = &world->records;
    orders.count = 0;
    for (uint32_t i = 0; i < records->orders_count; i++) {
        orders.rows = mt_grow(orders.rows, &orders.cap, orders.count, sizeof *orders.rows);
        fill_order(world, client, &records->orders[i], &orders.rows[orders.count++]);
    }
    out->orders = orders.rows;
    out->orders_count = orders.count;
}

static void read_deals(struct mt_world *world, struct mt_client *client, int64_t now_ms,
                       struct mt_state *out)
{
    const struct tg_records *records = &world->records;
    deals.count = 0;
    for (uint32_t i = 0; i < records->deals_count; i++) {
        if (records->deals[i].time + client->deals_late_ms > now_ms) break;
        deals.rows = mt_grow(deals.rows, &deals.cap, deals.count, sizeof *deals.rows);
        fill_deal(world, client, &records->deals[i], &deals.rows[deals.count++]);
    }
    out->deals = deals.rows;
    out->deals_count = deals.count;
}

/* Orders that ended: those the book tells of, and the market orders behind the deals. */
static void read_history(struct mt_world *world, struct mt_client *client, struct mt_state *out)
{
    const struct tg_records *records = &world->records;
    history.count = 0;
    for (uint32_t i = 0; i < records->history_count; i++) {
        history.rows = mt_grow(history.rows, &history.cap, history.count, sizeof *history.rows);
        fill_order(world, client, &records->history[i], &history.rows[history.count++]);
    }
    uint32_t told = history.count;
    for (uint32_t i = 0; i < deals.count; i++) {
        bool known_already = !deals.rows[i].position_id;
        for (uint32_t j = 0; j < told && !known_already; j++)
            known_already = history.rows[j].order == deals.rows[i].order;
        if (known_already) continue;
        history.rows = mt_grow(history.rows, &history.cap, history.count, sizeof *history.rows);
        mt_order_of_deal(&deals.rows[i], &history.rows[history.count++]);
    }
    out->history = history.rows;
    out->history_count = history.count;
}

void mt_sim_read(struct mt_world *world, struct mt_client *client, int parts, int64_t now_ms,
                 struct mt_state *out)
{
    struct tg_records *records = &world->records;
    move(world, now_ms);
    tg_trader_run(client->trader);
    *out = (struct mt_state){0};
    if (parts & (MT_PART_ACCOUNT | MT_PART_POSITIONS | MT_PART_ORDERS)) {
        tg_must(!tg_book_write_state(&client->trader->book, client->trader->step, records));
        fill_account(client, records, &out->account);
        read_positions(world, client, out);
        read_orders(world, client, out);
    }
    if (!(parts & (MT_PART_DEALS | MT_PART_HISTORY))) return;
    tg_must(!tg_book_write_deals(&client->trader->book, 0, records));
    read_deals(world, client, now_ms, out);
    if (parts & MT_PART_HISTORY) read_history(world, client, out);
}
