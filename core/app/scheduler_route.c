/* Where accounts are polled, as routes say. An account moves without its clients hearing of it, as
 * long as it stays the same MT5 login. */
#include "app/scheduler_inner.h"

#include "base/err.h"
#include "base/log.h"

void tg_watch_enter(struct tg_watch *watch, struct tg_upstream *upstream)
{
    if (watch->upstream) {
        tg_watch_set_unknown(watch, false);
        watch->upstream->counters.states[watch->state]--;
        watch->upstream->counters.watches--;
    }
    watch->upstream = upstream;
    watch->source_ms = 0;
    tg_pace_init(&watch->pace, upstream->interval_ms, upstream->backoff.probe_ms);
    upstream->counters.states[watch->state]++;
    upstream->counters.watches++;
}

void tg_watch_give_up_poll(struct tg_watch *watch)
{
    if (!watch->polling) return;
    tg_source_cancel(watch->upstream->source, &watch->poll);
    watch->upstream->counters.in_flight--;
    watch->polling = false;
}

/* The account under this id is another one now. */
static void replace(struct tg_watch *watch)
{
    const struct tg_scheduler_options *options = &watch->scheduler->options;
    tg_warn("source", "account_replaced", tg_s("account", watch->account->id));
    options->host->replaced(options->ctx, watch);
    tg_store_renew(options->store, watch->account);
    tg_watch_set_state(watch, TG_SOURCE_CONNECTING);
}

static enum tg_way take_routing(struct tg_watch *watch, struct tg_routing *routing)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    int index = routing ? routing->upstream : options->upstream_default;
    struct tg_upstream *upstream = &options->upstreams[index];
    bool same = upstream == watch->upstream && tg_routing_same(routing, watch->routing);
    watch->routed = scheduler->generation;
    watch->gone = false;
    if (same) {
        tg_routing_free(routing);
        return TG_WAY_SAME;
    }
    tg_watch_give_up_poll(watch);
    tg_info("source", "routed", tg_s("account", watch->account->id),
            tg_s("source", upstream->name));
    tg_watch_enter(watch, upstream);
    watch->backoff = (struct tg_backoff){0};
    if (watch->account->known && !tg_routing_same_login(routing, watch->routing)) replace(watch);
    tg_routing_free(watch->routing);
    watch->routing = routing;
    return TG_WAY_MOVED;
}

enum tg_way tg_watch_route(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    struct tg_routing *routing = NULL;
    struct tg_err err = {0};
    if (!options->route || watch->routed == scheduler->generation) return TG_WAY_SAME;
    int rc = options->route(options->ctx, watch->account->id, &routing, &err);
    if (!rc) return take_routing(watch, routing);
    tg_watch_give_up_poll(watch);
    if (watch->upstream != &scheduler->nowhere) tg_watch_enter(watch, &scheduler->nowhere);
    watch->routed = 0;
    watch->gone = rc == -TG_ENOTFOUND;
    if (watch->gone)
        tg_watch_failed(watch, TG_POLL_UNKNOWN, "NO_ROUTE", "no source has this account", 0);
    else
        tg_watch_failed(watch, TG_POLL_FAILED, "ROUTE_ERROR",
                        *err.text ? err.text : tg_strerror(rc), 0);
    return TG_WAY_NONE;
}

/* Whether the account's next poll is further away than a beat. */
static bool is_waiting(const struct tg_watch *watch)
{
    return watch->backoff.state != TG_BACKOFF_CLEAR || watch->state == TG_SOURCE_STALE;
}

/* One that waits for a far retry: whether there is anything new to try. What has changed nothing is
 * not told again. */
static void route_early(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    struct tg_routing *routing = NULL;
    int rc = options->route(options->ctx, watch->account->id, &routing, NULL);
    if (!rc && take_routing(watch, routing) == TG_WAY_MOVED)
        tg_watch_schedule(watch, tg_scheduler_now(scheduler));
    if (rc && watch->upstream != &scheduler->nowhere) (void)tg_watch_route(watch);
}

void tg_scheduler_reroute(struct tg_scheduler *scheduler)
{
    size_t cursor = 0;
    scheduler->generation = scheduler->generation % UINT32_MAX + 1;
    for (struct tg_watch *watch;
         scheduler->options.route && (watch = tg_scheduler_next(scheduler, &cursor));)
        if (!watch->polling && is_waiting(watch)) route_early(watch);
}
