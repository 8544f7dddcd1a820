/* One timer a watch on a fine wheel. The beats of an account lie on a grid of the poll interval
 * whose phase is its own, so that thousands of accounts spread over the second by themselves, and a
 * beat that comes while the poll before still runs is skipped and counted: a slow account delays
 * nobody, itself included. Failures leave the grid for the backoff's times and come back to it. */
#include "app/scheduler_inner.h"

#include "base/err.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- beats ---- */

/* The account's place within the interval: multiples of the golden ratio never bunch; a source that
 * asks for many at once has them all at one place. The first
 * poll comes at once and so off the grid; the second may follow it closely, which costs one poll,
 * and never later than an interval, which would cost the client the promise of a second. */
int64_t tg_watch_next_beat(const struct tg_watch *watch, int64_t after_ms)
{
    int64_t interval = watch->upstream->interval_ms, pace = tg_pace_ms(tg_watch_pace(watch));
    if (interval < pace) interval = pace;
    double turn = (double)watch->account->slot * 0.6180339887498949;
    int64_t phase = (int64_t)((turn - (double)(int64_t)turn) * (double)interval);
    const struct tg_source *source = watch->upstream->source;
    if (source && source->together) phase = 0;
    int64_t past = (after_ms % interval - phase + interval) % interval;
    return after_ms + interval - past;
}

void tg_watch_schedule(struct tg_watch *watch, int64_t at_ms)
{
    watch->beat_ms = at_ms;
    tg_wheel_set(watch->scheduler->options.wheel, &watch->due, at_ms);
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
    int64_t now = tg_scheduler_now(scheduler);
    if (is_shared(watch) &&
        !tg_breaker_allows(&upstream->breaker, &upstream->breaker_policy, now)) {
        upstream->counters.held++;
        tg_watch_failed(watch, TG_POLL_FAILED, "CIRCUIT_OPEN",
                        "the source is failing for every account",
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
        tg_watch_failed(watch, TG_POLL_FAILED, "NO_MEMORY", "the poll could not be started", 0);
        return;
    }
    watch->polling = true;
    upstream->counters.in_flight++;
}

/* A late beat shows that we stood still (the process was stopped, its machine paused), and answers
 * may lie unread in the sockets: no poll is overdue for as long as one may take. Then, however late
 * beats are, for as long no new patience: what stays away is told. */
static void be_patient(struct tg_scheduler *scheduler, const struct tg_upstream *upstream,
                       int64_t now_ms)
{
    if (now_ms >= scheduler->patient_ms + upstream->stale_ms)
        scheduler->patient_ms = now_ms + upstream->stale_ms;
}

/* A beat: polls, or notes that the poll before still runs. */
static void on_due(struct tg_timer *timer, int64_t now_ms)
{
    struct tg_watch *watch = tg_of(timer, struct tg_watch, due);
    int64_t late = now_ms - watch->beat_ms;
    if (tg_watch_route(watch) == TG_WAY_NONE) return;
    struct tg_scheduler *scheduler = watch->scheduler;
    struct tg_upstream *upstream = watch->upstream;
    if (late > upstream->interval_ms) be_patient(scheduler, upstream, now_ms);
    if (watch->polling) {
        upstream->counters.skipped++;
        tg_watch_overdue(watch);
        tg_watch_schedule(watch, tg_watch_next_beat(watch, now_ms));
        return;
    }
    tg_histogram_note(&upstream->counters.lateness, late * 1000);
    if (late * 2 > upstream->interval_ms) upstream->counters.late++;
    tg_watch_schedule(watch, tg_watch_next_beat(watch, now_ms));
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
        tg_watch_schedule(watch, tg_backoff_hasten(&watch->backoff,
                                                   tg_scheduler_now(scheduler) + (int64_t)spread));
    }
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
                                            poll->end, tg_scheduler_now(scheduler))) {
        bool open = tg_upstream_open(upstream);
        tg_warn("source", open ? "circuit_opened" : "circuit_closed",
                tg_s("source", upstream->name), tg_i("wait_ms", upstream->breaker.wait_ms));
        if (!open) hasten_all(scheduler, upstream);
    }
    enum tg_way way = tg_watch_route(watch); /* it may have changed while the poll was under way */
    if (way == TG_WAY_MOVED) tg_watch_schedule(watch, tg_scheduler_now(scheduler));
    if (way != TG_WAY_SAME) return;
    if (poll->end == TG_POLL_OK)
        tg_watch_good(watch);
    else
        tg_watch_failed(watch, poll->end, poll->code, poll->message, poll->retry_after_ms);
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
    tg_watch_give_up_poll(watch);
    tg_wheel_stop(options->wheel, &watch->due);
    tg_wheel_stop(options->wheel, &watch->grace);
    options->host->ended(options->ctx, watch);
    (void)tg_map_remove(&scheduler->watches, watch->account->id, strlen(watch->account->id));
    tg_watch_set_unknown(watch, false);
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
    tg_watch_enter(watch, options->route ? &scheduler->nowhere
                                         : &options->upstreams[options->upstream_default]);
    tg_watch_schedule(watch, tg_scheduler_now(scheduler));
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
                 tg_scheduler_now(scheduler) + watch->upstream->grace_ms);
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
