/* Symbols: the price decimals of each, learned from the quotes that were seen. */
#pragma once

#include "base/map.h"

/* Symbols that are remembered; prices of others are kept at TG_DIGITS_MAX decimals. Far beyond what
 * any broker lists: it only bounds what a mad source can make us keep. */
#define TG_REST_SYMBOLS_MAX 65536

/* Zero-initialise. */
struct tg_rest_symbols {
    struct tg_map digits;
};

void tg_rest_symbols_fini(struct tg_rest_symbols *symbols);

/* A quote of the symbol showed so many decimals: the most ever seen count, because services drop
 * trailing zeros. 0, or -TG_ENOMEM or -TG_ELIMIT with nothing learned. */
int tg_rest_symbols_learn(struct tg_rest_symbols *symbols, const char *symbol, int digits);

/* The symbol's price decimals: TG_DIGITS_MAX while nothing was learned, so that no change of a
 * price is rounded away. */
int tg_rest_symbols_digits(const struct tg_rest_symbols *symbols, const char *symbol);
