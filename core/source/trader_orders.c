/* What a simulated trader does with pending orders. */
#include "source/trader_inner.h"

#define LONGEST_MINUTES 10 /* of an order that expires */

static bool holds_order(const struct tg_book *book, int symbol)
{
    for (int i = 0; i < book->pendings_count; i++)
        if (book->pendings[i].symbol == symbol) return true;
    return false;
}

/* How far from the market an order of the type is placed: on the side from which it is reached. */
static int32_t away(struct tg_trader *trader, int symbol, int type, int32_t price)
{
    bool below_market = type == TG_ORDER_TYPE_BUY_LIMIT || type == TG_ORDER_TYPE_SELL_STOP;
    return tg_trader_level(trader, symbol, false, price, below_market);
}

static bool place(struct tg_trader *trader)
{
    static const uint8_t types[] = {TG_ORDER_TYPE_BUY_LIMIT, TG_ORDER_TYPE_SELL_LIMIT,
                                    TG_ORDER_TYPE_BUY_STOP, TG_ORDER_TYPE_SELL_STOP};
    struct tg_book *book = &trader->book;
    struct tg_totals totals;
    struct tg_pending order = {.symbol = (uint8_t)tg_trader_below(trader, TG_MARKET_SYMBOLS),
                               .type = types[tg_trader_below(trader, 4)],
                               .expire_step = INT64_MAX};
    bool taken = tg_trader_find(book, order.symbol) >= 0 || holds_order(book, order.symbol);
    if (book->netting && taken) return false;
    tg_book_totals(book, trader->step, &totals);
    int32_t bid = tg_market_bid(book->market, order.symbol, trader->step);
    int32_t ask = tg_market_ask(book->market, order.symbol, trader->step);
    bool sell = tg_pending_sells(order.type);
    order.price = away(trader, order.symbol, order.type, sell ? bid : ask);
    order.volume = tg_trader_volume(trader, order.symbol, totals.equity, bid);
    order.reason = (uint8_t)tg_trader_reason(trader);
    if (order.reason == TG_REASON_EXPERT) order.magic = 1000 + tg_trader_below(trader, 5);
    if (tg_trader_chance(trader, 60))
        order.sl = tg_trader_level(trader, order.symbol, sell, order.price, true);
    if (tg_trader_chance(trader, 60))
        order.tp = tg_trader_level(trader, order.symbol, sell, order.price, false);
    if (tg_trader_chance(trader, 50))
        order.expire_step = trader->step + TG_TRADER_STEPS_PER_MINUTE *
                                               (1 + tg_trader_below(trader, LONGEST_MINUTES));
    return tg_book_place(book, trader->step, &order) != NULL;
}

static bool move(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    if (!book->pendings_count) return false;
    struct tg_pending *order = &book->pendings[tg_trader_below(trader, book->pendings_count)];
    bool sell = tg_pending_sells(order->type);
    int32_t market = sell ? tg_market_bid(book->market, order->symbol, trader->step)
                          : tg_market_ask(book->market, order->symbol, trader->step);
    int32_t was = order->price;
    if (order->left < order->volume) return false;
    order->price = away(trader, order->symbol, order->type, market);
    if (order->sl) order->sl += order->price - was;
    if (order->tp) order->tp += order->price - was;
    return order->price != was;
}

static bool cancel(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    if (!book->pendings_count) return false;
    int i = tg_trader_below(trader, book->pendings_count);
    tg_book_end(book, trader->step, i, TG_ORDER_STATE_CANCELLED);
    return true;
}

bool tg_trader_order(struct tg_trader *trader)
{
    int wish = tg_trader_below(trader, 10);
    bool done = wish < 5 ? place(trader) : wish < 8 ? move(trader) : cancel(trader);
    if (done) tg_trader_moved(trader);
    return done;
}

void tg_trader_check_orders(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    for (int i = book->pendings_count - 1; i >= 0; i--) {
        const struct tg_pending *order = &book->pendings[i];
        if (order->expire_step <= trader->step) {
            tg_book_end(book, trader->step, i, TG_ORDER_STATE_EXPIRED);
        } else if (tg_book_is_reached(book, order, trader->step)) {
            bool whole =
                order->left < 2 || order->left < order->volume || tg_trader_chance(trader, 70);
            tg_book_fill(book, trader->step, i, whole ? order->left : order->left / 2);
        } else {
            continue;
        }
        tg_trader_moved(trader);
    }
}
