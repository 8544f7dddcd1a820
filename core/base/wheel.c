/* One level, many rounds: a slot holds every deadline that falls on it in any revolution, and a
 * visit skips those of later rounds. With 512 slots of 100 ms a connection's 90 s heartbeat is
 * looked at twice, which is cheaper than cascading levels and far cheaper than a heap. */
#include "base/wheel.h"

#include "base/err.h"

void tg_wheel_init(struct tg_wheel *wheel, int64_t tick_ms, int64_t now_ms)
{
    tg_must(tick_ms > 0);
    for (int i = 0; i < TG_WHEEL_SLOTS; i++)
        tg_list_init(&wheel->slots[i]);
    wheel->tick_ms = tick_ms;
    wheel->tick = now_ms / tick_ms;
    wheel->armed = 0;
}

void tg_timer_init(struct tg_timer *timer, void (*fire)(struct tg_timer *, int64_t now_ms))
{
    tg_list_init(&timer->node);
    timer->due_ms = 0;
    timer->fire = fire;
}

bool tg_timer_running(const struct tg_timer *timer)
{
    return !tg_list_empty(&timer->node);
}

void tg_wheel_set(struct tg_wheel *wheel, struct tg_timer *timer, int64_t due_ms)
{
    tg_wheel_stop(wheel, timer);
    timer->due_ms = due_ms;
    int64_t tick = (due_ms + wheel->tick_ms - 1) / wheel->tick_ms;
    if (tick <= wheel->tick) tick = wheel->tick + 1;
    tg_list_append(&wheel->slots[tick % TG_WHEEL_SLOTS], &timer->node);
    wheel->armed++;
}

void tg_wheel_stop(struct tg_wheel *wheel, struct tg_timer *timer)
{
    if (!tg_timer_running(timer)) return;
    tg_list_remove(&timer->node);
    wheel->armed--;
}

/* Fires what is due in one slot. The slot is emptied into a private list first: a callback may
 * stop, set or free any other timer, also one that waits in this very slot. */
static void run_slot(struct tg_wheel *wheel, struct tg_list *slot, int64_t now_ms)
{
    struct tg_list *node, batch;
    tg_list_init(&batch);
    while ((node = tg_list_first(slot))) {
        tg_list_remove(node);
        tg_list_append(&batch, node);
    }
    while ((node = tg_list_first(&batch))) {
        struct tg_timer *timer = tg_of(node, struct tg_timer, node);
        tg_list_remove(node);
        if (timer->due_ms > now_ms) {
            tg_list_append(slot, node);
            continue;
        }
        wheel->armed--;
        timer->fire(timer, now_ms);
    }
}

void tg_wheel_advance(struct tg_wheel *wheel, int64_t now_ms)
{
    int64_t target = now_ms / wheel->tick_ms, from = wheel->tick;
    if (target - from > TG_WHEEL_SLOTS) from = target - TG_WHEEL_SLOTS;
    for (int64_t tick = from + 1; tick <= target; tick++) {
        wheel->tick = tick;
        run_slot(wheel, &wheel->slots[tick % TG_WHEEL_SLOTS], now_ms);
    }
}
