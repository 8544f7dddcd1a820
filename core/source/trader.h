/* A simulated trader: decides what happens on the books of one account, step by step. */
#pragma once

#include "base/rand.h"
#include "source/book.h"

struct tg_trader {
    struct tg_book book;
    struct tg_rng rng;
    int64_t step;   /* the last that was lived through */
    double due;     /* the step at which something is to happen next */
    double gap;     /* mean steps between two events; 0 = nothing is ever decided */
    int64_t start;  /* the first deposit, in smallest units */
    uint64_t moves; /* lifecycle events so far: of positions, orders and money */
    bool reopens;   /* its broker gives positions another ticket at the rollover */
    bool bold;      /* trades too large and without stops: stopped out now and then */
};

/* Account `number` (from 1) of a market: all it ever does follows from the seed, its number and the
 * steps. Its life begins at the market's oldest known step. `events_per_minute` is the mean of its
 * lifecycle events; at 0 only the stops of its first positions act. NULL when memory is short. */
struct tg_trader *tg_trader_new(const struct tg_market *market, uint64_t seed, uint32_t number,
                                double events_per_minute);
void tg_trader_free(struct tg_trader *trader);

/* Lives through all steps up to the market's newest. An account that was left alone for longer than
 * the market remembers (TG_MARKET_HISTORY steps) rested for the part that is forgotten: nothing was
 * decided then, and its stops are looked at on waking. */
void tg_trader_run(struct tg_trader *trader);
