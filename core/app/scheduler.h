/* The scheduler: which account is polled when, and what its source is worth at this moment. */
#pragma once

#include "app/routing.h"
#include "app/upstream.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/wheel.h"
#include "model/store.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_scheduler;

/* What is wrong between clients and the live state of an account. */
enum tg_trouble {
    TG_TROUBLE_NONE,
    TG_TROUBLE_LOST,    /* the source cannot be reached, or does not answer usably */
    TG_TROUBLE_REFUSED, /* it refuses our credentials */
    TG_TROUBLE_DENIED,  /* it knows us, and does not let us read this */
    TG_TROUBLE_BUSY,    /* it wants to be asked less often */
    TG_TROUBLE_FROZEN,  /* it answers, with a state of before */
};

/* An account that is polled. Owned by the scheduler. */
struct tg_watch {
    struct tg_scheduler *scheduler;
    struct tg_account *account;
    struct tg_upstream *upstream; /* where it is polled */
    struct tg_routing *routing;   /* the newest good one; NULL: the default source as it is */
    uint32_t routed;              /* the generation of routes this is of; 0: to be asked for */
    bool gone;                    /* by the routes, no source has it */
    struct tg_poll poll;
    struct tg_backoff backoff;
    struct tg_pace pace; /* where the source has none of its own */
    int64_t source_ms;   /* the source's time of the newest state; 0: not told */
    int64_t fresh_ms;    /* the monotonic time of that state, as far as can be told */
    enum tg_trouble trouble;
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
    /* A good poll was applied to the account; its records are in `watch->poll`. Nobody was told
     * yet. May be NULL. */
    void (*applied)(void *ctx, struct tg_watch *watch);
    /* The rules may run over it; `first` = its first state. */
    void (*fresh)(void *ctx, struct tg_watch *watch, bool first);
    /* The state of the source changed, or a retry failed: tell the clients. `retry_in_ms` < 0: no
     * retry is awaited. */
    void (*status)(void *ctx, struct tg_watch *watch, const char *code, const char *message,
                   int64_t retry_in_ms);
    /* The source has no such account. */
    void (*unknown)(void *ctx, struct tg_watch *watch);
    /* The account is to be found under another MT5 login now: what was told of it so far is another
     * one's. Called before it is forgotten. */
    void (*replaced)(void *ctx, struct tg_watch *watch);
    /* The watch ends; nobody views it. */
    void (*ended)(void *ctx, struct tg_watch *watch);
};

struct tg_scheduler_options {
    const struct tg_clock *clock;
    struct tg_wheel *wheel; /* fine: 10 ms; the caller advances it */
    struct tg_store *store;
    struct tg_upstream *upstreams; /* borrowed */
    int upstreams_count;
    int upstream_default; /* of accounts that nothing sends elsewhere */
    /* Where an account is, as tg_router_find; NULL: all are at the default. */
    int (*route)(void *ctx, const char *account_id, struct tg_routing **out, struct tg_err *err);
    uint32_t maximum; /* accounts polled at once */
    const struct tg_scheduler_host *host;
    void *ctx;
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

/* Age of the newest good state in milliseconds: of the newest good poll, or, where the source tells
 * a time, of the first poll that told this one. -1 when there was none. */
int64_t tg_watch_age_ms(const struct tg_watch *watch);

/* Routes may have changed: each account is looked up again before its next poll, and at once when
 * it waits for a far retry. A poll that is under way to a place that is no longer the account's is
 * given up. */
void tg_scheduler_reroute(struct tg_scheduler *scheduler);

/* The upstreams one by one, from 0 on; NULL behind the last. With routes, the last one is nowhere:
 * it has the accounts that no source has, or that cannot be looked up. */
const struct tg_upstream *tg_scheduler_upstream(const struct tg_scheduler *scheduler, int index);
