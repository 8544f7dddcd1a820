/* A set of rows that a poll may hold is one line here; writing, reading and copying follow it. */
#include "record/part.h"

#include "base/err.h"
#include "record/varint.h"

#include <stdlib.h>
#include <string.h>

#define PART(entity, key, rows)                                                                \
    {                                                                                          \
#rows, &tg_##entity##_entity, offsetof(struct tgl_##entity, key),                      \
            offsetof(struct tg_records, rows), offsetof(struct tg_records, rows##_count),      \
            offsetof(struct tg_records, rows##_cap), offsetof(struct tg_records, rows##_known) \
    }

const struct tg_part tg_parts[] = {
    PART(position, position_id, positions),
    PART(order, ticket, orders),
    PART(order, ticket, history),
    PART(deal, ticket, deals),
};
const int tg_parts_count = sizeof tg_parts / sizeof *tg_parts;

_Static_assert(sizeof tg_parts / sizeof *tg_parts <= TG_PARTS_MAX, "one bit a part");

int tg_part_reserve(const struct tg_part *part, struct tg_records *records, uint32_t count)
{
    uint32_t *cap = (uint32_t *)(void *)((char *)records + part->cap);
    if (*cap >= count) return 0;
    void *rows = realloc(tg_part_rows(part, records), count * (size_t)part->entity->size);
    if (!rows) return -TG_ENOMEM;
    memcpy((char *)records + part->rows, &rows, sizeof rows);
    *cap = count;
    return 0;
}

int tg_part_copy(const struct tg_part *part, struct tg_records *into, const struct tg_records *from)
{
    uint32_t count;
    memcpy(&count, (const char *)from + part->count, sizeof count);
    if (tg_part_reserve(part, into, count)) return -TG_ENOMEM;
    if (count)
        memcpy(tg_part_rows(part, into), tg_part_rows(part, from),
               count * (size_t)part->entity->size);
    *tg_part_count(part, into) = count;
    return 0;
}

size_t tg_part_worst(const struct tg_entity *entity)
{
    return entity->size + (size_t)entity->count * (TG_VARINT_MAX + 1) + 3 * TG_VARINT_MAX;
}
