/* A deal is known by what it is, not by its ticket alone: services that list closed trades give the
 * position's ticket to each part of a position that was closed in parts. The memory is a plain
 * array scanned backwards, because it is asked only when something closed and the answer is nearly
 * always among the newest. */
#include "model/deals.h"

#include "base/decimal.h"
#include "base/err.h"

#include <string.h>

void tg_deals_fini(struct tg_deals *deals)
{
    free(deals->keys);
    *deals = (struct tg_deals){0};
}

/* SplitMix64's finaliser over the fields that tell deals apart. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

static uint64_t key_of(const struct tgl_deal *deal)
{
    uint64_t hash = mix(deal->ticket, deal->position_id);
    hash = mix(hash, (uint64_t)deal->time);
    hash = mix(hash, (uint64_t)deal->entry * 31 + (uint64_t)deal->action);
    return mix(hash, (uint64_t)tg_scaled(deal->volume, 8));
}

bool tg_deals_seen(const struct tg_deals *deals, const struct tgl_deal *deal)
{
    uint64_t key = key_of(deal);
    for (uint32_t i = deals->count; i-- > 0;)
        if (deals->keys[i] == key) return true;
    return false;
}

int tg_deals_remember(struct tg_deals *deals, const struct tgl_deal *deal)
{
    if (tg_deals_seen(deals, deal)) return 0;
    if (deals->count >= TG_DEALS_KEPT) {
        deals->count = TG_DEALS_KEPT / 2;
        memmove(deals->keys, deals->keys + TG_DEALS_KEPT / 2, deals->count * sizeof *deals->keys);
    }
    if (deals->count == deals->cap) {
        uint32_t cap = deals->cap ? deals->cap * 2 : 16;
        uint64_t *keys = realloc(deals->keys, cap * sizeof *keys);
        if (!keys) return -TG_ENOMEM;
        deals->keys = keys;
        deals->cap = cap;
    }
    deals->keys[deals->count++] = key_of(deal);
    return 0;
}

/* What part of a deal closed something: all of OUT and OUT_BY, the told part of INOUT. */
static double closed_volume(const struct tgl_deal *deal)
{
    if (deal->entry == TG_ENTRY_OUT || deal->entry == TG_ENTRY_OUT_BY) return deal->volume;
    return deal->entry == TG_ENTRY_INOUT ? deal->volume_closed : 0;
}

static double known(double value)
{
    return isnan(value) ? 0 : value;
}

void tg_closing_of(struct tg_closing *closing, const struct tg_records *records,
                   const struct tg_deals *told, uint64_t position_id, int64_t since_ms)
{
    double weighted = 0, weight = 0;
    *closing = (struct tg_closing){.price = NAN, .price_open = NAN};
    for (uint32_t i = 0; records->deals_known && i < records->deals_count; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        if (deal->position_id != position_id || (deal->time && deal->time < since_ms)) continue;
        if (tg_deals_seen(told, deal)) continue;
        closing->commission += known(deal->commission);
        closing->fee += known(deal->fee);
        if (deal->entry == TG_ENTRY_IN) {
            closing->volume_in += deal->volume;
            if (!closing->entry) closing->entry = deal;
            continue;
        }
        if (deal->entry == TG_ENTRY_UNKNOWN) continue;
        closing->volume += closed_volume(deal);
        closing->profit += known(deal->profit);
        closing->swap += known(deal->swap);
        if (!isnan(deal->price)) {
            double part = closed_volume(deal) > 0 ? closed_volume(deal) : deal->volume;
            weighted += deal->price * part;
            weight += part;
        }
        if (!isnan(deal->price_position)) closing->price_open = deal->price_position;
        if (deal->time_open) closing->time_open = deal->time_open;
        if (deal->time >= closing->time) {
            closing->time = deal->time;
            closing->reason = deal->reason;
            closing->exit = deal;
        }
    }
    if (weight > 0) closing->price = weighted / weight;
}
