/* A circuit breaker over one upstream, whatever the account. Pure: no I/O, time is an argument. */
#pragma once

#include "source/source.h"

enum tg_breaker_state {
    TG_BREAKER_CLOSED,    /* polls pass */
    TG_BREAKER_OPEN,      /* no poll passes until `due_ms` */
    TG_BREAKER_HALF_OPEN, /* one probe is under way, nobody else passes */
};

struct tg_breaker_policy {
    int failures;     /* in a row over all accounts, then it opens; 0: never */
    int64_t first_ms; /* open for so long at first; doubles with each failed probe */
    int64_t max_ms;   /* … up to this */
    int64_t probe_ms; /* a probe that has not ended after so long is taken for lost */
};

/* One per upstream. Zero-initialise: closed. */
struct tg_breaker {
    enum tg_breaker_state state;
    int failures;    /* in a row */
    int64_t wait_ms; /* how long it stays open this time */
    int64_t due_ms;  /* OPEN: when a probe may pass; HALF_OPEN: when the probe counts as lost */
};

/* Whether a poll may be started now. When it says yes on an open breaker, that poll is the probe:
 * ask only when the poll really starts, and report its end. */
bool tg_breaker_allows(struct tg_breaker *breaker, const struct tg_breaker_policy *policy,
                       int64_t now_ms);

/* Takes in how a poll ended. OK, STALE and UNKNOWN show an upstream that works; FAILED and REFUSED
 * count against it; BUSY says neither but keeps an open breaker open. Returns whether the state
 * went from closed to open or from open to closed by this: then log it, and after a close hasten
 * the accounts (tg_backoff_hasten), spread over a poll interval. */
bool tg_breaker_note(struct tg_breaker *breaker, const struct tg_breaker_policy *policy,
                     enum tg_poll_end end, int64_t now_ms);
