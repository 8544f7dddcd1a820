/* Few deals ever wait, and not for long: a plain array. */
#include "model/waits.h"

#include "base/err.h"

#include <stdlib.h>

void tg_waits_fini(struct tg_waits *waits)
{
    free(waits->rows);
    *waits = (struct tg_waits){0};
}

const struct tg_wait *tg_waits_find(const struct tg_waits *waits, const struct tgl_deal *deal)
{
    uint64_t key = waits->count ? tg_deal_key(deal) : 0;
    for (uint32_t i = 0; i < waits->count; i++)
        if (waits->rows[i].key == key) return &waits->rows[i];
    return NULL;
}

int tg_waits_reserve(struct tg_waits *waits, uint32_t count)
{
    waits->count = 0;
    if (waits->cap >= count) return 0;
    struct tg_wait *rows = realloc(waits->rows, count * sizeof *rows);
    if (!rows) return -TG_ENOMEM;
    waits->rows = rows;
    waits->cap = count;
    return 0;
}

void tg_waits_add(struct tg_waits *waits, const struct tgl_deal *deal, int64_t since_ms)
{
    tg_must(waits->count < waits->cap);
    waits->rows[waits->count++] = (struct tg_wait){tg_deal_key(deal), deal->time, since_ms};
}

int64_t tg_waits_oldest(const struct tg_waits *waits)
{
    int64_t oldest = INT64_MAX;
    for (uint32_t i = 0; i < waits->count; i++)
        if (waits->rows[i].time_ms && waits->rows[i].time_ms < oldest)
            oldest = waits->rows[i].time_ms;
    return oldest;
}
