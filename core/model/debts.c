/* A position is told as opened when it is seen, and a close that no deal would confirm is told as
 * estimated; the deals of both may be listed later. They are told as deals then, and used up here.
 * Without this they would lie around as evidence, and the first time the position is missing from
 * an incomplete answer they would be taken for the proof that it was closed. */
#include "model/debts.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void tg_debts_fini(struct tg_debts *debts)
{
    free(debts->rows);
    *debts = (struct tg_debts){0};
}

int tg_debts_copy(struct tg_debts *into, const struct tg_debts *from, uint32_t more, int64_t now_ms)
{
    uint32_t room = from->count + more;
    if (into->cap < room) {
        struct tg_debt *rows = realloc(into->rows, room * sizeof *rows);
        if (!rows) return -TG_ENOMEM;
        into->rows = rows;
        into->cap = room;
    }
    into->count = 0;
    for (uint32_t i = 0; i < from->count; i++)
        if (now_ms - from->rows[i].owed_ms <= TG_DEBTS_MS)
            into->rows[into->count++] = from->rows[i];
    return 0;
}

const struct tg_debt *tg_debts_find(const struct tg_debts *debts, uint64_t position_id)
{
    for (uint32_t i = 0; i < debts->count; i++)
        if (debts->rows[i].position_id == position_id) return &debts->rows[i];
    return NULL;
}

static void drop(struct tg_debts *debts, uint32_t i)
{
    debts->count--;
    memmove(&debts->rows[i], &debts->rows[i + 1], (debts->count - i) * sizeof *debts->rows);
}

void tg_debts_owe(struct tg_debts *debts, const struct tg_debt *debt)
{
    const struct tg_debt *row = tg_debts_find(debts, debt->position_id);
    struct tg_debt sum = *debt;
    if (row) {
        sum.lots += row->lots;
        sum.deals += row->deals;
        if (row->told_ms > sum.told_ms) sum.told_ms = row->told_ms;
    }
    tg_debts_pay(debts, debt->position_id);
    if (debts->count >= TG_DEBTS_KEPT) drop(debts, 0);
    tg_must(debts->count < debts->cap);
    debts->rows[debts->count++] = sum;
}

void tg_debts_pay(struct tg_debts *debts, uint64_t position_id)
{
    const struct tg_debt *row = tg_debts_find(debts, position_id);
    if (row) drop(debts, (uint32_t)(row - debts->rows));
}
