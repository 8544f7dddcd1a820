/* Debts: volumes that were told before the deals that made them were listed. */
#pragma once

#include <stdint.h>

/* Lots are signed and at eight decimals: buys are positive. */
struct tg_debt {
    uint64_t position_id;
    int64_t lots;    /* what was told beyond what the deals say; 0: an opening and its close */
    int64_t owed_ms; /* since when, on the monotonic clock */
    int64_t seen_ms; /* when the position was last seen as it was told before, UTC; 0 = not known */
    int64_t told_ms; /* what was told as estimated stands for all that was made before, UTC; 0 */
    uint32_t deals;  /* how many are expected: one for each thing that was told without */
};

/* Oldest first, one row a position. Zero-initialise. */
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

/* What is owed for a position, or NULL. */
const struct tg_debt *tg_debts_find(const struct tg_debts *debts, uint64_t position_id);

/* Owes the lots of a debt more. One of the opposite sign cancels the lots, not the deals: of what
 * was opened and closed without deals, both are owed. Needs the room of one row. */
void tg_debts_owe(struct tg_debts *debts, const struct tg_debt *debt);

/* The deals have come: nothing is owed any more. (What stands for all that was made before a time
 * is owed anew for as long as it was.) */
void tg_debts_pay(struct tg_debts *debts, uint64_t position_id);
