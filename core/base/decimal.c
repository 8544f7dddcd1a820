/* Money in doubles is safe as long as nobody compares or prints the double itself: 15 digits hold
 * any balance exactly once rounded to its currency's decimals, and 0.1 + 0.2 becomes 30 at two. */
#include "base/decimal.h"

#include <math.h>
#include <string.h>

static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};

static int clamp(int digits)
{
    return digits < 0 ? 0 : digits > TG_DIGITS_MAX ? TG_DIGITS_MAX : digits;
}

bool tg_scalable(double value, int digits)
{
    return fabs(value) * powers[clamp(digits)] < 0x1p63;
}

int64_t tg_scaled(double value, int digits)
{
    double scaled = round(value * powers[clamp(digits)]);
    if (isnan(scaled)) return 0;
    if (scaled >= 0x1p63) return INT64_MAX;
    if (scaled <= -0x1p63) return -INT64_MAX;
    return (int64_t)scaled;
}

bool tg_same(double a, double b, int digits)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (!tg_scalable(a, digits) || !tg_scalable(b, digits)) return a == b;
    return tg_scaled(a, digits) == tg_scaled(b, digits);
}

/* From 2^52 units on a double has no finer part to round away. */
double tg_round(double value, int digits)
{
    double unit = powers[clamp(digits)];
    if (!isfinite(value) || fabs(value) * unit >= 0x1p52) return value;
    return (double)tg_scaled(value, digits) / unit;
}

int tg_decimal_write(char out[TG_DECIMAL_SIZE], int64_t scaled, int digits)
{
    char text[TG_DECIMAL_SIZE], *at = text + sizeof text;
    uint64_t size = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled;
    digits = clamp(digits);
    for (int i = 0; i < digits; i++, size /= 10)
        *--at = (char)('0' + size % 10);
    if (digits) *--at = '.';
    do {
        *--at = (char)('0' + size % 10);
    } while (size /= 10);
    if (scaled < 0) *--at = '-';
    int len = (int)(text + sizeof text - at);
    memcpy(out, at, (size_t)len);
    return len;
}

int tg_decimals_of(const char *text, int len)
{
    int decimals = 0, exponent = 0, sign = 1, i = 0;
    while (i < len && text[i] != '.' && text[i] != 'e' && text[i] != 'E')
        i++;
    if (i < len && text[i] == '.')
        for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++)
            decimals++;
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < len && (text[i] == '-' || text[i] == '+')) sign = text[i++] == '-' ? -1 : 1;
        for (; i < len && text[i] >= '0' && text[i] <= '9' && exponent < 1000; i++)
            exponent = exponent * 10 + (text[i] - '0');
    }
    return clamp(decimals - sign * exponent);
}
