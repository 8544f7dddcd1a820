/* A hashed timer wheel: any number of deadlines behind one real timer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define TG_WHEEL_SLOTS 512

/* A deadline; embed it in what waits. `fire` runs once, with the timer already unlinked, so it may
 * set it again or free its owner. */
struct tg_timer {
    struct tg_list node;
    int64_t due_ms; /* on the monotonic clock */
    void (*fire)(struct tg_timer *timer, int64_t now_ms);
};

/* Deadlines are rounded up to the next multiple of `tick_ms`: never early, late by one tick at
 * most when tg_wheel_advance is called on time. */
struct tg_wheel {
    struct tg_list slots[TG_WHEEL_SLOTS];
    int64_t tick_ms;
    int64_t tick; /* the last tick that was run */
    uint64_t armed;
};

void tg_wheel_init(struct tg_wheel *wheel, int64_t tick_ms, int64_t now_ms);

/* Prepares a timer that is not running. */
void tg_timer_init(struct tg_timer *timer, void (*fire)(struct tg_timer *, int64_t now_ms));

/* Sets or moves a deadline; one in the past fires at the next advance. O(1). */
void tg_wheel_set(struct tg_wheel *wheel, struct tg_timer *timer, int64_t due_ms);

/* Stops a timer; harmless when it is not running. */
void tg_wheel_stop(struct tg_wheel *wheel, struct tg_timer *timer);

bool tg_timer_running(const struct tg_timer *timer);

/* Fires everything due at or before `now_ms`. Call it every `tick_ms` or so; after a pause it
 * catches up. */
void tg_wheel_advance(struct tg_wheel *wheel, int64_t now_ms);
