/* A currency: how many decimals its amounts have. */
#pragma once

/* Decimals of an amount in that currency (ISO 4217's minor unit, and the usual ones of coins that
 * brokers keep accounts in); `otherwise` for one that is not known here. */
int tg_rest_currency_digits(const char *code, int otherwise);
