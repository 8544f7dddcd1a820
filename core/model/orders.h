/* Pending orders: what two successive sets of them, the order history and the deals say happened.
 */
#pragma once

#include "model/account.h"

/* Sorts the records' pending orders and their history by ticket, and drops from the former market
 * orders, which wait for nothing, from the latter rows that repeat.
 * -TG_EINVAL when one has no ticket or two have the same. */
int tg_orders_arrange(struct tg_records *records);

/* Whether an order has gone, or another part of one is filled, and the history can say why. */
bool tg_orders_want_history(const struct tg_account *account, const struct tg_records *records);

/* Compares the account's pending orders with the records', appends the moments (removed, modified,
 * placed; those that came and went between two polls first) and leaves the new set in
 * `account->orders_was`. Nothing else of the account moves before tg_orders_take. Records must be
 * arranged. 0, or -TG_ENOMEM. */
int tg_orders_run(struct tg_account *account, const struct tg_records *records,
                  const struct tg_account_policy *policy);

/* Takes over what tg_orders_run left, and remembers what its moments told as removed. Cannot fail.
 */
void tg_orders_take(struct tg_account *account);

/* The order of that ticket in a sorted set, or NULL. */
const struct tgl_order *tg_orders_find(const struct tg_orders *orders, uint64_t ticket);
