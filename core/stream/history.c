/* What a client that comes back may ask for. Sequence numbers are dense, so the ring needs no
 * search: the place of an event is its distance from the oldest one, and "is all of it here" is one
 * comparison. What would break it is an event that is numbered and not added; therefore a failed
 * allocation empties the ring instead of skipping the event.
 *
 * Frames are shared with the clients' queues, so an event that everybody has received costs one
 * reference here and no copy. */
#include "stream/history.h"

#include "base/err.h"

#include <string.h>

#define FIRST_CAP 8

void tg_history_init(struct tg_history *history, uint32_t max_events, int64_t max_age_ms)
{
    *history = (struct tg_history){.max_events = max_events, .max_age_ms = max_age_ms};
}

static struct tg_history_entry *entry(const struct tg_history *history, uint32_t i)
{
    return &history->ring[(history->head + i) % history->cap];
}

static void drop_oldest(struct tg_history *history)
{
    tg_blob_unref(entry(history, 0)->frame);
    history->head = (history->head + 1) % history->cap;
    history->count--;
}

/* Drops all entries and the ring's memory. */
static void empty(struct tg_history *history)
{
    while (history->count)
        drop_oldest(history);
    free(history->ring);
    history->ring = NULL;
    history->head = history->cap = 0;
}

void tg_history_fini(struct tg_history *history)
{
    empty(history);
}

void tg_history_reset(struct tg_history *history)
{
    empty(history);
    history->newest = 0;
}

static int grow(struct tg_history *history)
{
    uint32_t cap = history->cap ? history->cap : FIRST_CAP / 2;
    cap = cap > history->max_events / 2 ? history->max_events : cap * 2;
    struct tg_history_entry *ring = malloc(cap * sizeof *ring);
    if (!ring) return -TG_ENOMEM;
    for (uint32_t i = 0; i < history->count; i++)
        ring[i] = *entry(history, i);
    free(history->ring);
    history->ring = ring;
    history->cap = cap;
    history->head = 0;
    return 0;
}

void tg_history_add(struct tg_history *history, uint64_t seq, struct tg_blob *frame, int64_t now_ms)
{
    tg_must(seq == history->newest + 1);
    history->newest = seq;
    tg_history_expire(history, now_ms);
    if (!history->max_events) return;
    if (history->count == history->max_events) drop_oldest(history);
    if (history->count == history->cap && grow(history)) {
        empty(history);
        return;
    }
    *entry(history, history->count) = (struct tg_history_entry){tg_blob_ref(frame), seq, now_ms};
    history->count++;
}

void tg_history_expire(struct tg_history *history, int64_t now_ms)
{
    while (history->count && now_ms - entry(history, 0)->at_ms > history->max_age_ms)
        drop_oldest(history);
    if (!history->count && history->ring) empty(history);
}

bool tg_history_covers(const struct tg_history *history, uint64_t since)
{
    return since <= history->newest && history->newest - since <= history->count;
}

const struct tg_history_entry *tg_history_at(const struct tg_history *history, uint64_t seq)
{
    if (seq > history->newest || history->newest - seq >= history->count) return NULL;
    return entry(history, history->count - 1 - (uint32_t)(history->newest - seq));
}
