/* Heirlooms: positions that were open before the account was first seen. Parts of them may have
 * been closed before, so only deals made since then are evidence. */
#pragma once

#include "model/record.h"

struct tg_heirloom {
    uint64_t id;
    int64_t since_ms; /* UTC, by the source's clock */
};

/* Sorted by identifier. Zero-initialise. */
struct tg_heirlooms {
    struct tg_heirloom *rows;
    uint32_t count, cap;
};

void tg_heirlooms_fini(struct tg_heirlooms *heirlooms);

const struct tg_heirloom *tg_heirlooms_find(const struct tg_heirlooms *heirlooms, uint64_t id);

/* Makes room for so many more. 0 or -TG_ENOMEM. */
int tg_heirlooms_reserve(struct tg_heirlooms *heirlooms, uint32_t more);

/* Adds one that is not there; needs the room of one row. */
void tg_heirlooms_add(struct tg_heirlooms *heirlooms, struct tg_heirloom heirloom);

/* From when on a deal is news of a position that was there when the account was first seen at
 * `begun_ms`: since then, and since its volume last moved. Without a clock of the source's own
 * (`clock`) that moment's place in its time is known to a minute only. */
int64_t tg_heirloom_since(const struct tgl_position *position, int64_t begun_ms, bool clock);
