/* A row on tape: what of a record differs from the record before it, and nothing else. */
#pragma once

#include "record/layout.h"

/* Writes at `at`, where tg_part_worst bytes are free, which fields of `row` differ from `base` and
 * what they are; gives the place behind it. */
unsigned char *tg_row_put(unsigned char *at, const struct tg_entity *entity, const void *base,
                          const void *row);

/* Reads one: `row` holds the base and becomes what was written. NULL: reads over it. What is not a
 * row sets `in->bad`. */
void tg_row_get(struct tg_bytes *in, const struct tg_layout_entity *entity, void *row);

/* The file's bits of fields as ours. */
uint64_t tg_row_bits(const struct tg_layout_entity *entity, uint64_t bits);
