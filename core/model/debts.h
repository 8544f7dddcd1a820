/* Debts: volumes told as closed for which no deal was listed yet. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tg_debt {
    uint64_t position_id;
    int64_t lots;    /* at eight decimals (tg_scaled) */
    int64_t owed_ms; /* since when, on the monotonic clock */
};

/* Oldest first. Zero-initialise. */
struct tg_debts {
    struct tg_debt *rows;
    uint32_t count, cap;
};

/* How long a deal is waited for, and for how many positions of one account. */
#define TG_DEBTS_MS 60000
#define TG_DEBTS_KEPT 256

void tg_debts_fini(struct tg_debts *debts);

/* Makes `into` what `from` still is at `now_ms`, with room for `more` rows. 0 or -TG_ENOMEM. */
int tg_debts_copy(struct tg_debts *into, const struct tg_debts *from, uint32_t more,
                  int64_t now_ms);

/* Owes a deal of so many lots (more than 0); needs the room of one row. */
void tg_debts_owe(struct tg_debts *debts, uint64_t position_id, int64_t lots, int64_t now_ms);

/* Pays with a deal that closed so many lots (0: not told, pays all). Whether the position owed that
 * much; if not, nothing is paid. */
bool tg_debts_pay(struct tg_debts *debts, uint64_t position_id, int64_t lots);
