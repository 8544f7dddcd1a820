/* "Not known" has its own value in every kind, and a blank record is made of nothing else: a source
 * that leaves a field out can then never be mistaken for one that said zero. */
#include "model/record.h"

#include "model/field.h"

#include <stdlib.h>
#include <string.h>

/* A field's "not known". VOLUME has none: a position without a volume is no position. */
void tg_entity_blank(const struct tg_entity *entity, void *record)
{
    memset(record, 0, entity->size);
    for (int i = 0; i < entity->count; i++) {
        const struct tg_field *field = &entity->fields[i];
        char *at = (char *)record + field->offset;
        const double unknown = NAN;
        const int32_t nowhere = INT32_MIN;
        if (field->kind == TG_KIND_MONEY || field->kind == TG_KIND_PERCENT ||
            field->kind == TG_KIND_PRICE)
            memcpy(at, &unknown, sizeof unknown);
        if (field->kind == TG_KIND_BOOL) memset(at, 0xff, sizeof(int32_t));
        if (field->kind == TG_KIND_OFFSET) memcpy(at, &nowhere, sizeof nowhere);
    }
    int32_t two = 2;
    memcpy((char *)record + entity->currency_digits, &two, sizeof two);
}

void tg_account_blank(struct tgl_account *account)
{
    tg_entity_blank(&tg_account_entity, account);
}

void tg_position_blank(struct tgl_position *position)
{
    tg_entity_blank(&tg_position_entity, position);
}

void tg_order_blank(struct tgl_order *order)
{
    tg_entity_blank(&tg_order_entity, order);
}

void tg_deal_blank(struct tgl_deal *deal)
{
    tg_entity_blank(&tg_deal_entity, deal);
}

void tg_moment_blank(struct tgl_moment *moment)
{
    tg_entity_blank(&tg_moment_entity, moment);
}

void tg_records_clear(struct tg_records *records)
{
    records->account_known = records->positions_known = records->deals_known = false;
    records->orders_known = records->history_known = false;
    records->account_fields = 0;
    records->positions_count = records->deals_count = 0;
    records->orders_count = records->history_count = 0;
    records->source_time_ms = 0;
    tg_account_blank(&records->account);
}

void tg_records_fini(struct tg_records *records)
{
    free(records->positions);
    free(records->orders);
    free(records->history);
    free(records->deals);
    *records = (struct tg_records){0};
}

/* Makes room for one more row of `size` bytes; NULL when memory is short. */
static void *grow(void *rows, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap) return rows;
    uint32_t wide = *cap ? *cap * 2 : 8;
    void *wider = realloc(rows, wide * size);
    if (wider) *cap = wide;
    return wider;
}

struct tgl_position *tg_records_add_position(struct tg_records *records)
{
    struct tgl_position *rows =
        grow(records->positions, records->positions_count, &records->positions_cap, sizeof *rows);
    if (!rows) return NULL;
    records->positions = rows;
    tg_position_blank(&rows[records->positions_count]);
    return &rows[records->positions_count++];
}

struct tgl_order *tg_records_add_order(struct tg_records *records)
{
    struct tgl_order *rows =
        grow(records->orders, records->orders_count, &records->orders_cap, sizeof *rows);
    if (!rows) return NULL;
    records->orders = rows;
    tg_order_blank(&rows[records->orders_count]);
    return &rows[records->orders_count++];
}

struct tgl_order *tg_records_add_history(struct tg_records *records)
{
    struct tgl_order *rows =
        grow(records->history, records->history_count, &records->history_cap, sizeof *rows);
    if (!rows) return NULL;
    records->history = rows;
    tg_order_blank(&rows[records->history_count]);
    return &rows[records->history_count++];
}

struct tgl_deal *tg_records_add_deal(struct tg_records *records)
{
    struct tgl_deal *rows =
        grow(records->deals, records->deals_count, &records->deals_cap, sizeof *rows);
    if (!rows) return NULL;
    records->deals = rows;
    tg_deal_blank(&rows[records->deals_count]);
    return &rows[records->deals_count++];
}
