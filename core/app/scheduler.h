/* The scheduler: which account is polled when, and what its source is worth at this moment. */
#pragma once

#include "app/histogram.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/wheel.h"
#include "model/store.h"
#include "source/backoff.h"
#include "source/breaker.h"
#include "source/source.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_scheduler;

/* The source of one account as the platform knows it, and as clients read it in `status`. */
enum tg_source_state {
    TG_SOURCE_CONNECTING,   /* no good poll yet: "connecting" */
    TG_SOURCE_CONNECTED,    /* "live" */
    TG_SOURCE_RECONNECTING, /* "reconnecting" */
    TG_SOURCE_ERROR,        /* "cached" with a last good state, else "down" */
    TG_SOURCE_STATES,
};

/* An account that is polled. Owned by the scheduler. */
struct tg_watch {
    struct tg_scheduler *scheduler;
    struct tg_account *account;
    struct tg_poll poll;
    struct tg_backoff backoff;
    struct tg_timer due, grace;
    enum tg_source_state state;
    int64_t since_wall_ms; /* of this state */
    int64_t beat_ms;       /* when the poll that runs, or the next one, was due */
    int64_t started_us;
    bool polling, always;
    bool unknown; /* the newest poll that ended said: no such account */
    uint32_t viewers;
    char subject[257];
    void *channel; /* the gateway's: the account's stream */
};

struct tg_scheduler_host {
    /* A good poll was applied to the account; `first` = its first state. */
    void (*fresh)(void *ctx, struct tg_watch *watch, bool first);
    /* The state of the source changed, or a retry failed: tell the clients. `retry_in_ms` < 0: no
     * retry is awaited. */
    void (*status)(void *ctx, struct tg_watch *watch, const char *code, const char *message,
                   int64_t retry_in_ms);
    /* The source has no such account. */
    void (*unknown)(void *ctx, struct tg_watch *watch);
    /* The watch ends; nobody views it. */
    void (*ended)(void *ctx, struct tg_watch *watch);
};

struct tg_scheduler_options {
    const struct tg_clock *clock;
    struct tg_wheel *wheel; /* fine: 10 ms; the caller advances it */
    struct tg_source *source;
    struct tg_store *store;
    int64_t interval_ms, grace_ms;
    int64_t
        stale_ms; /* a state this old is not called live while a poll is still running; 0: never */
    uint32_t maximum; /* accounts polled at once */
    struct tg_backoff_policy backoff;
    struct tg_breaker_policy breaker;
    struct tg_account_policy account;
    const struct tg_scheduler_host *host;
    void *ctx;
};

struct tg_scheduler_counters {
    uint64_t polls[6]; /* by enum tg_poll_end */
    uint64_t held;     /* polls that the open circuit held back */
    uint64_t skipped;  /* beats skipped because the poll before was still running */
    uint64_t late;     /* beats begun more than half an interval late */
    uint64_t rejected; /* good answers that contradicted themselves */
    uint32_t states[TG_SOURCE_STATES];
    uint32_t watches, in_flight;
    struct tg_histogram duration, lateness;
};

/* The options are copied. NULL when memory is short. */
struct tg_scheduler *tg_scheduler_new(const struct tg_scheduler_options *options);

/* Cancels every poll, ends every watch (`ended` is called), frees. */
void tg_scheduler_free(struct tg_scheduler *scheduler);

/* One viewer more. The first one starts the watch and its first poll at once. `*out` receives the
 * watch. 0, -TG_ELIMIT (accounts.maximum), -TG_ENOMEM. */
int tg_scheduler_view(struct tg_scheduler *scheduler, const char *account_id, const char *subject,
                      struct tg_watch **out);

/* One viewer less; after the grace without any, the watch ends. */
void tg_scheduler_leave(struct tg_watch *watch);

/* Polls an account for ever, viewed or not (accounts.always). */
int tg_scheduler_always(struct tg_scheduler *scheduler, const char *account_id);

struct tg_watch *tg_scheduler_find(const struct tg_scheduler *scheduler, const char *account_id);

/* The watch after `cursor` (0 to start), in no order; NULL at the end. */
struct tg_watch *tg_scheduler_next(const struct tg_scheduler *scheduler, size_t *cursor);

/* "live", "connecting", "reconnecting", "cached" or "down". */
const char *tg_watch_status(const struct tg_watch *watch);

/* Age of the newest good poll in milliseconds, -1 when there was none. */
int64_t tg_watch_age_ms(const struct tg_watch *watch);

const struct tg_scheduler_counters *tg_scheduler_counters(const struct tg_scheduler *scheduler);
bool tg_scheduler_circuit_open(const struct tg_scheduler *scheduler);
