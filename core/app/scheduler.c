/* One timer a watch on a fine wheel. The beats of an account lie on a grid of the poll interval
 * whose phase is its own, so that thousands of accounts spread over the second by themselves, and a
 * beat that comes while the poll before still runs is skipped and counted: a slow account delays
 * nobody, itself included. Failures leave the grid for the backoff's times and come back to it. */
#include "app/scheduler.h"

#include "base/err.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct tg_scheduler {
    struct tg_scheduler_options options;
    struct tg_upstream nowhere;
    uint32_t watches_count, generation;
    struct tg_map watches;
    struct tg_rng rng;
};

static int64_t now_of(const struct tg_scheduler *scheduler)
{
    return tg_mono_ms(scheduler->options.clock);
}

const char *tg_watch_status(const struct tg_watch *watch)
{
    static const char *const names[] = {"connecting", "live", "reconnecting", "cached"};
    if (watch->state == TG_SOURCE_ERROR && !watch->account->known) return "down";
    return names[watch->state];
}

int64_t tg_watch_age_ms(const struct tg_watch *watch)
{
    if (!watch->account->known) return -1;
    return now_of(watch->scheduler) - watch->account->good_mono_ms;
}

static void set_state(struct tg_watch *watch, enum tg_source_state state)
{
    struct tg_upstream_counters *counters = &watch->upstream->counters;
    if (state == watch->state) return;
    counters->states[watch->state]--;
    counters->states[state]++;
    watch->state = state;
    watch->since_wall_ms = tg_wall_ms(watch->scheduler->options.clock);
}

static void set_unknown(struct tg_watch *watch, bool unknown)
{
    watch->upstream->counters.unknown += (uint32_t)unknown - (uint32_t)watch->unknown;
    watch->unknown = unknown;
}

/* The account's place within the interval: multiples of the golden ratio never bunch; a source that
 * asks for many at once has them all at one place. The first
 * poll comes at once and so off the grid; the second may follow it closely, which costs one poll,
 * and never later than an interval, which would cost the client the promise of a second. */
static int64_t next_beat(const struct tg_watch *watch, int64_t after_ms)
{
    int64_t interval = watch->upstream->interval_ms;
    double turn = (double)watch->account->slot * 0.6180339887498949;
    int64_t phase = (int64_t)((turn - (double)(int64_t)turn) * (double)interval);
    const struct tg_source *source = watch->upstream->source;
    if (source && source->together) phase = 0;
    int64_t past = (after_ms % interval - phase + interval) % interval;
    return after_ms + interval - past;
}

static void schedule(struct tg_watch *watch, int64_t at_ms)
{
    watch->beat_ms = at_ms;
    tg_wheel_set(watch->scheduler->options.wheel, &watch->due, at_ms);
}

/* The poll has failed, or was held back: counts, tells, and plans the next one. */
static void failed(struct tg_watch *watch, enum tg_poll_end end, const char *code,
                   const char *message, int64_t retry_after_ms)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_host *host = scheduler->options.host;
    enum tg_source_state before = watch->state;
    set_unknown(watch, end == TG_POLL_UNKNOWN);
    int64_t due = tg_backoff_fail(&watch->backoff, &watch->upstream->backoff, &scheduler->rng, end,
                                  retry_after_ms, now_of(scheduler));
    bool retrying = watch->backoff.state == TG_BACKOFF_RETRYING;
    set_state(watch, retrying ? TG_SOURCE_RECONNECTING : TG_SOURCE_ERROR);
    schedule(watch, due);
    tg_warn("source", "poll_failed", tg_s("account", watch->account->id),
            tg_s("source", watch->upstream->name), tg_s("code", code), tg_s("message", message),
            tg_i("retry_in_ms", watch->backoff.wait_ms), tg_s("status", tg_watch_status(watch)));
    if (end == TG_POLL_UNKNOWN && (watch->gone || !watch->account->known)) {
        host->unknown(scheduler->options.ctx, watch);
        return;
    }
    if (retrying || watch->state != before)
        host->status(scheduler->options.ctx, watch, code, message, watch->backoff.wait_ms);
}

/* ---- routes ---- */

static void enter(struct tg_watch *watch, struct tg_upstream *upstream)
{
    if (watch->upstream) {
        set_unknown(watch, false);
        watch->upstream->counters.states[watch->state]--;
        watch->upstream->counters.watches--;
    }
    watch->upstream = upstream;
    upstream->counters.states[watch->state]++;
    upstream->counters.watches++;
}

static void give_up_poll(struct tg_watch *watch)
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
    set_state(watch, TG_SOURCE_CONNECTING);
}

enum way {
    WAY_SAME,  /* where it was */
    WAY_MOVED, /* somewhere else: what a poll brings from where it was is worth nothing now */
    WAY_NONE,  /* nowhere, which has been told */
};

static enum way take_routing(struct tg_watch *watch, struct tg_routing *routing)
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
        return WAY_SAME;
    }
    give_up_poll(watch);
    tg_info("source", "routed", tg_s("account", watch->account->id),
            tg_s("source", upstream->name));
    enter(watch, upstream);
    watch->backoff = (struct tg_backoff){0};
    if (watch->account->known && !tg_routing_same_login(routing, watch->routing)) replace(watch);
    tg_routing_free(watch->routing);
    watch->routing = routing;
    return WAY_MOVED;
}

/* Looks the account up when that is due. */
static enum way route(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    struct tg_routing *routing = NULL;
    struct tg_err err = {0};
    if (!options->route || watch->routed == scheduler->generation) return WAY_SAME;
    int rc = options->route(options->ctx, watch->account->id, &routing, &err);
    if (!rc) return take_routing(watch, routing);
    give_up_poll(watch);
    if (watch->upstream != &scheduler->nowhere) enter(watch, &scheduler->nowhere);
    watch->routed = 0;
    watch->gone = rc == -TG_ENOTFOUND;
    if (watch->gone)
        failed(watch, TG_POLL_UNKNOWN, "NO_ROUTE", "no source has this account", 0);
    else
        failed(watch, TG_POLL_FAILED, "ROUTE_ERROR", *err.text ? err.text : tg_strerror(rc), 0);
    return WAY_NONE;
}

/* One that waits for a far retry: whether there is anything new to try. What has changed nothing is
 * not told again. */
static void route_early(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    struct tg_routing *routing = NULL;
    int rc = options->route(options->ctx, watch->account->id, &routing, NULL);
    if (!rc && take_routing(watch, routing) == WAY_MOVED) schedule(watch, now_of(scheduler));
    if (rc && watch->upstream != &scheduler->nowhere) (void)route(watch);
}

void tg_scheduler_reroute(struct tg_scheduler *scheduler)
{
    size_t cursor = 0;
    scheduler->generation = scheduler->generation % UINT32_MAX + 1;
    for (struct tg_watch *watch;
         scheduler->options.route && (watch = tg_scheduler_next(scheduler, &cursor));)
        if (!watch->polling && watch->backoff.state != TG_BACKOFF_CLEAR) route_early(watch);
}

/* ---- polls ---- */

/* Whether the account shares its upstream's server with others. One with a URL of its own fails for
 * itself alone: it neither opens the circuit nor is held back by it. */
static bool is_shared(const struct tg_watch *watch)
{
    return !watch->routing || !watch->routing->route.url;
}

static void start(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    struct tg_upstream *upstream = watch->upstream;
    int64_t now = now_of(scheduler);
    if (is_shared(watch) &&
        !tg_breaker_allows(&upstream->breaker, &upstream->breaker_policy, now)) {
        upstream->counters.held++;
        failed(watch, TG_POLL_FAILED, "CIRCUIT_OPEN", "the source is failing for every account",
               upstream->breaker.due_ms > now ? upstream->breaker.due_ms - now : 0);
        return;
    }
    struct tg_poll *poll = &watch->poll;
    const struct tg_account *account = watch->account;
    tg_records_clear(&poll->records);
    poll->account_id = account->id;
    poll->subject = watch->subject;
    poll->route = watch->routing ? &watch->routing->route : NULL;
    poll->deals_since_ms = tg_account_deals_since(account, tg_wall_ms(scheduler->options.clock));
    poll->end = TG_POLL_OK;
    poll->code[0] = poll->message[0] = '\0';
    poll->retry_after_ms = 0;
    watch->started_us = tg_mono_us();
    if (tg_source_poll(upstream->source, poll)) {
        failed(watch, TG_POLL_FAILED, "NO_MEMORY", "the poll could not be started", 0);
        return;
    }
    watch->polling = true;
    upstream->counters.in_flight++;
}

/* A poll that waits for its turn at a slow source has not failed, but what clients see has aged all
 * the same: it must not be called live. */
static void overdue(struct tg_watch *watch)
{
    const struct tg_scheduler_options *options = &watch->scheduler->options;
    const struct tg_upstream *upstream = watch->upstream;
    if (!upstream->stale_ms || watch->state != TG_SOURCE_CONNECTED ||
        tg_watch_age_ms(watch) <= upstream->stale_ms)
        return;
    set_state(watch, TG_SOURCE_RECONNECTING);
    tg_warn("source", "poll_overdue", tg_s("account", watch->account->id),
            tg_i("age_ms", tg_watch_age_ms(watch)));
    options->host->status(options->ctx, watch, "POLL_OVERDUE", "the source is slow to answer",
                          upstream->interval_ms);
}

/* A beat: polls, or notes that the poll before still runs. */
static void on_due(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_watch *watch = tg_of(timer, struct tg_watch, due);
    int64_t late = now_ms - watch->beat_ms;
    if (route(watch) == WAY_NONE) return;
    struct tg_upstream *upstream = watch->upstream;
    if (watch->polling) {
        upstream->counters.skipped++;
        overdue(watch);
        schedule(watch, next_beat(watch, now_ms));
        return;
    }
    tg_histogram_note(&upstream->counters.lateness, late * 1000);
    if (late * 2 > upstream->interval_ms) upstream->counters.late++;
    schedule(watch, next_beat(watch, now_ms));
    start(watch);
}

/* The upstream has come back: those that wait for a far retry are asked soon, spread over an
 * interval. */
static void hasten_all(struct tg_scheduler *scheduler, const struct tg_upstream *upstream)
{
    size_t cursor = 0;
    for (struct tg_watch *watch; (watch = tg_scheduler_next(scheduler, &cursor));) {
        if (watch->upstream != upstream || watch->polling) continue;
        if (watch->backoff.state == TG_BACKOFF_CLEAR) continue;
        uint64_t spread = tg_rng_below(&scheduler->rng, (uint64_t)upstream->interval_ms);
        schedule(watch, tg_backoff_hasten(&watch->backoff, now_of(scheduler) + (int64_t)spread));
    }
}

/* Whether the records are of another MT5 login than the account has had so far: a terminal in which
 * somebody logged in elsewhere. Nobody may see that one's figures here. */
static bool is_stranger(const struct tg_watch *watch)
{
    const char *login = watch->account->now.login, *told = watch->poll.records.account.login;
    return watch->account->known && watch->poll.records.account_known && *login && *told &&
           strcmp(login, told) != 0;
}

static void good(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    bool first = !watch->account->known;
    if (is_stranger(watch)) {
        watch->upstream->counters.rejected++;
        failed(watch, TG_POLL_STALE, "WRONG_ACCOUNT", "the source has another login there now", 0);
        return;
    }
    int rc = tg_account_apply(watch->account, &watch->poll.records, &watch->upstream->account,
                              now_of(scheduler), tg_wall_ms(options->clock));
    if (rc) {
        watch->upstream->counters.rejected++;
        failed(watch, rc == -TG_EINVAL ? TG_POLL_STALE : TG_POLL_FAILED,
               rc == -TG_EINVAL ? "BAD_DOCUMENT" : "NO_MEMORY", tg_strerror(rc), 0);
        return;
    }
    if (options->host->applied) options->host->applied(options->ctx, watch);
    if (tg_backoff_ok(&watch->backoff)) schedule(watch, next_beat(watch, now_of(scheduler)));
    enum tg_source_state before = watch->state;
    set_unknown(watch, false);
    set_state(watch, TG_SOURCE_CONNECTED);
    if (before == TG_SOURCE_RECONNECTING || before == TG_SOURCE_ERROR)
        tg_info("source", "live_again", tg_s("account", watch->account->id));
    if (before != TG_SOURCE_CONNECTED) options->host->status(options->ctx, watch, NULL, NULL, -1);
    options->host->fresh(options->ctx, watch, first);
}

static void on_done(struct tg_poll *poll)
{
    struct tg_watch *watch = tg_of(poll, struct tg_watch, poll);
    struct tg_scheduler *scheduler = watch->scheduler;
    struct tg_upstream *upstream = watch->upstream;
    watch->polling = false;
    upstream->counters.in_flight--;
    upstream->counters.polls[poll->end]++;
    tg_histogram_note(&upstream->counters.duration, tg_mono_us() - watch->started_us);
    if (is_shared(watch) && tg_breaker_note(&upstream->breaker, &upstream->breaker_policy,
                                            poll->end, now_of(scheduler))) {
        bool open = tg_upstream_open(upstream);
        tg_warn("source", open ? "circuit_opened" : "circuit_closed",
                tg_s("source", upstream->name), tg_i("wait_ms", upstream->breaker.wait_ms));
        if (!open) hasten_all(scheduler, upstream);
    }
    enum way way = route(watch); /* it may have changed while the poll was under way */
    if (way == WAY_MOVED) schedule(watch, now_of(scheduler));
    if (way != WAY_SAME) return;
    if (poll->end == TG_POLL_OK)
        good(watch);
    else
        failed(watch, poll->end, poll->code, poll->message, poll->retry_after_ms);
}

static bool on_wants_deals(struct tg_poll *poll)
{
    const struct tg_watch *watch = tg_of(poll, struct tg_watch, poll);
    return tg_account_wants_deals(watch->account, &poll->records);
}

static const struct tg_poll_ops poll_ops = {on_done, on_wants_deals};

static void end_watch(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    give_up_poll(watch);
    tg_wheel_stop(options->wheel, &watch->due);
    tg_wheel_stop(options->wheel, &watch->grace);
    options->host->ended(options->ctx, watch);
    (void)tg_map_remove(&scheduler->watches, watch->account->id, strlen(watch->account->id));
    set_unknown(watch, false);
    watch->upstream->counters.states[watch->state]--;
    watch->upstream->counters.watches--;
    scheduler->watches_count--;
    tg_store_drop(options->store, watch->account);
    tg_routing_free(watch->routing);
    tg_records_fini(&watch->poll.records);
    free(watch);
}

static void on_grace(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_watch *watch = tg_of(timer, struct tg_watch, grace);
    (void)now_ms;
    if (!watch->viewers && !watch->always) end_watch(watch);
}

struct tg_scheduler *tg_scheduler_new(const struct tg_scheduler_options *options)
{
    struct tg_scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (!scheduler) return NULL;
    scheduler->options = *options;
    scheduler->generation = 1;
    if (options->route) {
        int like = options->upstream_default < 0 ? 0 : options->upstream_default;
        scheduler->nowhere = options->upstreams[like];
        scheduler->nowhere.name = "nowhere";
        scheduler->nowhere.driver = NULL;
        scheduler->nowhere.source = NULL;
    }
    tg_random_bytes(&scheduler->rng.state, sizeof scheduler->rng.state);
    return scheduler;
}

void tg_scheduler_free(struct tg_scheduler *scheduler)
{
    if (!scheduler) return;
    for (size_t cursor = 0;; cursor = 0) {
        struct tg_watch *watch = tg_scheduler_next(scheduler, &cursor);
        if (!watch) break;
        end_watch(watch);
    }
    tg_map_fini(&scheduler->watches);
    free(scheduler);
}

static int watch_new(struct tg_scheduler *scheduler, const char *id, const char *subject,
                     struct tg_watch **out)
{
    const struct tg_scheduler_options *options = &scheduler->options;
    if (scheduler->watches_count >= options->maximum) return -TG_ELIMIT;
    struct tg_watch *watch = calloc(1, sizeof *watch);
    struct tg_account *account = watch ? tg_store_open(options->store, id) : NULL;
    if (!account || tg_map_put(&scheduler->watches, id, strlen(id), watch, NULL)) {
        if (account) tg_store_drop(options->store, account);
        free(watch);
        return -TG_ENOMEM;
    }
    watch->scheduler = scheduler;
    watch->account = account;
    watch->poll.ops = &poll_ops;
    watch->since_wall_ms = tg_wall_ms(options->clock);
    account->owner = watch;
    (void)snprintf(watch->subject, sizeof watch->subject, "%s", subject);
    tg_timer_init(&watch->due, on_due);
    tg_timer_init(&watch->grace, on_grace);
    scheduler->watches_count++;
    enter(watch,
          options->route ? &scheduler->nowhere : &options->upstreams[options->upstream_default]);
    schedule(watch, now_of(scheduler));
    *out = watch;
    return 0;
}

int tg_scheduler_view(struct tg_scheduler *scheduler, const char *account_id, const char *subject,
                      struct tg_watch **out)
{
    struct tg_watch *watch = tg_scheduler_find(scheduler, account_id);
    int rc = watch ? 0 : watch_new(scheduler, account_id, subject, &watch);
    if (rc) return rc;
    tg_wheel_stop(scheduler->options.wheel, &watch->grace);
    watch->viewers++;
    *out = watch;
    return 0;
}

void tg_scheduler_leave(struct tg_watch *watch)
{
    const struct tg_scheduler *scheduler = watch->scheduler;
    tg_must(watch->viewers > 0);
    if (--watch->viewers || watch->always) return;
    tg_wheel_set(scheduler->options.wheel, &watch->grace,
                 now_of(scheduler) + watch->upstream->grace_ms);
}

int tg_scheduler_always(struct tg_scheduler *scheduler, const char *account_id)
{
    struct tg_watch *watch = tg_scheduler_find(scheduler, account_id);
    int rc = watch ? 0 : watch_new(scheduler, account_id, "", &watch);
    if (!rc) watch->always = true;
    return rc;
}

struct tg_watch *tg_scheduler_find(const struct tg_scheduler *scheduler, const char *account_id)
{
    return tg_map_get(&scheduler->watches, account_id, strlen(account_id));
}

struct tg_watch *tg_scheduler_next(const struct tg_scheduler *scheduler, size_t *cursor)
{
    struct tg_map_slot *slot = tg_map_next(&scheduler->watches, cursor);
    return slot ? slot->value : NULL;
}

const struct tg_upstream *tg_scheduler_upstream(const struct tg_scheduler *scheduler, int index)
{
    const struct tg_scheduler_options *options = &scheduler->options;
    if (index < options->upstreams_count) return &options->upstreams[index];
    return options->route && index == options->upstreams_count ? &scheduler->nowhere : NULL;
}
