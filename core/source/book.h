/* The books of a simulated account: its money, its open positions and its newest deals. */
#pragma once

#include "model/record.h"
#include "source/market.h"

#include <stdbool.h>
#include <stdint.h>

#define TG_BOOK_HOLDINGS 8
#define TG_BOOK_DEALS 1024
#define TG_BOOK_PENDINGS 4
#define TG_BOOK_ENDED 16

/* An open position. Money is in the currency's smallest unit, prices in points, volume in
 * hundredths of a lot. */
struct tg_holding {
    uint64_t ticket; /* of the order that made it what it is; a rollover or reversal changes it */
    uint64_t id;     /* its identifier: the ticket it was opened with */
    int64_t time_open, time_update;
    int64_t magic;
    int64_t swap, commission, margin;
    int64_t close_step; /* when its trader means to close it; INT64_MAX = not decided */
    int32_t price_open, sl, tp;
    int32_t volume;
    uint8_t symbol, reason;
    bool sell;
};

/* A pending order, in the same units. */
struct tg_pending {
    uint64_t ticket, position_id; /* of the position that its fills made; 0: none yet */
    int64_t time_setup, time_done;
    int64_t magic;
    int64_t expire_step; /* INT64_MAX: good till cancelled */
    int64_t expire_time; /* the same in UTC milliseconds; 0 */
    int32_t price, sl, tp;
    int32_t volume, left;
    uint8_t symbol, type, state, reason; /* enum tg_order_type, tg_order_state, tg_reason */
};

/* A deal, in the same units. */
struct tg_booking {
    uint64_t ticket, order, position_id;
    int64_t time, time_open;
    int64_t magic;
    int64_t profit, swap, commission;
    int32_t price, price_position, sl, tp;
    int32_t volume, volume_closed; /* the second of a reversal alone */
    uint8_t symbol, action, entry, reason;
};

struct tg_book {
    const struct tg_market *market; /* borrowed */
    uint32_t number;                /* the account is demo-<number> */
    int currency;                   /* enum tg_currency */
    int leverage;
    bool netting;
    int64_t balance, credit;
    int64_t lot_commission; /* charged for each lot and side */
    uint64_t next_id;       /* of orders, positions and deals */
    struct tg_holding holdings[TG_BOOK_HOLDINGS];
    int count;
    struct tg_booking *deals; /* a ring */
    uint32_t deals_cap, deals_first, deals_count;
    struct tg_pending pendings[TG_BOOK_PENDINGS];
    int pendings_count;
    struct tg_pending ended[TG_BOOK_ENDED]; /* orders that are no more: a ring */
    uint32_t ended_first, ended_count;
    int64_t ended_lost_ms; /* when the newest of them ended that is no longer held; 0: all are */
    int64_t deals_lost_ms; /* time of the newest deal that is no longer held; 0 = all are */
};

/* Opens the books without money. `market` must outlive them. */
void tg_book_init(struct tg_book *book, const struct tg_market *market, uint32_t number);
void tg_book_fini(struct tg_book *book);

/* One unit of the currency in its smallest units: 100, or 1 for the yen. */
int64_t tg_book_unit(const struct tg_book *book);

/* What is asked of a new position. `sl` and `tp` are 0 when not wanted. */
struct tg_book_order {
    int symbol;
    bool sell;
    int32_t volume, sl, tp;
    int reason; /* enum tg_reason */
    int64_t magic;
    uint64_t ticket; /* of the pending order that it comes from; 0: none */
};

/* Opens a position at the step's price. NULL, and nothing happened, when there is no room or not
 * enough free margin. The pointer is good until the next change. */
struct tg_holding *tg_book_open(struct tg_book *book, int64_t step,
                                const struct tg_book_order *order);

/* Adds volume to a position at the step's price, as a netting account does; false when the free
 * margin does not allow it. `order`: the ticket of the order behind it, 0 for one of its own. */
bool tg_book_add(struct tg_book *book, int64_t step, int index, int32_t volume, int reason,
                 uint64_t order);

/* Closes `volume` of a position (all of it removes the position) at a price in points. */
void tg_book_close(struct tg_book *book, int64_t step, int index, int32_t volume, int32_t price,
                   int reason);

/* Turns a position of a netting account round: all of it is closed and `volume` of the other side
 * opened by one deal, under the same identifier and another ticket. False when the free margin does
 * not allow it. */
bool tg_book_reverse(struct tg_book *book, int64_t step, int index, int32_t volume, int reason);

/* Closes two opposite positions of one symbol by each other, as far as the smaller goes: two deals
 * of one order, and the profit of both is booked in the first. */
void tg_book_close_by(struct tg_book *book, int64_t step, int index, int other);

/* Pays in, or out when negative. */
void tg_book_transfer(struct tg_book *book, int64_t step, int64_t amount);

/* Books any other operation on money (enum tg_action); that of a credit moves the credit. */
void tg_book_operate(struct tg_book *book, int64_t step, int action, int64_t amount);

/* ---- pending orders (book_orders.c) ---- */

/* Whether an order of that type (enum tg_order_type) sells. */
bool tg_pending_sells(int type);

/* Whether the market has reached an order at a step. */
bool tg_book_is_reached(const struct tg_book *book, const struct tg_pending *order, int64_t step);

/* Places an order: `symbol`, `type`, `reason`, `price`, `volume`, `expire_step`, and what else is
 * wanted of it, are given. NULL when there is no room. Good until the next change. */
struct tg_pending *tg_book_place(struct tg_book *book, int64_t step,
                                 const struct tg_pending *wanted);

/* Ends an order in a state (enum tg_order_state). */
void tg_book_end(struct tg_book *book, int64_t step, int index, int state);

/* Fills `volume` of an order at the step's price, and ends it with the last of it: its first part
 * opens a position under the order's ticket, later ones add to it. An order that cannot be filled
 * ends: rejected when the margin does not allow it, cancelled when its position has gone. */
void tg_book_fill(struct tg_book *book, int64_t step, int index, int32_t volume);

/* The price at which a holding would be closed now. */
int32_t tg_holding_price(const struct tg_market *market, const struct tg_holding *holding,
                         int64_t step);

/* A holding's profit from the move of the price alone. */
int64_t tg_book_profit(const struct tg_book *book, const struct tg_holding *holding, int32_t price,
                       int64_t step);

/* The margin that a volume at a price ties up. */
int64_t tg_book_margin(const struct tg_book *book, int symbol, int32_t volume, int32_t price,
                       int64_t step);

/* The account at a step: equity == balance + credit + profit, to the unit. */
struct tg_totals {
    int64_t profit; /* floating, swap included */
    int64_t equity, margin;
};

void tg_book_totals(const struct tg_book *book, int64_t step, struct tg_totals *out);

/* Replaces the account, the positions and the pending orders of `records` by the books at a step. 0
 * or -TG_ENOMEM. */
int tg_book_write_state(const struct tg_book *book, int64_t step, struct tg_records *records);

/* Replaces the deals and the ended orders of `records` by those made or ended at `since_ms` (UTC)
 * or later, oldest first. They are known only if none of that time was forgotten. 0 or -TG_ENOMEM.
 */
int tg_book_write_deals(const struct tg_book *book, int64_t since_ms, struct tg_records *records);
