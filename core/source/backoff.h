/* A backoff: when an account whose polls fail is asked again. Pure: no I/O, time is an argument. */
#pragma once

#include "base/rand.h"
#include "source/source.h"

/* What the platform knows as CONNECTED, RECONNECTING and ERROR (the last two here). */
enum tg_backoff_state {
    TG_BACKOFF_CLEAR,    /* the newest poll was good: the poll interval decides */
    TG_BACKOFF_RETRYING, /* failing, still within `retries` */
    TG_BACKOFF_PROBING,  /* failing beyond them: one probe each `probe_ms` */
    TG_BACKOFF_REFUSED,  /* our credentials are refused: asked again slowly */
};

/* Bounds, all milliseconds and all at least 1 but for `retries`. */
struct tg_backoff_policy {
    int64_t first_ms;         /* wait before the first retry; doubles: 1, 2, 4 s */
    int retries;              /* failures in a row that are retried so; 3; 0 probes at once */
    int64_t probe_ms;         /* wait between probes */
    int64_t refused_first_ms; /* wait after refused credentials; doubles */
    int64_t refused_max_ms;   /* … up to this; also the longest Retry-After that is honoured */
};

/* One per account. Zero-initialise: clear. */
struct tg_backoff {
    enum tg_backoff_state state;
    int failures;    /* in a row, refusals not counted */
    int refusals;    /* since the last good poll */
    int64_t wait_ms; /* the wait that runs now; what `retry_in_seconds` tells */
    int64_t due_ms;  /* when to ask again, on the monotonic clock */
};

/* Takes in a poll that ended with anything but TG_POLL_OK and TG_POLL_BUSY and returns when to ask
 * again (also in `due_ms`). FAILED and STALE wait first_ms, doubled each time, for `retries` times,
 * then probe_ms; UNKNOWN waits probe_ms at once; DENIED doubles from first_ms to 8 times that, or
 * probe_ms if that is less; REFUSED as the policy says. BUSY is no failure (source/pace.h).
 * `retry_after_ms` (0: not told) lengthens any of them, never shortens. Probes and refusals wait up
 * to a tenth longer, drawn from `rng`, so that accounts that fell together do not come back
 * together. */
int64_t tg_backoff_fail(struct tg_backoff *backoff, const struct tg_backoff_policy *policy,
                        struct tg_rng *rng, enum tg_poll_end end, int64_t retry_after_ms,
                        int64_t now_ms);

/* Takes in a good poll; whether that ended a time of failures. */
bool tg_backoff_ok(struct tg_backoff *backoff);

/* The upstream is known to be back: asks at `due_ms` when that is sooner. Refused credentials are
 * not hastened. Returns the due time that now holds. */
int64_t tg_backoff_hasten(struct tg_backoff *backoff, int64_t due_ms);
