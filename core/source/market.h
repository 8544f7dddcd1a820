/* A simulated market: a dozen symbols whose prices are a pure function of seed and step. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TG_MARKET_SYMBOLS 12
#define TG_MARKET_STEP_MS 250
#define TG_MARKET_HISTORY 4096

enum tg_currency {
    TG_CURRENCY_USD,
    TG_CURRENCY_EUR,
    TG_CURRENCY_GBP,
    TG_CURRENCY_AUD,
    TG_CURRENCY_JPY,
    TG_CURRENCY_CHF,
    TG_CURRENCY_CAD,
};

/* What is fixed about a symbol. Prices are in points, the last decimal of `digits`. */
struct tg_symbol {
    const char *name;
    int digits;
    int contract;      /* units of the underlying in one lot */
    int base, profit;  /* enum tg_currency: of the margin and of the profit */
    int margin_factor; /* times the account's ordinary margin: 1, or more for what leaps */
    bool forex;        /* margin is counted in base units, not in price × units */
    int32_t start;     /* the bid around which the price walks */
    int32_t spread;
    double volatility; /* standard deviation of one step, as a share of the price */
};

extern const struct tg_symbol tg_symbols[TG_MARKET_SYMBOLS];

/* The name of an enum tg_currency, and the decimals of its amounts. */
const char *tg_currency_name(int currency);
int tg_currency_digits(int currency);

/* The bid of a symbol at a step (from 0 on), without any state: the same for the same seed. */
int32_t tg_market_bid_at(uint64_t seed, int symbol, int64_t step);

/* The newest TG_MARKET_HISTORY steps of all symbols, computed once for all accounts. */
struct tg_market;

/* A market at step 0. NULL when memory is short. */
struct tg_market *tg_market_new(uint64_t seed);
void tg_market_free(struct tg_market *market);

/* Moves to a later step, which began at that UTC time; never moves back. A step keeps the first
 * time that it was given: two clocks, each cut to milliseconds, agree on it only to one, and a
 * state must not be older than one of the same step that was told before. The cost is bounded by
 * TG_MARKET_HISTORY however long the pause was. */
void tg_market_advance(struct tg_market *market, int64_t step, int64_t wall_ms);

/* The newest step, and the oldest whose prices are still known. */
int64_t tg_market_step(const struct tg_market *market);
int64_t tg_market_oldest(const struct tg_market *market);

/* UTC milliseconds of a step. */
int64_t tg_market_time(const struct tg_market *market, int64_t step);

/* Prices in points at a step between oldest and newest. */
int32_t tg_market_bid(const struct tg_market *market, int symbol, int64_t step);
int32_t tg_market_ask(const struct tg_market *market, int symbol, int64_t step);

/* How much of `to` one unit of `from` is worth at a step. */
double tg_market_rate(const struct tg_market *market, int64_t step, int from, int to);
