/* Deals as evidence: which were told already, and what they say of a position that closed. */
#pragma once

#include "model/record.h"

#include <stdbool.h>
#include <stdint.h>

/* What tells a deal apart from every other; alike for those that are the same, listed twice. */
uint64_t tg_deal_key(const struct tgl_deal *deal);

/* Keys of the deals that were told, oldest first. Zero-initialise. */
struct tg_deals {
    uint64_t *keys;
    uint32_t count, cap;
};

/* How many keys are kept between polls: more than any source answers for the few minutes that are
 * asked about. */
#define TG_DEALS_KEPT 8192

void tg_deals_fini(struct tg_deals *deals);

/* Whether this very deal was told before. */
bool tg_deals_seen(const struct tg_deals *deals, const struct tgl_deal *deal);

/* Forgets the oldest beyond TG_DEALS_KEPT and makes room for so many more. 0 or -TG_ENOMEM. */
int tg_deals_reserve(struct tg_deals *deals, uint32_t more);

/* Remembers a deal; needs the room of one key. */
void tg_deals_remember(struct tg_deals *deals, const struct tgl_deal *deal);

/* Moves all keys to another memory, which needs room for them. */
void tg_deals_join(struct tg_deals *into, struct tg_deals *from);

/* Remembers a position that was told as closed, so that deals which turn up late do not open and
 * close it again; needs the room of one key. And whether it was. */
void tg_deals_bury(struct tg_deals *deals, uint64_t position_id);
bool tg_deals_buried(const struct tg_deals *deals, uint64_t position_id);

/* Sorts the records' deals by time and ticket, and drops rows that are the same deal: services that
 * page repeat a row when a new one comes in between. */
void tg_deals_arrange(struct tg_records *records);

/* What some deals of one position say, by the figures of MT5's deal history. Start with
 * TG_CLOSING_NONE. */
struct tg_closing {
    double volume, weight; /* lots closed; lots in `price` */
    double price;          /* volume-weighted close price */
    double price_open;     /* open price, where the source tells; else NaN */
    double profit, swap, commission, fee;
    int64_t time, time_open; /* UTC ms; 0 = not told */
    int32_t reason;
    uint32_t ins, outs;           /* deals that opened and closed; a reversal is both */
    const struct tgl_deal *entry; /* the first that opened, or NULL */
    const struct tgl_deal *exit;  /* the last that closed, or NULL */
};
#define TG_CLOSING_NONE ((struct tg_closing){.price = NAN, .price_open = NAN})

/* Adds a deal of which `closed` lots closed something. */
void tg_closing_add(struct tg_closing *closing, const struct tgl_deal *deal, double closed);
