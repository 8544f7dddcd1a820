/* The mapping of the MT5 REST service's documents to records. */
#pragma once

#include "model/record.h"
#include "source/rest_document.h"

/* Keeps what outlives a document: the decimals of symbols, and memory. One a source. */
struct tg_rest_map;

/* `currency_digits`: decimals of money where neither the document nor the currency tells. NULL when
 * memory is short. */
struct tg_rest_map *tg_rest_map_new(int currency_digits);
void tg_rest_map_free(struct tg_rest_map *map);

/* Maps one answer into the records. All or nothing: 0 and the part is known, or -TG_EPROTO, the
 * part is not known and the verdict says why. Call positions before info, info before history; each
 * may be called again and replaces its part.
 *
 * positions: `positions`, `data.positions` or `data` must be an array; each row needs a ticket, a
 * symbol, a side and a volume above 0; no two rows may share an identifier; a `count` or
 * `positions_count` beside the array must agree with it. */
int tg_rest_map_positions(struct tg_rest_map *map, const struct tg_rest_answer *answer,
                          const struct tg_rest_demand *demand, struct tg_records *records,
                          struct tg_rest_verdict *verdict);

/* info: the account stands in `data`, in `account_info` (also inside `data`) or at the top; balance
 * and equity are needed. A `positions_count` that disagrees with the known positions is left to the
 * caller: see tg_rest_map_agrees. */
int tg_rest_map_info(struct tg_rest_map *map, const struct tg_rest_answer *answer,
                     const struct tg_rest_demand *demand, struct tg_records *records,
                     struct tg_rest_verdict *verdict);

/* history: rows in `history`, `trades`, `deals` (also inside `data`) or `data` itself. A row with
 * an `entry` is a deal as MT5 keeps it. One without is a closed trade, and becomes the deal that
 * closed it: entry OUT, the opposite action, the close's price and time; its ticket is the
 * position's unless it names a `position_id`. A row that is neither (a trade still open) proves
 * nothing and is left out. */
int tg_rest_map_history(struct tg_rest_map *map, const struct tg_rest_answer *answer,
                        const struct tg_rest_demand *demand, struct tg_records *records,
                        struct tg_rest_verdict *verdict);

/* Whether the account's count of positions, where the service gave one, is that of the positions.
 * Where it gave none the count is set from them. */
bool tg_rest_map_agrees(struct tg_records *records);
