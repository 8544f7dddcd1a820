/* Rows: finding one by its identifier. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The row with `id` at the offset `at`, among rows that are sorted by it, or NULL. */
const void *tg_rows_find(const void *rows, uint32_t count, size_t size, size_t at, uint64_t id);

/* The same for an array of structs whose identifier is the member `field`. */
#define TG_ROWS_FIND(rows, count, field, id) \
    tg_rows_find(rows, count, sizeof *(rows), offsetof(__typeof__(*(rows)), field), id)
