/* The inside of the scheduler, shared by its beats, its routes and what it makes of polls. */
#pragma once

#include "app/scheduler.h"

struct tg_scheduler {
    struct tg_scheduler_options options;
    struct tg_upstream nowhere;
    uint32_t watches_count, generation;
    struct tg_map watches;
    struct tg_rng rng;
    int64_t patient_ms; /* no poll is called overdue before this: we stood still */
};

static inline int64_t tg_scheduler_now(const struct tg_scheduler *scheduler)
{
    return tg_mono_ms(scheduler->options.clock);
}

/* ---- beats (scheduler.c) ---- */

/* When the account's next beat after a time is. */
int64_t tg_watch_next_beat(const struct tg_watch *watch, int64_t after_ms);

/* Sets when the account is looked at next. */
void tg_watch_schedule(struct tg_watch *watch, int64_t at_ms);

/* ---- what a watch is worth (scheduler_state.c) ---- */

void tg_watch_set_state(struct tg_watch *watch, enum tg_source_state state);
void tg_watch_set_unknown(struct tg_watch *watch, bool unknown);

/* The poll has failed, or was held back: counts, tells, and plans the next one. */
void tg_watch_failed(struct tg_watch *watch, enum tg_poll_end end, const char *code,
                     const char *message, int64_t retry_after_ms);

/* The poll was good: takes its records in, and tells what that makes of the account. */
void tg_watch_good(struct tg_watch *watch);

/* A poll still runs: what clients see ages all the same. */
void tg_watch_overdue(struct tg_watch *watch);

/* How fast the account may be polled: its source's pace, or its own where the source has none. */
const struct tg_pace *tg_watch_pace(const struct tg_watch *watch);

/* ---- where a watch is polled (scheduler_route.c) ---- */

enum tg_way {
    TG_WAY_SAME,  /* where it was */
    TG_WAY_MOVED, /* somewhere else: what a poll brings from where it was is worth nothing now */
    TG_WAY_NONE,  /* nowhere, which has been told */
};

void tg_watch_enter(struct tg_watch *watch, struct tg_upstream *upstream);
void tg_watch_give_up_poll(struct tg_watch *watch);

/* Looks the account up when that is due. */
enum tg_way tg_watch_route(struct tg_watch *watch);
