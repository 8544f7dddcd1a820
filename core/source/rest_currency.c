/* Only the currencies that do not have two decimals; all others are the caller's default. */
#include "source/rest_currency.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *code;
    int digits;
} unusual[] = {
    {"BHD", 3}, {"BIF", 0}, {"BTC", 8}, {"CLP", 0}, {"DJF", 0}, {"ETH", 8}, {"GNF", 0},
    {"IQD", 3}, {"ISK", 0}, {"JOD", 3}, {"JPY", 0}, {"KMF", 0}, {"KRW", 0}, {"KWD", 3},
    {"LTC", 8}, {"LYD", 3}, {"OMR", 3}, {"PYG", 0}, {"RWF", 0}, {"TND", 3}, {"UGX", 0},
    {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0},
};

int tg_rest_currency_digits(const char *code, int otherwise)
{
    for (size_t i = 0; i < sizeof unusual / sizeof *unusual; i++)
        if (!strcmp(code, unusual[i].code)) return unusual[i].digits;
    return otherwise;
}
