/* What records must have to be believed, whoever mapped them. */
#pragma once

#include "model/record.h"
#include "source/rest_error.h"
#include "source/rest_map.h"
#include "source/rest_read.h"

/* Rows as they come: 0, or -TG_EPROTO with a verdict that names part, row (from 0) and what is
 * missing. A position without an identifier gets its ticket; a deal that closes gets its closed
 * volume. */
int tg_rest_check_position(struct tgl_position *position, uint32_t row, struct tg_rest_verdict *v);
int tg_rest_check_order(struct tgl_order *order, uint32_t row, struct tg_rest_verdict *v);
int tg_rest_check_deal(struct tgl_deal *deal, uint32_t row, struct tg_rest_verdict *v);

/* Remembers a row's decimals for its symbol: those it gave, or the most that its prices show. */
void tg_rest_check_learn(struct tg_rest_map *map, const struct tg_entity *entity, void *record,
                         const struct tg_rest_given *given);

/* A part when all its rows are there: decimals are settled, and the part becomes known. Positions
 * may not share an identifier, nor orders a ticket. 0, or -TG_EPROTO with the verdict. */
int tg_rest_check_positions(struct tg_rest_map *map, struct tg_records *records,
                            struct tg_rest_verdict *v);
int tg_rest_check_orders(struct tg_rest_map *map, struct tg_records *records,
                         struct tg_rest_verdict *v);
void tg_rest_check_history(struct tg_rest_map *map, struct tg_records *records);
void tg_rest_check_deals(struct tg_rest_map *map, struct tg_records *records);

/* The account, of which `given` was read: it needs balance and equity; a margin level that is not
 * told while no margin is used is 0; the currency's decimals reach the rows that are there. */
int tg_rest_check_account(struct tg_rest_map *map, const char *account_id,
                          const struct tg_rest_given *given, struct tg_records *records,
                          struct tg_rest_verdict *v);
