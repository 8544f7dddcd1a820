/* The lifecycle: what two successive sets of positions, and the deals between them, say that
 * happened. */
#pragma once

#include "model/account.h"

/* How many times the suspect polls an absence is held against which something speaks. */
#define TG_PATIENCE 10

/* Appends a moment to the account's list of this poll; blank but for its kind. NULL without memory.
 */
struct tg_moment *tg_moment_add(struct tg_account *account, int kind);

/* Compares the account's positions with the records' and the deals, appends the moments in the
 * order in which they are to be told, and leaves the new set (suspects included) in
 * `account->positions_was`, which the caller swaps. `mono_ms` is the time of this poll. Within a
 * poll: deals and balance operations, positions opened and closed between the polls, closes,
 * modifications, opens. 0, or -TG_ENOMEM and the account knows what it knew before. */
int tg_lifecycle_run(struct tg_account *account, const struct tg_records *records,
                     const struct tg_account_policy *policy, int64_t mono_ms);

/* The bits of the position fields whose change is a modification; the others (price, profit, swap,
 * …) only follow the market. */
uint64_t tg_lifecycle_fields(void);
