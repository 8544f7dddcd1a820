/* The parts of a poll: the sets of rows that struct tg_records holds beside the account. */
#pragma once

#include "model/field.h"
#include "model/record.h"

/* One set: where it stands in the records, and which field tells its rows apart from poll to poll.
 */
struct tg_part {
    const char *name; /* as in struct tg_records */
    const struct tg_entity *entity;
    size_t key;                     /* offset of an ID field in a row */
    size_t rows, count, cap, known; /* offsets in struct tg_records */
};

extern const struct tg_part tg_parts[];
extern const int tg_parts_count;

#define TG_PARTS_MAX 8

/* The rows of a part. */
static inline char *tg_part_rows(const struct tg_part *part, const struct tg_records *records)
{
    char *rows;
    __builtin_memcpy(&rows, (const char *)records + part->rows, sizeof rows);
    return rows;
}

static inline uint32_t *tg_part_count(const struct tg_part *part, struct tg_records *records)
{
    return (uint32_t *)(void *)((char *)records + part->count);
}

static inline bool *tg_part_known(const struct tg_part *part, struct tg_records *records)
{
    return (bool *)(void *)((char *)records + part->known);
}

/* Makes room for so many rows; what is there stays. 0 or -TG_ENOMEM. */
int tg_part_reserve(const struct tg_part *part, struct tg_records *records, uint32_t count);

/* Makes `into` hold the rows of `from`. 0 or -TG_ENOMEM with `into` as it was. */
int tg_part_copy(const struct tg_part *part, struct tg_records *into,
                 const struct tg_records *from);

/* The most bytes that a row of this entity takes when it is written (row.h). */
size_t tg_part_worst(const struct tg_entity *entity);
