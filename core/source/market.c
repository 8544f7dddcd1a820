/* Prices follow Lévy's construction of Brownian motion: a coarse chain of random points, refined by
 * a random displacement at the middle of each block of 2^16, 2^15, … 2 steps. Any instant can be
 * computed directly from the seed by seventeen hashes, so a market that slept for a day wakes at
 * the price it would have had anyway, and no run depends on who looked when. Beyond the longest
 * block (4.5 hours) the points are independent: the price wanders but never leaves its region.
 *
 * Prices are integers, in points: what the books compute from them stays exact. */
#include "source/market.h"

#include "base/err.h"
#include "base/rand.h"

#include <math.h>
#include <stdlib.h>

#define LEVELS 16

/* Volatility is some four times an ordinary day's, so that a demonstration shows stops being hit.
 */
const struct tg_symbol tg_symbols[TG_MARKET_SYMBOLS] = {
    {"EURUSD", 5, 100000, TG_CURRENCY_EUR, TG_CURRENCY_USD, 1, true, 108500, 8, 3.2e-5},
    {"GBPUSD", 5, 100000, TG_CURRENCY_GBP, TG_CURRENCY_USD, 1, true, 127200, 12, 3.6e-5},
    {"AUDUSD", 5, 100000, TG_CURRENCY_AUD, TG_CURRENCY_USD, 1, true, 65800, 10, 4.0e-5},
    {"USDJPY", 3, 100000, TG_CURRENCY_USD, TG_CURRENCY_JPY, 1, true, 151400, 10, 3.8e-5},
    {"USDCHF", 5, 100000, TG_CURRENCY_USD, TG_CURRENCY_CHF, 1, true, 88300, 12, 3.2e-5},
    {"USDCAD", 5, 100000, TG_CURRENCY_USD, TG_CURRENCY_CAD, 1, true, 136400, 14, 2.8e-5},
    {"XAUUSD", 2, 100, TG_CURRENCY_USD, TG_CURRENCY_USD, 1, false, 233500, 18, 4.6e-5},
    {"XAGUSD", 3, 5000, TG_CURRENCY_USD, TG_CURRENCY_USD, 2, false, 27450, 20, 6.5e-5},
    {"US500", 1, 10, TG_CURRENCY_USD, TG_CURRENCY_USD, 1, false, 52480, 5, 4.4e-5},
    {"DE40", 1, 5, TG_CURRENCY_EUR, TG_CURRENCY_EUR, 1, false, 184200, 12, 4.8e-5},
    {"BTCUSD", 2, 1, TG_CURRENCY_USD, TG_CURRENCY_USD, 10, false, 6480000, 1600, 1.1e-4},
    {"ETHUSD", 2, 10, TG_CURRENCY_USD, TG_CURRENCY_USD, 10, false, 342000, 210, 1.3e-4},
};

enum { EURUSD, GBPUSD, AUDUSD, USDJPY, USDCHF, USDCAD };

struct tg_market {
    uint64_t seed;
    int64_t step;    /* the newest */
    int64_t oldest;  /* the oldest that was computed */
    int64_t wall_ms; /* when the newest began, if that was told */
    bool dated;
    int32_t bid[TG_MARKET_SYMBOLS][TG_MARKET_HISTORY];
};

const char *tg_currency_name(int currency)
{
    static const char *const names[] = {"USD", "EUR", "GBP", "AUD", "JPY", "CHF", "CAD"};
    tg_must(currency >= 0 && currency <= TG_CURRENCY_CAD);
    return names[currency];
}

int tg_currency_digits(int currency)
{
    return currency == TG_CURRENCY_JPY ? 0 : 2;
}

/* A number of mean 0 and deviation 1 that belongs to a point of the construction. Four uniform
 * parts of one hash add up closely enough to a normal one, without a logarithm that might round
 * differently elsewhere. */
static double displacement(uint64_t seed, int symbol, int level, int64_t block)
{
    struct tg_rng rng = {seed + (uint64_t)symbol * 0xd1b54a32d192ed03u +
                         (uint64_t)level * 0xabc98388fb8fac03u +
                         (uint64_t)block * 0x8cb92ba72f3d8dd7u};
    uint64_t h = tg_rng_next(&rng);
    int64_t sum =
        (int64_t)((h & 0xffff) + (h >> 16 & 0xffff) + (h >> 32 & 0xffff) + (h >> 48 & 0xffff));
    return (double)(sum - 2 * 65535) / 37837.2;
}

/* The walk at a step, in units of one step's deviation. */
static double walk(uint64_t seed, int symbol, int64_t step)
{
    int64_t block = step >> LEVELS;
    double part = (double)(step & ((INT64_C(1) << LEVELS) - 1)) / (double)(INT64_C(1) << LEVELS);
    double from = displacement(seed, symbol, 0, block);
    double to = displacement(seed, symbol, 0, block + 1);
    double size = 128; /* half the deviation of the longest block, sqrt(2^16) / 2 */
    double at = (from + (to - from) * part) * size;
    for (int level = LEVELS; level > 0; level--, size *= M_SQRT1_2) {
        int64_t half = INT64_C(1) << (level - 1), rest = step & (2 * half - 1);
        if (!rest) continue;
        double tent = (double)(rest < half ? rest : 2 * half - rest) / (double)half;
        at += displacement(seed, symbol, level, step >> level) * tent * size;
    }
    return at;
}

int32_t tg_market_bid_at(uint64_t seed, int symbol, int64_t step)
{
    tg_must(symbol >= 0 && symbol < TG_MARKET_SYMBOLS && step >= 0);
    const struct tg_symbol *s = &tg_symbols[symbol];
    return (int32_t)lround(s->start * (1 + s->volatility * walk(seed, symbol, step)));
}

static void compute(struct tg_market *market, int64_t step)
{
    for (int i = 0; i < TG_MARKET_SYMBOLS; i++)
        market->bid[i][step % TG_MARKET_HISTORY] = tg_market_bid_at(market->seed, i, step);
}

struct tg_market *tg_market_new(uint64_t seed)
{
    struct tg_market *market = calloc(1, sizeof *market);
    if (!market) return NULL;
    market->seed = seed;
    compute(market, 0);
    return market;
}

void tg_market_free(struct tg_market *market)
{
    free(market);
}

void tg_market_advance(struct tg_market *market, int64_t step, int64_t wall_ms)
{
    if (step < market->step || (step == market->step && market->dated)) return;
    int64_t from = market->step + 1;
    if (step - from >= TG_MARKET_HISTORY) {
        from = step - TG_MARKET_HISTORY + 1;
        market->oldest = from;
    }
    for (int64_t at = from; at <= step; at++)
        compute(market, at);
    if (step - market->oldest >= TG_MARKET_HISTORY) market->oldest = step - TG_MARKET_HISTORY + 1;
    market->step = step;
    market->wall_ms = wall_ms;
    market->dated = true;
}

int64_t tg_market_step(const struct tg_market *market)
{
    return market->step;
}

int64_t tg_market_oldest(const struct tg_market *market)
{
    return market->oldest;
}

int64_t tg_market_time(const struct tg_market *market, int64_t step)
{
    return market->wall_ms - (market->step - step) * TG_MARKET_STEP_MS;
}

int32_t tg_market_bid(const struct tg_market *market, int symbol, int64_t step)
{
    tg_must(step >= market->oldest && step <= market->step);
    return market->bid[symbol][step % TG_MARKET_HISTORY];
}

int32_t tg_market_ask(const struct tg_market *market, int symbol, int64_t step)
{
    return tg_market_bid(market, symbol, step) + tg_symbols[symbol].spread;
}

static double dollars(const struct tg_market *market, int64_t step, int currency)
{
    switch (currency) {
    case TG_CURRENCY_EUR: return tg_market_bid(market, EURUSD, step) / 1e5;
    case TG_CURRENCY_GBP: return tg_market_bid(market, GBPUSD, step) / 1e5;
    case TG_CURRENCY_AUD: return tg_market_bid(market, AUDUSD, step) / 1e5;
    case TG_CURRENCY_JPY: return 1e3 / tg_market_bid(market, USDJPY, step);
    case TG_CURRENCY_CHF: return 1e5 / tg_market_bid(market, USDCHF, step);
    case TG_CURRENCY_CAD: return 1e5 / tg_market_bid(market, USDCAD, step);
    default: return 1;
    }
}

double tg_market_rate(const struct tg_market *market, int64_t step, int from, int to)
{
    if (from == to) return 1;
    return dollars(market, step, from) / dollars(market, step, to);
}
