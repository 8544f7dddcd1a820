#include "model/heirlooms.h"

#include "base/err.h"
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000

void tg_heirlooms_fini(struct tg_heirlooms *heirlooms)
{
    free(heirlooms->rows);
    *heirlooms = (struct tg_heirlooms){0};
}

const struct tg_heirloom *tg_heirlooms_find(const struct tg_heirlooms *heirlooms, uint64_t id)
{
    return TG_ROWS_FIND(heirlooms->rows, heirlooms->count, id, id);
}

int tg_heirlooms_reserve(struct tg_heirlooms *heirlooms, uint32_t more)
{
    uint32_t room = heirlooms->count + more;
    if (heirlooms->cap >= room) return 0;
    struct tg_heirloom *rows = realloc(heirlooms->rows, room * sizeof *rows);
    if (!rows) return -TG_ENOMEM;
    heirlooms->rows = rows;
    heirlooms->cap = room;
    return 0;
}

void tg_heirlooms_add(struct tg_heirlooms *heirlooms, struct tg_heirloom heirloom)
{
    uint32_t at = heirlooms->count;
    tg_must(heirlooms->count < heirlooms->cap);
    while (at > 0 && heirlooms->rows[at - 1].id > heirloom.id)
        at--;
    memmove(&heirlooms->rows[at + 1], &heirlooms->rows[at],
            (heirlooms->count - at) * sizeof *heirlooms->rows);
    heirlooms->rows[at] = heirloom;
    heirlooms->count++;
}

int64_t tg_heirloom_since(const struct tgl_position *position, int64_t begun_ms, bool clock)
{
    int64_t moved_ms =
        position->time_update > position->time_open ? position->time_update : position->time_open;
    int64_t since = begun_ms - (clock ? begun_ms % 1000 : MINUTE_MS);
    return moved_ms >= since ? moved_ms + 1 : since;
}
