/* The counts live in the map's value pointers themselves: a busy gateway has as many names as
 * clients, and an allocation for each would double their price. */
#include "app/admission.h"

#include "base/err.h"

#include <string.h>

int tg_tally_of(const struct tg_tally *tally, const char *name)
{
    return (int)(intptr_t)tg_map_get(&tally->map, name, strlen(name));
}

int tg_tally_add(struct tg_tally *tally, const char *name)
{
    intptr_t count = tg_tally_of(tally, name);
    return tg_map_put(&tally->map, name, strlen(name), (void *)(count + 1), NULL);
}

void tg_tally_remove(struct tg_tally *tally, const char *name)
{
    intptr_t count = tg_tally_of(tally, name);
    tg_must(count > 0);
    if (count == 1)
        (void)tg_map_remove(&tally->map, name, strlen(name));
    else
        (void)tg_map_put(&tally->map, name, strlen(name), (void *)(count - 1), NULL);
}

void tg_tally_fini(struct tg_tally *tally)
{
    tg_map_fini(&tally->map);
}

bool tg_rate_pass(struct tg_rate *rate, int per_second, int64_t now_ms)
{
    int64_t full = (int64_t)per_second * 1000;
    if (!per_second) return true;
    if (!rate->begun || now_ms - rate->at_ms > 1000)
        rate->tokens_milli = full;
    else
        rate->tokens_milli += (now_ms - rate->at_ms) * per_second;
    rate->begun = true;
    rate->at_ms = now_ms;
    if (rate->tokens_milli > full) rate->tokens_milli = full;
    if (rate->tokens_milli < 1000) return false;
    rate->tokens_milli -= 1000;
    return true;
}
