/* Services list a closed trade some polls after the positions show it. By then its part of the
 * volume was told as closed, marked as estimated; the late deal is told as a deal and used up here.
 * Without this it would lie around untold, and the first time the rest of the position is missing
 * from an incomplete answer it would be taken for the proof that this rest was closed. */
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

static void drop(struct tg_debts *debts, uint32_t i)
{
    debts->count--;
    memmove(&debts->rows[i], &debts->rows[i + 1], (debts->count - i) * sizeof *debts->rows);
}

void tg_debts_owe(struct tg_debts *debts, uint64_t position_id, int64_t lots, int64_t now_ms)
{
    if (debts->count >= TG_DEBTS_KEPT) drop(debts, 0);
    tg_must(debts->count < debts->cap);
    debts->rows[debts->count++] = (struct tg_debt){position_id, lots, now_ms};
}

bool tg_debts_pay(struct tg_debts *debts, uint64_t position_id, int64_t lots)
{
    int64_t owed = 0, left = lots;
    for (uint32_t i = 0; i < debts->count; i++)
        if (debts->rows[i].position_id == position_id) owed += debts->rows[i].lots;
    if (!owed || owed < lots) return false;
    if (!lots) left = owed;
    for (uint32_t i = 0; i < debts->count && left;) {
        struct tg_debt *row = &debts->rows[i];
        int64_t part = row->position_id != position_id ? 0 : row->lots < left ? row->lots : left;
        row->lots -= part;
        left -= part;
        if (row->lots)
            i++;
        else
            drop(debts, i);
    }
    return true;
}
