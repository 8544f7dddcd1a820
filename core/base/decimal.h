/* Decimal quantities: doubles that are compared and printed as the scaled integers they stand for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TG_DIGITS_MAX 8

/* `value` × 10^digits rounded half away from zero, saturating at ±INT64_MAX; 0 for NaN. `digits` is
 * clamped to 0…TG_DIGITS_MAX. */
int64_t tg_scaled(double value, int digits);

/* Whether tg_scaled holds the value without saturating; false for NaN and infinities. */
bool tg_scalable(double value, int digits);

/* Whether two quantities are the same at that many decimals. NaN (not known) equals only NaN. */
bool tg_same(double a, double b, int digits);

/* `value` rounded to that many decimals. */
double tg_round(double value, int digits);

#define TG_DECIMAL_SIZE 32

/* Writes a scaled integer with its decimal point ("-0.05" for -5 and 2) and returns the length. No
 * NUL. `-0` is never written. */
int tg_decimal_write(char out[TG_DECIMAL_SIZE], int64_t scaled, int digits);

/* Decimals that the text of a JSON number shows ("1.0850" → 4, "1e-5" → 5), at most TG_DIGITS_MAX.
 */
int tg_decimals_of(const char *text, int len);
