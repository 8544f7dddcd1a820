/* A deal is known by what it is, not by its ticket alone: services that list closed trades give the
 * position's ticket to each part of a position that was closed in parts. The memory is a plain
 * array scanned backwards, because it is asked only when something closed and the answer is nearly
 * always among the newest. */
#include "model/deals.h"

#include "base/decimal.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void tg_deals_fini(struct tg_deals *deals)
{
    free(deals->keys);
    *deals = (struct tg_deals){0};
}

/* SplitMix64's finaliser over the fields that tell deals apart. Each is mixed in by itself: tickets
 * and identifiers are neighbours, and two that are merely combined are often alike. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

uint64_t tg_deal_key(const struct tgl_deal *deal)
{
    uint64_t hash = mix(mix(0, deal->ticket), deal->position_id);
    hash = mix(hash, (uint64_t)deal->time);
    hash = mix(hash, (uint64_t)deal->entry * 31 + (uint64_t)deal->action);
    return mix(hash, (uint64_t)tg_scaled(deal->volume, 8));
}

static bool has(const struct tg_deals *deals, uint64_t key)
{
    for (uint32_t i = deals->count; i-- > 0;)
        if (deals->keys[i] == key) return true;
    return false;
}

bool tg_deals_seen(const struct tg_deals *deals, const struct tgl_deal *deal)
{
    return has(deals, tg_deal_key(deal));
}

int tg_deals_reserve(struct tg_deals *deals, uint32_t more)
{
    if (deals->count > TG_DEALS_KEPT) {
        uint32_t old = deals->count - TG_DEALS_KEPT;
        memmove(deals->keys, deals->keys + old, TG_DEALS_KEPT * sizeof *deals->keys);
        deals->count = TG_DEALS_KEPT;
    }
    if (deals->cap - deals->count >= more) return 0;
    uint32_t cap = deals->count + (more > deals->count ? more : deals->count);
    uint64_t *keys = realloc(deals->keys, cap * sizeof *keys);
    if (!keys) return -TG_ENOMEM;
    deals->keys = keys;
    deals->cap = cap;
    return 0;
}

static void push(struct tg_deals *deals, uint64_t key)
{
    if (has(deals, key)) return;
    tg_must(deals->count < deals->cap);
    deals->keys[deals->count++] = key;
}

void tg_deals_remember(struct tg_deals *deals, const struct tgl_deal *deal)
{
    push(deals, tg_deal_key(deal));
}

void tg_deals_join(struct tg_deals *into, struct tg_deals *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        push(into, from->keys[i]);
    from->count = 0;
}

/* Not a key that a deal could have but by chance, like any two of them. */
static uint64_t grave_of(uint64_t position_id)
{
    return mix(UINT64_MAX, position_id);
}

void tg_deals_bury(struct tg_deals *deals, uint64_t position_id)
{
    push(deals, grave_of(position_id));
}

bool tg_deals_buried(const struct tg_deals *deals, uint64_t position_id)
{
    return has(deals, grave_of(position_id));
}

static int by_time(const void *a, const void *b)
{
    const struct tgl_deal *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->ticket != y->ticket) return x->ticket < y->ticket ? -1 : 1;
    uint64_t one = tg_deal_key(x), other = tg_deal_key(y);
    return (one > other) - (one < other);
}

void tg_deals_arrange(struct tg_records *records)
{
    struct tgl_deal *rows = records->deals;
    uint32_t n = records->deals_count, kept = 0;
    if (n) qsort(rows, n, sizeof *rows, by_time);
    for (uint32_t i = 0; i < n; i++)
        if (!kept || tg_deal_key(&rows[i]) != tg_deal_key(&rows[kept - 1])) rows[kept++] = rows[i];
    records->deals_count = kept;
}

static double known(double value)
{
    return isnan(value) ? 0 : value;
}

void tg_closing_add(struct tg_closing *closing, const struct tgl_deal *deal, double closed)
{
    bool opens = deal->entry == TG_ENTRY_IN || deal->entry == TG_ENTRY_INOUT;
    closing->commission += known(deal->commission);
    closing->fee += known(deal->fee);
    closing->profit += known(deal->profit);
    closing->swap += known(deal->swap);
    if (opens && !closing->entry) closing->entry = deal;
    closing->ins += opens;
    if (deal->entry == TG_ENTRY_IN) return;
    closing->outs++;
    closing->volume += closed;
    if (!isnan(deal->price) && closed > 0) {
        double before = closing->weight > 0 ? closing->price * closing->weight : 0;
        closing->weight += closed;
        closing->price = (before + deal->price * closed) / closing->weight;
    }
    if (!isnan(deal->price_position)) closing->price_open = deal->price_position;
    if (deal->time_open) closing->time_open = deal->time_open;
    if (deal->time < closing->time) return;
    closing->time = deal->time;
    closing->reason = deal->reason;
    closing->exit = deal;
}
