/* From the books to records: the one place where integers become the doubles of the model. Each
 * double is the nearest to a decimal of the right number of digits, so it compares and prints as
 * that decimal. */
#include "source/book.h"

#include "base/decimal.h"
#include "base/err.h"
#include "base/text.h"
#include "model/field.h"

#include <stdio.h>
#include <string.h>

static double money(const struct tg_book *book, int64_t amount)
{
    return (double)amount / (double)tg_book_unit(book);
}

static double price(int symbol, int32_t points)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5};
    return points / powers[tg_symbols[symbol].digits];
}

static void put(char *out, size_t size, const char *text)
{
    tg_copy(out, size, text, strlen(text));
}

static void write_account(const struct tg_book *book, int64_t step, struct tgl_account *out)
{
    struct tg_totals totals;
    tg_book_totals(book, step, &totals);
    (void)snprintf(out->id, sizeof out->id, "demo-%u", book->number);
    (void)snprintf(out->login, sizeof out->login, "%u", 5000000 + book->number);
    (void)snprintf(out->name, sizeof out->name, "Demo %u", book->number);
    put(out->server, sizeof out->server, "Tidegate-Demo");
    put(out->company, sizeof out->company, "Tidegate Simulator");
    put(out->currency, sizeof out->currency, tg_currency_name(book->currency));
    out->balance = money(book, book->balance);
    out->credit = money(book, book->credit);
    out->equity = money(book, totals.equity);
    out->profit = money(book, totals.profit);
    out->margin = money(book, totals.margin);
    out->margin_free = money(book, totals.equity - totals.margin);
    out->margin_level = 0;
    if (totals.margin)
        out->margin_level = tg_round((double)totals.equity / (double)totals.margin * 100, 2);
    out->leverage = book->leverage;
    out->currency_digits = tg_currency_digits(book->currency);
    out->positions_count = book->count;
    out->margin_mode = book->netting ? TG_MARGIN_MODE_NETTING : TG_MARGIN_MODE_HEDGING;
    out->trade_mode = TG_TRADE_MODE_DEMO;
    out->trade_allowed = 1;
}

static const char *comment_of(int reason)
{
    return reason == TG_REASON_EXPERT ? "Tide EA" : "";
}

static void write_position(const struct tg_book *book, const struct tg_holding *h, int64_t step,
                           struct tgl_position *out)
{
    int32_t current = tg_holding_price(book->market, h, step);
    put(out->symbol, sizeof out->symbol, tg_symbols[h->symbol].name);
    put(out->comment, sizeof out->comment, comment_of(h->reason));
    out->ticket = h->ticket;
    out->position_id = h->id;
    out->magic = h->magic;
    out->time_open = h->time_open;
    out->time_update = h->time_update;
    out->volume = h->volume / 100.0;
    out->price_open = price(h->symbol, h->price_open);
    out->price_current = price(h->symbol, current);
    out->sl = price(h->symbol, h->sl);
    out->tp = price(h->symbol, h->tp);
    out->profit = money(book, tg_book_profit(book, h, current, step));
    out->swap = money(book, h->swap);
    out->commission = money(book, h->commission);
    out->side = h->sell ? TG_SIDE_SELL : TG_SIDE_BUY;
    out->reason = h->reason;
    out->digits = tg_symbols[h->symbol].digits;
    out->currency_digits = tg_currency_digits(book->currency);
}

static void write_order(const struct tg_book *book, const struct tg_pending *order, int64_t step,
                        struct tgl_order *out)
{
    bool sell = tg_pending_sells(order->type);
    int32_t current = sell ? tg_market_bid(book->market, order->symbol, step)
                           : tg_market_ask(book->market, order->symbol, step);
    put(out->symbol, sizeof out->symbol, tg_symbols[order->symbol].name);
    put(out->comment, sizeof out->comment, comment_of(order->reason));
    out->ticket = order->ticket;
    out->position_id = order->position_id;
    out->magic = order->magic;
    out->time_setup = order->time_setup;
    out->time_expiration = order->expire_time;
    out->time_done = order->time_done;
    out->volume_initial = order->volume / 100.0;
    out->volume_current = order->left / 100.0;
    out->price_open = price(order->symbol, order->price);
    out->price_current = price(order->symbol, current);
    out->sl = price(order->symbol, order->sl);
    out->tp = price(order->symbol, order->tp);
    out->type = order->type;
    out->state = order->state;
    out->type_time = order->expire_time ? TG_ORDER_TIME_SPECIFIED : TG_ORDER_TIME_GTC;
    out->type_filling = TG_ORDER_FILLING_RETURN;
    out->reason = order->reason;
    out->digits = tg_symbols[order->symbol].digits;
    out->currency_digits = tg_currency_digits(book->currency);
}

int tg_book_write_state(const struct tg_book *book, int64_t step, struct tg_records *records)
{
    tg_account_blank(&records->account);
    records->positions_count = records->orders_count = 0;
    write_account(book, step, &records->account);
    for (int i = 0; i < book->count; i++) {
        struct tgl_position *row = tg_records_add_position(records);
        if (!row) return -TG_ENOMEM;
        write_position(book, &book->holdings[i], step, row);
    }
    for (int i = 0; i < book->pendings_count; i++) {
        struct tgl_order *row = tg_records_add_order(records);
        if (!row) return -TG_ENOMEM;
        write_order(book, &book->pendings[i], step, row);
    }
    records->account_fields = (UINT64_C(1) << tg_account_entity.count) - 1;
    records->account_known = records->positions_known = records->orders_known = true;
    records->source_time_ms = tg_market_time(book->market, step);
    return 0;
}

/* What a trade server writes into a deal: "[sl 1.08420]". */
static void write_comment(const struct tg_booking *deal, char *out, size_t size)
{
    char text[TG_DECIMAL_SIZE];
    int digits = tg_symbols[deal->symbol].digits;
    switch (deal->reason) {
    case TG_REASON_SL:
    case TG_REASON_TP:
        (void)snprintf(out, size, "[%s %.*s]", deal->reason == TG_REASON_SL ? "sl" : "tp",
                       tg_decimal_write(text, deal->price, digits), text);
        break;
    case TG_REASON_STOP_OUT: put(out, size, "[so]"); break;
    default: put(out, size, comment_of(deal->reason)); break;
    }
}

static void write_deal(const struct tg_book *book, const struct tg_booking *deal,
                       struct tgl_deal *out)
{
    out->ticket = deal->ticket;
    out->order = deal->order;
    out->time = deal->time;
    out->profit = money(book, deal->profit);
    out->swap = money(book, deal->swap);
    out->commission = money(book, deal->commission);
    out->fee = 0;
    out->action = deal->action;
    out->reason = deal->reason;
    out->currency_digits = tg_currency_digits(book->currency);
    if (!deal->position_id) {
        if (deal->action == TG_ACTION_BALANCE)
            put(out->comment, sizeof out->comment, deal->profit < 0 ? "Withdrawal" : "Deposit");
        return;
    }
    put(out->symbol, sizeof out->symbol, tg_symbols[deal->symbol].name);
    write_comment(deal, out->comment, sizeof out->comment);
    out->position_id = deal->position_id;
    out->magic = deal->magic;
    out->volume = deal->volume / 100.0;
    out->price = price(deal->symbol, deal->price);
    out->sl = price(deal->symbol, deal->sl);
    out->tp = price(deal->symbol, deal->tp);
    out->entry = deal->entry;
    out->digits = tg_symbols[deal->symbol].digits;
    if (deal->entry == TG_ENTRY_IN) return;
    out->volume_closed = deal->volume_closed ? deal->volume_closed / 100.0 : out->volume;
    out->price_position = price(deal->symbol, deal->price_position);
    out->time_open = deal->time_open;
}

int tg_book_write_deals(const struct tg_book *book, int64_t since_ms, struct tg_records *records)
{
    records->deals_count = records->history_count = 0;
    records->deals_known = records->history_known = false;
    for (uint32_t i = 0; i < book->deals_count; i++) {
        const struct tg_booking *deal = &book->deals[(book->deals_first + i) % book->deals_cap];
        if (deal->time < since_ms) continue;
        struct tgl_deal *row = tg_records_add_deal(records);
        if (!row) return -TG_ENOMEM;
        write_deal(book, deal, row);
    }
    for (uint32_t i = 0; i < book->ended_count; i++) {
        const struct tg_pending *order = &book->ended[(book->ended_first + i) % TG_BOOK_ENDED];
        if (order->time_done < since_ms) continue;
        struct tgl_order *row = tg_records_add_history(records);
        if (!row) return -TG_ENOMEM;
        write_order(book, order, tg_market_step(book->market), row);
    }
    records->deals_known = !book->deals_lost_ms || since_ms > book->deals_lost_ms;
    records->history_known = !book->ended_lost_ms || since_ms > book->ended_lost_ms;
    return 0;
}
