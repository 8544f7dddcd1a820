/* The inside of a trader, shared by what it does with positions and with orders. */
#pragma once

#include "source/trader.h"

#define TG_TRADER_STEPS_PER_MINUTE (60000 / TG_MARKET_STEP_MS)

/* A number from 0 to below the bound; true in so many of a hundred cases. */
int tg_trader_below(struct tg_trader *trader, int bound);
bool tg_trader_chance(struct tg_trader *trader, int percent);

/* Something has happened: the next decision is one gap further away. */
void tg_trader_moved(struct tg_trader *trader);

/* A reason (enum tg_reason) for something that a person or an expert does. */
int tg_trader_reason(struct tg_trader *trader);

/* A stop on the losing or on the winning side of the price at which the side would be closed. */
int32_t tg_trader_level(struct tg_trader *trader, int symbol, bool sell, int32_t price, bool loss);

/* A volume that ties up some share of the equity. */
int32_t tg_trader_volume(struct tg_trader *trader, int symbol, int64_t equity, int32_t price);

/* The index of a holding of the symbol, -1: none. */
int tg_trader_find(const struct tg_book *book, int symbol);

/* Places, moves or cancels a pending order (trader_orders.c); false when that could not be. */
bool tg_trader_order(struct tg_trader *trader);

/* Fills what the market has reached and ends what has expired. */
void tg_trader_check_orders(struct tg_trader *trader);
