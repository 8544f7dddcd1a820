/* A history: the newest ordered events of one account, bounded by count and age. */
#pragma once

#include "base/blob.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_history_entry {
    struct tg_blob *frame; /* as it was sent */
    uint64_t seq;
    int64_t at_ms;
};

/* Embed it. The ring grows as events come and never beyond `max_events`. */
struct tg_history {
    struct tg_history_entry *ring;
    uint32_t head, count, cap;
    uint32_t max_events;
    int64_t max_age_ms;
    uint64_t newest; /* seq of the newest event ever added, 0 = none */
};

/* An empty history; 0 events keeps nothing. */
void tg_history_init(struct tg_history *history, uint32_t max_events, int64_t max_age_ms);
void tg_history_fini(struct tg_history *history);

/* Adds event `seq`, which is one more than the newest, and takes a reference of its frame. When
 * memory is short everything before `seq` and the event itself are forgotten: a log that is too
 * short says so, one with a hole would lie. */
void tg_history_add(struct tg_history *history, uint64_t seq, struct tg_blob *frame,
                    int64_t now_ms);

/* Forgets what is older than the bound (monotonic ms). */
void tg_history_expire(struct tg_history *history, int64_t now_ms);

/* Forgets everything; the next event is seq 1 again. */
void tg_history_reset(struct tg_history *history);

/* Whether every event after `since` is still here (also true when there was none after it); false
 * for a `since` that has not happened yet. Call tg_history_expire before it. */
bool tg_history_covers(const struct tg_history *history, uint64_t since);

/* The event `seq`, or NULL when it is not here. Borrowed, until the history changes. */
const struct tg_history_entry *tg_history_at(const struct tg_history *history, uint64_t seq);
