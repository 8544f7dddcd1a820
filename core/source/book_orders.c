/* Pending orders of the books: placed, filled in parts, ended. An order whose fill fails ends too,
 * as on a server: nothing waits for money. */
#include "source/book.h"

#include "base/err.h"

#include <string.h>

bool tg_pending_sells(int type)
{
    return type == TG_ORDER_TYPE_SELL_LIMIT || type == TG_ORDER_TYPE_SELL_STOP;
}

static int32_t entry_price(const struct tg_book *book, const struct tg_pending *order, int64_t step)
{
    return tg_pending_sells(order->type) ? tg_market_bid(book->market, order->symbol, step)
                                         : tg_market_ask(book->market, order->symbol, step);
}

bool tg_book_is_reached(const struct tg_book *book, const struct tg_pending *order, int64_t step)
{
    int32_t price = entry_price(book, order, step);
    bool from_above =
        order->type == TG_ORDER_TYPE_BUY_LIMIT || order->type == TG_ORDER_TYPE_SELL_STOP;
    return from_above ? price <= order->price : price >= order->price;
}

struct tg_pending *tg_book_place(struct tg_book *book, int64_t step,
                                 const struct tg_pending *wanted)
{
    tg_must(wanted->volume > 0);
    if (book->pendings_count == TG_BOOK_PENDINGS) return NULL;
    struct tg_pending *order = &book->pendings[book->pendings_count++];
    *order = *wanted;
    order->ticket = ++book->next_id;
    order->time_setup = tg_market_time(book->market, step);
    order->expire_time = wanted->expire_step == INT64_MAX
                             ? 0
                             : order->time_setup + (wanted->expire_step - step) * TG_MARKET_STEP_MS;
    order->state = TG_ORDER_STATE_PLACED;
    order->left = wanted->volume;
    return order;
}

void tg_book_end(struct tg_book *book, int64_t step, int index, int state)
{
    tg_must(index >= 0 && index < book->pendings_count);
    struct tg_pending *order = &book->pendings[index];
    order->state = (uint8_t)state;
    order->time_done = tg_market_time(book->market, step);
    if (book->ended_count == TG_BOOK_ENDED) {
        book->ended_lost_ms = book->ended[book->ended_first].time_done;
        book->ended_first = (book->ended_first + 1) % TG_BOOK_ENDED;
        book->ended_count--;
    }
    book->ended[(book->ended_first + book->ended_count++) % TG_BOOK_ENDED] = *order;
    memmove(order, order + 1, (size_t)(--book->pendings_count - index) * sizeof *order);
}

static int find(const struct tg_book *book, uint64_t id)
{
    for (int i = 0; i < book->count; i++)
        if (book->holdings[i].id == id) return i;
    return -1;
}

static bool holds_symbol(const struct tg_book *book, int symbol)
{
    for (int i = 0; i < book->count; i++)
        if (book->holdings[i].symbol == symbol) return true;
    return false;
}

/* Levels that the market has passed already when the order is filled would be hit at once. */
static void keep_levels(const struct tg_book *book, struct tg_holding *h, int64_t step)
{
    int32_t price = tg_holding_price(book->market, h, step);
    if (h->sl && (h->sell ? price >= h->sl : price <= h->sl)) h->sl = 0;
    if (h->tp && (h->sell ? price <= h->tp : price >= h->tp)) h->tp = 0;
}

/* The state that a failed fill ends the order in; TG_ORDER_STATE_FILLED: it did not fail. */
static int fill_part(struct tg_book *book, int64_t step, const struct tg_pending *order,
                     int32_t volume)
{
    if (order->left < order->volume) {
        int index = find(book, order->ticket);
        if (index < 0) return TG_ORDER_STATE_CANCELLED;
        return tg_book_add(book, step, index, volume, order->reason, order->ticket)
                   ? TG_ORDER_STATE_FILLED
                   : TG_ORDER_STATE_CANCELLED;
    }
    if (book->netting && holds_symbol(book, order->symbol)) return TG_ORDER_STATE_CANCELLED;
    const struct tg_book_order wanted = {.symbol = order->symbol,
                                         .sell = tg_pending_sells(order->type),
                                         .volume = volume,
                                         .sl = order->sl,
                                         .tp = order->tp,
                                         .reason = order->reason,
                                         .magic = order->magic,
                                         .ticket = order->ticket};
    struct tg_holding *holding = tg_book_open(book, step, &wanted);
    if (!holding) return TG_ORDER_STATE_REJECTED;
    keep_levels(book, holding, step);
    return TG_ORDER_STATE_FILLED;
}

void tg_book_fill(struct tg_book *book, int64_t step, int index, int32_t volume)
{
    tg_must(index >= 0 && index < book->pendings_count);
    struct tg_pending *order = &book->pendings[index];
    tg_must(volume > 0 && volume <= order->left);
    int state = fill_part(book, step, order, volume);
    if (state != TG_ORDER_STATE_FILLED) {
        tg_book_end(book, step, index, state);
        return;
    }
    order->position_id = order->ticket;
    order->left -= volume;
    order->state = TG_ORDER_STATE_PARTIAL;
    if (!order->left) tg_book_end(book, step, index, TG_ORDER_STATE_FILLED);
}
