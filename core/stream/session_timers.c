/* Three deadlines a session: life, token, ownership.
 *
 * Life is proved far more often than it is missed, so a proof only stores the time; the timer, when
 * it fires, looks whether it fired too early and files itself again.
 *
 * A token ends at a time of day that somebody else wrote, and the time of day may be set while we
 * run, or the machine may have slept. So its timer never sleeps longer than a minute before it
 * compares again: an expired token is served a minute too long at worst, however the clock jumped.
 */
#include "stream/session_inner.h"

#define TOKEN_LOOK_MS 60000

static int64_t token_left(const struct tg_session_inner *inner)
{
    return inner->token_expires_ms - tg_wall_ms(inner->clock);
}

static void token_arm(struct tg_session_inner *inner)
{
    int64_t wait = token_left(inner);
    if (!inner->warned) wait -= inner->warning_ms;
    if (wait < 0) wait = 0;
    if (wait > TOKEN_LOOK_MS) wait = TOKEN_LOOK_MS;
    tg_wheel_set(inner->wheel, &inner->token, tg_mono_ms(inner->clock) + wait);
}

static void on_token(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_session_inner *inner = tg_of(timer, struct tg_session_inner, token);
    int64_t left = token_left(inner);
    (void)now_ms;
    if (left <= 0) {
        tg_session_close(&inner->session, 4001, "token expired", false);
        return;
    }
    bool warn = !inner->warned && left <= inner->warning_ms;
    inner->warned |= warn;
    token_arm(inner);
    if (!warn) return;
    struct tg_buf text = {0};
    tg_message_token_expiring(&text, left);
    tg_session_say(&inner->session, &text);
}

void tg_session_token_set(struct tg_session_inner *inner, int64_t expires_ms)
{
    inner->token_expires_ms = expires_ms;
    inner->warned = false;
    token_arm(inner);
}

static void on_heartbeat(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_session_inner *inner = tg_of(timer, struct tg_session_inner, heartbeat);
    int64_t due = inner->alive_ms + inner->timeout_ms;
    if (now_ms < due)
        tg_wheel_set(inner->wheel, timer, due);
    else
        tg_session_close(&inner->session, 4000, "heartbeat timeout", true);
}

static void on_recheck(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_session_inner *inner = tg_of(timer, struct tg_session_inner, recheck);
    tg_wheel_set(inner->wheel, timer, now_ms + inner->recheck_ms);
    if (!inner->session.host->recheck(&inner->session))
        tg_session_close(&inner->session, 4501, "not the owner any more", true);
}

void tg_session_timers_start(struct tg_session_inner *inner)
{
    int64_t now_ms = tg_mono_ms(inner->clock);
    tg_timer_init(&inner->heartbeat, on_heartbeat);
    tg_timer_init(&inner->token, on_token);
    tg_timer_init(&inner->recheck, on_recheck);
    if (inner->timeout_ms > 0)
        tg_wheel_set(inner->wheel, &inner->heartbeat, now_ms + inner->timeout_ms);
    if (inner->recheck_ms > 0)
        tg_wheel_set(inner->wheel, &inner->recheck, now_ms + inner->recheck_ms);
    token_arm(inner);
}

void tg_session_timers_stop(struct tg_session_inner *inner)
{
    tg_wheel_stop(inner->wheel, &inner->heartbeat);
    tg_wheel_stop(inner->wheel, &inner->token);
    tg_wheel_stop(inner->wheel, &inner->recheck);
}
