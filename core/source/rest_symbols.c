/* A service of this kind tells no decimals, yet prices are compared and shown at a symbol's own: at
 * too few a change is lost, at too many binary noise is a change. A map's value is a pointer, so
 * the decimals (0…8) are kept as a pointer into an array of as many bytes and cost no allocation.
 */
#include "source/rest_symbols.h"

#include "base/decimal.h"
#include "base/err.h"

#include <string.h>

static const char steps[TG_DIGITS_MAX + 1];

static int digits_of(const char *step)
{
    return (int)(step - steps);
}

void tg_rest_symbols_fini(struct tg_rest_symbols *symbols)
{
    tg_map_fini(&symbols->digits);
}

int tg_rest_symbols_learn(struct tg_rest_symbols *symbols, const char *symbol, int digits)
{
    size_t len = strlen(symbol);
    const char *known = tg_map_get(&symbols->digits, symbol, len);
    if (digits > TG_DIGITS_MAX) digits = TG_DIGITS_MAX;
    if (digits < 0 || (known && digits_of(known) >= digits)) return 0;
    if (!known && symbols->digits.count >= TG_REST_SYMBOLS_MAX) return -TG_ELIMIT;
    return tg_map_put(&symbols->digits, symbol, len, (void *)&steps[digits], NULL);
}

int tg_rest_symbols_digits(const struct tg_rest_symbols *symbols, const char *symbol)
{
    const char *known = tg_map_get(&symbols->digits, symbol, strlen(symbol));
    return known ? digits_of(known) : TG_DIGITS_MAX;
}
