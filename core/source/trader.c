/* One generator per account, drawn from only when its trader decides something: two runs with the
 * same seed make the same choices however often, or when, anybody looks. That is also why a run
 * goes through every step and never asks for the time.
 *
 * Each lifecycle event, whether decided here or forced by a stop, pushes the next decision away by
 * one exponential gap, so the mean rate is the configured one and not that plus whatever the market
 * does. An account that loses all is given money again: a demonstration must not run dry. */
#include "source/trader_inner.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>

#define STEPS_PER_ROLLOVER \
    (60 * TG_TRADER_STEPS_PER_MINUTE) /* the simulated trading day lasts an hour */
#define STOP_OUT_PERCENT 50
#define LOT_MINIMUM 1 /* hundredths */
#define LOT_MAXIMUM 20000

int tg_trader_below(struct tg_trader *trader, int bound)
{
    return (int)tg_rng_below(&trader->rng, (uint64_t)bound);
}

bool tg_trader_chance(struct tg_trader *trader, int percent)
{
    return tg_trader_below(trader, 100) < percent;
}

void tg_trader_moved(struct tg_trader *trader)
{
    trader->moves++;
    trader->due -= log(1 - tg_rng_unit(&trader->rng)) * trader->gap;
}

int tg_trader_reason(struct tg_trader *trader)
{
    static const int reasons[] = {TG_REASON_MANUAL, TG_REASON_EXPERT, TG_REASON_EXPERT,
                                  TG_REASON_EXPERT, TG_REASON_MOBILE, TG_REASON_WEB};
    return reasons[tg_trader_below(trader, 6)];
}

/* A distance of a stop, in points: what the price moves in some minutes, and never so near that the
 * spread alone would hit it. */
static int32_t distance(struct tg_trader *trader, int symbol)
{
    const struct tg_symbol *s = &tg_symbols[symbol];
    double steps = TG_TRADER_STEPS_PER_MINUTE * (1 + 15 * tg_rng_unit(&trader->rng));
    return (int32_t)lround(s->start * s->volatility * sqrt(steps)) + 2 * s->spread;
}

int32_t tg_trader_level(struct tg_trader *trader, int symbol, bool sell, int32_t price, bool loss)
{
    int32_t away = distance(trader, symbol);
    return sell == loss ? price + away : price - away;
}

int32_t tg_trader_volume(struct tg_trader *trader, int symbol, int64_t equity, int32_t price)
{
    double part = trader->bold ? 0.25 + 0.25 * tg_rng_unit(&trader->rng)
                               : 0.01 + 0.05 * tg_rng_unit(&trader->rng);
    int64_t lot = tg_book_margin(&trader->book, symbol, 100, price, trader->step);
    double lots = (double)equity * part / (double)(lot ? lot : 1) * 100;
    return lots < LOT_MINIMUM ? LOT_MINIMUM : lots > LOT_MAXIMUM ? LOT_MAXIMUM : (int32_t)lots;
}

int tg_trader_find(const struct tg_book *book, int symbol)
{
    for (int i = 0; i < book->count; i++)
        if (book->holdings[i].symbol == symbol) return i;
    return -1;
}

static bool open_at(struct tg_trader *trader, int symbol, bool sell, bool flash)
{
    struct tg_book *book = &trader->book;
    struct tg_totals totals;
    struct tg_book_order order = {.symbol = symbol, .sell = sell};
    if (book->netting && tg_trader_find(book, order.symbol) >= 0) return false;
    tg_book_totals(book, trader->step, &totals);
    int32_t bid = tg_market_bid(book->market, order.symbol, trader->step);
    int32_t out = bid + (order.sell ? tg_symbols[order.symbol].spread : 0);
    order.volume = tg_trader_volume(trader, order.symbol, totals.equity, bid);
    order.reason = tg_trader_reason(trader);
    if (order.reason == TG_REASON_EXPERT) order.magic = 1000 + tg_trader_below(trader, 5);
    if (!trader->bold && tg_trader_chance(trader, 70))
        order.sl = tg_trader_level(trader, order.symbol, order.sell, out, true);
    if (tg_trader_chance(trader, 60))
        order.tp = tg_trader_level(trader, order.symbol, order.sell, out, false);
    struct tg_holding *holding = tg_book_open(book, trader->step, &order);
    if (!holding) return false;
    if (flash) holding->close_step = trader->step + 1 + tg_trader_below(trader, 3);
    tg_trader_moved(trader);
    return true;
}

static bool open_one(struct tg_trader *trader, bool flash)
{
    int symbol = tg_trader_below(trader, TG_MARKET_SYMBOLS);
    return open_at(trader, symbol, tg_trader_chance(trader, 50), flash);
}

/* Turns a position round, as a netting account does. */
static bool reverse_one(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    if (!book->count) return false;
    int i = tg_trader_below(trader, book->count);
    int32_t lots = 1 + tg_trader_below(trader, book->holdings[i].volume);
    if (!tg_book_reverse(book, trader->step, i, lots, tg_trader_reason(trader))) return false;
    tg_trader_moved(trader);
    return true;
}

/* Closes two opposite positions by each other; without such a pair, makes one. */
static bool close_pair(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    if (!book->count) return false;
    for (int i = 0; i < book->count; i++) {
        for (int k = i + 1; k < book->count; k++) {
            const struct tg_holding *a = &book->holdings[i], *b = &book->holdings[k];
            if (a->symbol != b->symbol || a->sell == b->sell) continue;
            tg_book_close_by(book, trader->step, i, k);
            tg_trader_moved(trader);
            return true;
        }
    }
    const struct tg_holding *h = &book->holdings[tg_trader_below(trader, book->count)];
    return open_at(trader, h->symbol, !h->sell, false);
}

/* Moves a stop, sets one, or takes one away. */
static bool modify_one(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    if (!book->count) return false;
    struct tg_holding *h = &book->holdings[tg_trader_below(trader, book->count)];
    bool loss = tg_trader_chance(trader, trader->bold ? 0 : 65);
    int32_t *stop = loss ? &h->sl : &h->tp;
    int32_t price = tg_holding_price(book->market, h, trader->step), was = *stop;
    *stop = was && tg_trader_chance(trader, 10)
                ? 0
                : tg_trader_level(trader, h->symbol, h->sell, price, loss);
    if (*stop == was) return false;
    tg_trader_moved(trader);
    return true;
}

static bool add_one(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    if (!book->netting || !book->count) return false;
    int i = tg_trader_below(trader, book->count);
    int32_t more = 1 + tg_trader_below(trader, book->holdings[i].volume);
    if (book->holdings[i].volume + more > LOT_MAXIMUM) return false;
    if (!tg_book_add(book, trader->step, i, more, tg_trader_reason(trader), 0)) return false;
    tg_trader_moved(trader);
    return true;
}

static void close_at(struct tg_trader *trader, int i, int32_t part, int32_t price, int reason)
{
    tg_book_close(&trader->book, trader->step, i, part, price, reason);
    tg_trader_moved(trader);
}

/* The bold do not part with what has lost: that is how they come to a stop out. */
static bool close_one(struct tg_trader *trader, bool partly)
{
    struct tg_book *book = &trader->book;
    if (!book->count) return false;
    int i = tg_trader_below(trader, book->count);
    const struct tg_holding *h = &book->holdings[i];
    int32_t part = h->volume, price = tg_holding_price(book->market, h, trader->step);
    if (trader->bold && tg_book_profit(book, h, price, trader->step) < 0) return false;
    if (partly) {
        if (h->volume < 2) return false;
        part = 1 + tg_trader_below(trader, h->volume - 1);
    }
    close_at(trader, i, part, price, tg_trader_reason(trader));
    return true;
}

/* Pays in whole hundreds of the currency; pays out at most a fifth of what is free. */
static bool transfer_some(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    struct tg_totals totals;
    int64_t unit = tg_book_unit(book) * 100;
    tg_book_totals(book, trader->step, &totals);
    int64_t most = totals.equity - totals.margin - book->credit;
    bool rich = totals.equity > trader->start * 3;
    int64_t amount = (1 + tg_trader_below(trader, 50)) * (trader->start / 100) / unit * unit;
    if (rich || tg_trader_chance(trader, 50)) amount = -amount;
    if (-amount > most / 5) amount = -(most / 5 / unit * unit);
    if (!amount || (amount < 0 && most <= 0)) return false;
    tg_book_transfer(book, trader->step, amount);
    tg_trader_moved(trader);
    return true;
}

/* What a broker books beside deposits: a credit and its end, a bonus, a charge, a correction, a
 * dividend. */
static bool operate_some(struct tg_trader *trader)
{
    static const int actions[] = {TG_ACTION_CREDIT, TG_ACTION_BONUS, TG_ACTION_CHARGE,
                                  TG_ACTION_CORRECTION, TG_ACTION_DIVIDEND};
    struct tg_book *book = &trader->book;
    struct tg_totals totals;
    int action = actions[tg_trader_below(trader, 5)];
    int64_t amount = (1 + tg_trader_below(trader, 20)) * (trader->start / 1000);
    tg_book_totals(book, trader->step, &totals);
    if (action == TG_ACTION_CREDIT && book->credit > 0) amount = -book->credit;
    if (action == TG_ACTION_CHARGE ||
        (action == TG_ACTION_CORRECTION && tg_trader_chance(trader, 50)))
        amount = -amount;
    if (amount < 0 && totals.equity - totals.margin + amount <= 0) return false;
    tg_book_operate(book, trader->step, action, amount);
    tg_trader_moved(trader);
    return true;
}

/* Decides what to do; some wishes cannot be granted, then another is made. */
static void decide(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    struct tg_totals totals;
    tg_book_totals(book, trader->step, &totals);
    if (totals.equity < trader->start / 10) {
        tg_book_transfer(book, trader->step, trader->start);
        tg_trader_moved(trader);
        return;
    }
    for (int tries = 0; tries < 8; tries++) {
        int wish = tg_trader_below(trader, 100), few = book->count < 3 ? 12 : -12;
        bool done = wish < 24 + few   ? open_one(trader, false)
                    : wish < 28 + few ? open_one(trader, true)
                    : wish < 50       ? modify_one(trader)
                    : wish < 56       ? add_one(trader)
                    : wish < 60       ? (book->netting ? reverse_one(trader) : close_pair(trader))
                    : wish < 69       ? tg_trader_order(trader)
                    : wish < 79       ? close_one(trader, true)
                    : wish < 94       ? close_one(trader, false)
                    : wish < 98       ? transfer_some(trader)
                                      : operate_some(trader);
        if (done) return;
    }
    trader->due += trader->gap;
}

/* Closes what has hit its stop, at the stop's own price, and what its trader meant to close. */
static void check_stops(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    for (int i = book->count - 1; i >= 0; i--) {
        const struct tg_holding *h = &book->holdings[i];
        int32_t price = tg_holding_price(book->market, h, trader->step);
        bool lost = h->sl && (h->sell ? price >= h->sl : price <= h->sl);
        bool won = h->tp && (h->sell ? price <= h->tp : price >= h->tp);
        if (lost)
            close_at(trader, i, h->volume, h->sl, TG_REASON_SL);
        else if (won)
            close_at(trader, i, h->volume, h->tp, TG_REASON_TP);
        else if (h->close_step <= trader->step)
            close_at(trader, i, h->volume, price, h->reason);
    }
}

static int worst(const struct tg_book *book, int64_t step)
{
    int found = 0;
    int64_t least = INT64_MAX;
    for (int i = 0; i < book->count; i++) {
        const struct tg_holding *h = &book->holdings[i];
        int64_t profit = tg_book_profit(book, h, tg_holding_price(book->market, h, step), step);
        if (profit < least) least = profit, found = i;
    }
    return found;
}

/* The server closes the worst position while the margin level is below the bound. */
static void check_margin(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    while (book->count) {
        struct tg_totals totals;
        tg_book_totals(book, trader->step, &totals);
        if (totals.equity * 100 >= totals.margin * STOP_OUT_PERCENT) return;
        int i = worst(book, trader->step);
        const struct tg_holding *h = &book->holdings[i];
        close_at(trader, i, h->volume, tg_holding_price(book->market, h, trader->step),
                 TG_REASON_STOP_OUT);
    }
}

/* Some brokers open positions anew at the rollover: the same position under another ticket. Two and
 * a half units of the currency for each lot: buyers pay it, sellers of currencies are paid
 * a third of it. */
static void roll_over(struct tg_trader *trader)
{
    struct tg_book *book = &trader->book;
    for (int i = 0; i < book->count; i++) {
        struct tg_holding *h = &book->holdings[i];
        int64_t cost = (int64_t)h->volume * tg_book_unit(book) / 40;
        h->swap += h->sell && tg_symbols[h->symbol].forex ? cost / 3 : -cost;
        if (trader->reopens) h->ticket = ++book->next_id;
    }
}

static void live(struct tg_trader *trader)
{
    if (trader->step % STEPS_PER_ROLLOVER == 0) roll_over(trader);
    check_stops(trader);
    if (trader->book.pendings_count) tg_trader_check_orders(trader);
    if (trader->step % 4 == 0) check_margin(trader);
    if (trader->gap > 0 && trader->due <= (double)trader->step) decide(trader);
}

static void furnish(struct tg_trader *trader, uint32_t number)
{
    static const int leverages[] = {100, 100, 200, 500, 30};
    struct tg_book *book = &trader->book;
    book->currency = number % 7 == 2    ? TG_CURRENCY_EUR
                     : number % 11 == 5 ? TG_CURRENCY_JPY
                                        : TG_CURRENCY_USD;
    book->netting = number % 4 == 3;
    book->leverage = leverages[tg_trader_below(trader, 5)];
    trader->bold = number % 6 == 5;
    trader->reopens = number % 8 == 1;
    if (trader->bold) book->leverage = 500;
    int64_t worth = book->currency == TG_CURRENCY_JPY ? 150 : 100; /* of a dollar, in units */
    if (number % 3 == 0) book->lot_commission = 7 * worth / 2;
    if (number % 10 == 7) book->credit = 500 * worth;
    trader->start = (5 + tg_trader_below(trader, 96)) * 1000 * worth;
    tg_book_transfer(book, trader->step, trader->start);
    for (int i = tg_trader_below(trader, 5); i > 0; i--)
        (void)open_one(trader, false);
    trader->due = (double)trader->step + tg_rng_unit(&trader->rng) * trader->gap;
}

struct tg_trader *tg_trader_new(const struct tg_market *market, uint64_t seed, uint32_t number,
                                double events_per_minute)
{
    tg_must(number > 0);
    struct tg_trader *trader = calloc(1, sizeof *trader);
    if (!trader) return NULL;
    tg_book_init(&trader->book, market, number);
    trader->rng.state = seed ^ (number * UINT64_C(0xda942042e4dd58b5));
    trader->gap = events_per_minute > 0 ? TG_TRADER_STEPS_PER_MINUTE / events_per_minute : 0;
    trader->step = tg_market_oldest(market);
    furnish(trader, number);
    return trader;
}

void tg_trader_free(struct tg_trader *trader)
{
    if (trader) tg_book_fini(&trader->book);
    free(trader);
}

void tg_trader_run(struct tg_trader *trader)
{
    const struct tg_market *market = trader->book.market;
    int64_t newest = tg_market_step(market), oldest = tg_market_oldest(market);
    if (trader->step < oldest - 1) {
        trader->due += (double)(oldest - 1 - trader->step);
        trader->step = oldest - 1;
    }
    while (trader->step < newest) {
        trader->step++;
        live(trader);
    }
}
