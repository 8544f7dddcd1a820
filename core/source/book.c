/* Everything is an integer in the smallest unit of its kind, rounded once when it arises. So the
 * balance is exactly the sum of its deals, and equity exactly balance + credit + floating profit,
 * after a million trades as after one. A deal is the only thing that moves the balance.
 *
 * Deals are held as long as anybody may ask for them: those older than the market's own history go
 * first, and where even that is too much for TG_BOOK_DEALS the loss is remembered and told. */
#include "source/book.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every 64th account has tickets that a double cannot hold, as some brokers do. */
#define BEYOND_DOUBLES (UINT64_C(1) << 62)

void tg_book_init(struct tg_book *book, const struct tg_market *market, uint32_t number)
{
    *book = (struct tg_book){.market = market, .number = number};
    book->next_id = number * UINT64_C(1000000000) + (number % 64 ? 0 : BEYOND_DOUBLES);
}

void tg_book_fini(struct tg_book *book)
{
    free(book->deals);
    *book = (struct tg_book){0};
}

int64_t tg_book_unit(const struct tg_book *book)
{
    return tg_currency_digits(book->currency) ? 100 : 1;
}

static double point(int digits)
{
    double value = 1;
    while (digits-- > 0)
        value /= 10;
    return value;
}

int32_t tg_holding_price(const struct tg_market *market, const struct tg_holding *holding,
                         int64_t step)
{
    return holding->sell ? tg_market_ask(market, holding->symbol, step)
                         : tg_market_bid(market, holding->symbol, step);
}

static int64_t profit_of(const struct tg_book *book, const struct tg_holding *holding,
                         int32_t volume, int32_t price, int64_t step)
{
    const struct tg_symbol *s = &tg_symbols[holding->symbol];
    int64_t move =
        holding->sell ? (int64_t)holding->price_open - price : (int64_t)price - holding->price_open;
    double rate = tg_market_rate(book->market, step, s->profit, book->currency);
    return llround((double)(move * volume * s->contract) / 100 * point(s->digits) * rate *
                   (double)tg_book_unit(book));
}

int64_t tg_book_profit(const struct tg_book *book, const struct tg_holding *holding, int32_t price,
                       int64_t step)
{
    return profit_of(book, holding, holding->volume, price, step);
}

int64_t tg_book_margin(const struct tg_book *book, int symbol, int32_t volume, int32_t price,
                       int64_t step)
{
    const struct tg_symbol *s = &tg_symbols[symbol];
    double value = (double)volume * s->contract / 100 * s->margin_factor / book->leverage;
    if (!s->forex) value *= price * point(s->digits);
    int currency = s->forex ? s->base : s->profit;
    return llround(value * tg_market_rate(book->market, step, currency, book->currency) *
                   (double)tg_book_unit(book));
}

void tg_book_totals(const struct tg_book *book, int64_t step, struct tg_totals *out)
{
    int64_t profit = 0, margin = 0;
    for (int i = 0; i < book->count; i++) {
        const struct tg_holding *h = &book->holdings[i];
        profit += tg_book_profit(book, h, tg_holding_price(book->market, h, step), step) + h->swap;
        margin += h->margin;
    }
    *out = (struct tg_totals){profit, book->balance + book->credit + profit, margin};
}

/* Forgets the oldest deal. */
static void forget(struct tg_book *book)
{
    book->deals_lost_ms = book->deals[book->deals_first].time;
    book->deals_first = (book->deals_first + 1) % book->deals_cap;
    book->deals_count--;
}

/* Doubles the ring. Without memory it stays as it is. */
static void widen(struct tg_book *book)
{
    uint32_t cap = book->deals_cap ? book->deals_cap * 2 : 8;
    if (cap > TG_BOOK_DEALS) return;
    struct tg_booking *deals = malloc(cap * sizeof *deals);
    if (!deals) return;
    for (uint32_t i = 0; i < book->deals_count; i++)
        deals[i] = book->deals[(book->deals_first + i) % book->deals_cap];
    free(book->deals);
    book->deals = deals;
    book->deals_cap = cap;
    book->deals_first = 0;
}

/* Books a deal: the one place where the balance moves. */
static void enter(struct tg_book *book, struct tg_booking *deal)
{
    deal->order = deal->order ? deal->order : ++book->next_id;
    deal->ticket = ++book->next_id;
    if (deal->action == TG_ACTION_CREDIT)
        book->credit += deal->profit;
    else
        book->balance += deal->profit + deal->swap + deal->commission;
    if (book->deals_count == book->deals_cap) {
        int64_t horizon = deal->time - (int64_t)TG_MARKET_HISTORY * TG_MARKET_STEP_MS;
        while (book->deals_count && book->deals[book->deals_first].time < horizon)
            forget(book);
        if (book->deals_count == book->deals_cap) widen(book);
        if (book->deals_count && book->deals_count == book->deals_cap) forget(book);
    }
    if (!book->deals_cap) {
        book->deals_lost_ms = deal->time;
        return;
    }
    book->deals[(book->deals_first + book->deals_count++) % book->deals_cap] = *deal;
}

static int64_t commission(const struct tg_book *book, int32_t volume)
{
    return -llround((double)book->lot_commission * volume / 100);
}

/* The part `volume` of a holding's amount, the last part taking what rounding left. */
static int64_t share(int64_t amount, int32_t volume, int32_t whole)
{
    return volume == whole ? amount : llround((double)amount * volume / whole);
}

static bool affordable(const struct tg_book *book, int64_t step, int64_t margin)
{
    struct tg_totals totals;
    tg_book_totals(book, step, &totals);
    return totals.equity - totals.margin > margin;
}

static struct tg_booking deal_of(const struct tg_book *book, const struct tg_holding *h,
                                 int64_t step, int entry, int reason)
{
    bool sells = h->sell == (entry == TG_ENTRY_IN);
    tg_must(h->id);
    return (struct tg_booking){
        .position_id = h->id,
        .time = tg_market_time(book->market, step),
        .time_open = h->time_open,
        .magic = h->magic,
        .price_position = h->price_open,
        .sl = h->sl,
        .tp = h->tp,
        .symbol = h->symbol,
        .action = sells ? TG_ACTION_SELL : TG_ACTION_BUY,
        .entry = (uint8_t)entry,
        .reason = (uint8_t)reason,
    };
}

/* The price at which a side is opened: buyers pay the ask. */
static int32_t entry_price(const struct tg_book *book, int symbol, bool sell, int64_t step)
{
    return sell ? tg_market_bid(book->market, symbol, step)
                : tg_market_ask(book->market, symbol, step);
}

struct tg_holding *tg_book_open(struct tg_book *book, int64_t step,
                                const struct tg_book_order *order)
{
    tg_must(order->volume > 0);
    int32_t price = entry_price(book, order->symbol, order->sell, step);
    int64_t margin = tg_book_margin(book, order->symbol, order->volume, price, step);
    if (book->count == TG_BOOK_HOLDINGS || !affordable(book, step, margin)) return NULL;
    struct tg_holding *h = &book->holdings[book->count++];
    *h = (struct tg_holding){
        .ticket = order->ticket ? 0 : ++book->next_id,
        .time_open = tg_market_time(book->market, step),
        .time_update = tg_market_time(book->market, step),
        .magic = order->magic,
        .commission = commission(book, order->volume),
        .margin = margin,
        .close_step = INT64_MAX,
        .price_open = price,
        .sl = order->sl,
        .tp = order->tp,
        .volume = order->volume,
        .symbol = (uint8_t)order->symbol,
        .reason = (uint8_t)order->reason,
        .sell = order->sell,
    };
    if (order->ticket) h->ticket = order->ticket;
    h->id = h->ticket;
    struct tg_booking deal = deal_of(book, h, step, TG_ENTRY_IN, order->reason);
    deal.order = h->ticket;
    deal.price = price;
    deal.volume = order->volume;
    deal.commission = h->commission;
    enter(book, &deal);
    return h;
}

bool tg_book_add(struct tg_book *book, int64_t step, int index, int32_t volume, int reason,
                 uint64_t order)
{
    tg_must(index >= 0 && index < book->count && volume > 0);
    struct tg_holding *h = &book->holdings[index];
    int32_t price = entry_price(book, h->symbol, h->sell, step);
    int64_t margin = tg_book_margin(book, h->symbol, volume, price, step);
    if (!affordable(book, step, margin)) return false;
    struct tg_booking deal = deal_of(book, h, step, TG_ENTRY_IN, reason);
    deal.order = order;
    deal.price = price;
    deal.volume = volume;
    deal.commission = commission(book, volume);
    enter(book, &deal);
    double points = (double)h->price_open * h->volume + (double)price * volume;
    h->price_open = (int32_t)lround(points / (h->volume + volume));
    h->volume += volume;
    h->margin += margin;
    h->commission += deal.commission;
    h->time_update = deal.time;
    return true;
}

/* Takes what a deal closed out of a position; the last of it takes the position away. */
static void shrink(struct tg_book *book, int index, const struct tg_booking *deal)
{
    struct tg_holding *h = &book->holdings[index];
    if (deal->volume == h->volume) {
        memmove(h, h + 1, (size_t)(--book->count - index) * sizeof *h);
        return;
    }
    h->margin -= share(h->margin, deal->volume, h->volume);
    h->swap -= deal->swap;
    h->volume -= deal->volume;
    h->time_update = deal->time;
}

void tg_book_close(struct tg_book *book, int64_t step, int index, int32_t volume, int32_t price,
                   int reason)
{
    tg_must(index >= 0 && index < book->count);
    struct tg_holding *h = &book->holdings[index];
    tg_must(volume > 0 && volume <= h->volume);
    struct tg_booking deal = deal_of(book, h, step, TG_ENTRY_OUT, reason);
    deal.price = price;
    deal.volume = volume;
    deal.profit = profit_of(book, h, volume, price, step);
    deal.swap = share(h->swap, volume, h->volume);
    deal.commission = commission(book, volume);
    enter(book, &deal);
    shrink(book, index, &deal);
}

bool tg_book_reverse(struct tg_book *book, int64_t step, int index, int32_t volume, int reason)
{
    tg_must(book->netting && index >= 0 && index < book->count && volume > 0);
    struct tg_holding *h = &book->holdings[index];
    int32_t price = entry_price(book, h->symbol, !h->sell, step);
    int64_t margin = tg_book_margin(book, h->symbol, volume, price, step);
    if (!affordable(book, step, margin)) return false;
    struct tg_booking deal = deal_of(book, h, step, TG_ENTRY_INOUT, reason);
    deal.order = ++book->next_id;
    deal.price = price;
    deal.volume = h->volume + volume;
    deal.volume_closed = h->volume;
    deal.profit = profit_of(book, h, h->volume, price, step);
    deal.swap = h->swap;
    deal.commission = commission(book, deal.volume);
    enter(book, &deal);
    h->ticket = deal.order;
    h->time_open = h->time_update = deal.time;
    h->swap = 0;
    h->commission = commission(book, volume);
    h->margin = margin;
    h->close_step = INT64_MAX;
    h->price_open = price;
    h->sl = h->tp = 0;
    h->volume = volume;
    h->sell = !h->sell;
    return true;
}

void tg_book_close_by(struct tg_book *book, int64_t step, int index, int other)
{
    tg_must(index >= 0 && other >= 0 && index < book->count && other < book->count);
    struct tg_holding *a = &book->holdings[index], *b = &book->holdings[other];
    tg_must(a->symbol == b->symbol && a->sell != b->sell);
    struct tg_booking one = deal_of(book, a, step, TG_ENTRY_OUT_BY, TG_REASON_MANUAL),
                      two = deal_of(book, b, step, TG_ENTRY_OUT_BY, TG_REASON_MANUAL);
    one.order = two.order = ++book->next_id;
    one.volume = two.volume = a->volume < b->volume ? a->volume : b->volume;
    one.price = b->price_open;
    two.price = a->price_open;
    one.profit = profit_of(book, a, one.volume, one.price, step);
    one.swap = share(a->swap, one.volume, a->volume);
    two.swap = share(b->swap, two.volume, b->volume);
    enter(book, &one);
    enter(book, &two);
    shrink(book, index > other ? index : other, index > other ? &one : &two);
    shrink(book, index > other ? other : index, index > other ? &two : &one);
}

void tg_book_operate(struct tg_book *book, int64_t step, int action, int64_t amount)
{
    struct tg_booking deal = {
        .time = tg_market_time(book->market, step),
        .profit = amount,
        .action = (uint8_t)action,
        .reason = TG_REASON_MANUAL,
    };
    enter(book, &deal);
}

void tg_book_transfer(struct tg_book *book, int64_t step, int64_t amount)
{
    tg_book_operate(book, step, TG_ACTION_BALANCE, amount);
}
