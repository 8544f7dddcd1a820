/* An upstream: one source as the scheduler uses it, with its manners and how it fares. */
#pragma once

#include "base/histogram.h"
#include "model/account.h"
#include "source/backoff.h"
#include "source/breaker.h"
#include "source/pace.h"
#include "source/source.h"

/* The source of one account as the platform knows it, and as clients read it in `status`. */
enum tg_source_state {
    TG_SOURCE_CONNECTING,   /* no good poll yet: "connecting" */
    TG_SOURCE_CONNECTED,    /* "live" */
    TG_SOURCE_RECONNECTING, /* "reconnecting" */
    TG_SOURCE_ERROR,        /* "cached" with a last good state, else "down" */
    TG_SOURCE_STALE,        /* it answers, with states older than promised: as TG_SOURCE_ERROR */
    TG_SOURCE_STATES,
};

struct tg_upstream_counters {
    uint64_t polls[TG_POLL_ENDS]; /* by enum tg_poll_end */
    uint64_t held;                /* polls that the open circuit held back */
    uint64_t skipped;             /* beats skipped because the poll before was still running */
    uint64_t late;                /* beats begun more than half an interval late */
    uint64_t rejected;            /* good answers that contradicted themselves */
    uint32_t states[TG_SOURCE_STATES];
    uint32_t watches, in_flight;
    uint32_t unknown; /* accounts whose newest poll said that there is no such account */
    struct tg_histogram duration, lateness;
};

/* Fill the first part, zero the rest. */
struct tg_upstream {
    const char *name, *driver;
    struct tg_source *source; /* NULL: nothing can be polled */
    int64_t interval_ms, grace_ms;
    int64_t
        stale_ms; /* a state this old is not called live while a poll is still running; 0: never */
    int64_t frozen_ms; /* a source whose clock stands still for so long is not live; 0: never */
    struct tg_backoff_policy backoff;
    struct tg_breaker_policy breaker_policy;
    struct tg_account_policy account;

    struct tg_breaker breaker;
    struct tg_upstream_counters counters;
};

/* Whether the circuit holds polls back. */
static inline bool tg_upstream_open(const struct tg_upstream *upstream)
{
    return upstream->breaker.state != TG_BREAKER_CLOSED;
}
