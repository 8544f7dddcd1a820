/* What the state of an account is worth, and what its clients are told of that. Two things are kept
 * apart: a source that does not answer as it should (failing, retried by the backoff), and one that
 * answers with states older than promised, because it wants to be asked less often or because its
 * clock stands still. The second is one state for as long as it lasts, good polls or not: clients
 * that see a change of state with every answer learn nothing from it. */
#include "app/scheduler_inner.h"

#include "base/err.h"
#include "base/log.h"

#include <string.h>

const struct tg_pace *tg_watch_pace(const struct tg_watch *watch)
{
    const struct tg_source *source = watch->upstream->source;
    return source && source->pace ? source->pace : &watch->pace;
}

const char *tg_watch_status(const struct tg_watch *watch)
{
    static const char *const names[] = {"connecting", "live", "reconnecting", "cached", "cached"};
    if (watch->account->known) return names[watch->state];
    return watch->state >= TG_SOURCE_ERROR ? "down" : names[watch->state];
}

int64_t tg_watch_age_ms(const struct tg_watch *watch)
{
    if (!watch->account->known) return -1;
    return tg_scheduler_now(watch->scheduler) - watch->fresh_ms;
}

void tg_watch_set_state(struct tg_watch *watch, enum tg_source_state state)
{
    struct tg_upstream_counters *counters = &watch->upstream->counters;
    if (state == watch->state) return;
    counters->states[watch->state]--;
    counters->states[state]++;
    watch->state = state;
    watch->since_wall_ms = tg_wall_ms(watch->scheduler->options.clock);
}

void tg_watch_set_unknown(struct tg_watch *watch, bool unknown)
{
    watch->upstream->counters.unknown += (uint32_t)unknown - (uint32_t)watch->unknown;
    watch->unknown = unknown;
}

/* ---- states older than promised ---- */

/* What makes good answers worth less than promised; TG_TROUBLE_NONE: nothing. */
static enum tg_trouble trouble_of(const struct tg_watch *watch)
{
    const struct tg_upstream *upstream = watch->upstream;
    if (!tg_pace_settled(tg_watch_pace(watch), tg_scheduler_now(watch->scheduler)))
        return TG_TROUBLE_BUSY;
    if (upstream->frozen_ms && tg_watch_age_ms(watch) > upstream->frozen_ms)
        return TG_TROUBLE_FROZEN;
    return TG_TROUBLE_NONE;
}

/* Told once, however many answers follow. */
static void be_stale(struct tg_watch *watch, enum tg_trouble trouble, int64_t retry_in_ms)
{
    const struct tg_scheduler_options *options = &watch->scheduler->options;
    bool busy = trouble == TG_TROUBLE_BUSY;
    if (watch->state == TG_SOURCE_STALE && watch->trouble == trouble) return;
    watch->trouble = trouble;
    tg_watch_set_state(watch, TG_SOURCE_STALE);
    const char *code = busy ? "SOURCE_BUSY" : "SOURCE_STALE",
               *why = busy ? "the source wants to be asked less often"
                           : "the source answers, and its clock stands still";
    tg_warn("source", "account_stale", tg_s("account", watch->account->id),
            tg_s("source", watch->upstream->name), tg_s("code", code),
            tg_i("age_ms", tg_watch_age_ms(watch)));
    options->host->status(options->ctx, watch, code, why, retry_in_ms);
}

/* The source wants to be asked less often. One with a pace of its own has taken that in. */
static void slow_down(struct tg_watch *watch, const char *code, const char *message,
                      int64_t retry_after_ms)
{
    int64_t now = tg_scheduler_now(watch->scheduler), wait = retry_after_ms;
    const struct tg_pace *pace = tg_watch_pace(watch);
    if (pace == &watch->pace) tg_pace_busy(&watch->pace, now);
    if (wait > watch->upstream->backoff.refused_max_ms)
        wait = watch->upstream->backoff.refused_max_ms;
    if (wait < tg_pace_ms(pace)) wait = tg_pace_ms(pace);
    if (wait < watch->upstream->interval_ms) wait = watch->upstream->interval_ms;
    tg_watch_set_unknown(watch, false);
    tg_watch_schedule(watch, now + wait);
    be_stale(watch, TG_TROUBLE_BUSY, wait);
    tg_warn("source", "poll_failed", tg_s("account", watch->account->id),
            tg_s("source", watch->upstream->name), tg_s("code", code), tg_s("message", message),
            tg_i("retry_in_ms", wait), tg_s("status", tg_watch_status(watch)));
}

void tg_watch_overdue(struct tg_watch *watch)
{
    const struct tg_scheduler_options *options = &watch->scheduler->options;
    const struct tg_upstream *upstream = watch->upstream;
    int64_t age_ms = tg_scheduler_now(watch->scheduler) - watch->account->good_mono_ms;
    if (tg_scheduler_now(watch->scheduler) < watch->scheduler->patient_ms) return;
    if (!upstream->stale_ms || watch->state != TG_SOURCE_CONNECTED || age_ms <= upstream->stale_ms)
        return;
    if (tg_watch_pace(watch)->level) {
        be_stale(watch, TG_TROUBLE_BUSY, tg_pace_ms(tg_watch_pace(watch)));
        return;
    }
    watch->trouble = TG_TROUBLE_LOST;
    tg_watch_set_state(watch, TG_SOURCE_RECONNECTING);
    tg_warn("source", "poll_overdue", tg_s("account", watch->account->id),
            tg_i("age_ms", tg_watch_age_ms(watch)));
    options->host->status(options->ctx, watch, "POLL_OVERDUE", "the source is slow to answer",
                          upstream->interval_ms);
}

/* ---- failures ---- */

static enum tg_trouble trouble_after(enum tg_poll_end end)
{
    if (end == TG_POLL_REFUSED) return TG_TROUBLE_REFUSED;
    return end == TG_POLL_DENIED ? TG_TROUBLE_DENIED : TG_TROUBLE_LOST;
}

void tg_watch_failed(struct tg_watch *watch, enum tg_poll_end end, const char *code,
                     const char *message, int64_t retry_after_ms)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_host *host = scheduler->options.host;
    enum tg_source_state before = watch->state;
    if (end == TG_POLL_BUSY) {
        slow_down(watch, code, message, retry_after_ms);
        return;
    }
    /* An account that was there a moment ago is missed like one that is withheld. */
    bool missed = end == TG_POLL_UNKNOWN && watch->account->known && !watch->gone;
    tg_watch_set_unknown(watch, end == TG_POLL_UNKNOWN);
    watch->trouble = trouble_after(end);
    int64_t due =
        tg_backoff_fail(&watch->backoff, &watch->upstream->backoff, &scheduler->rng,
                        missed ? TG_POLL_DENIED : end, retry_after_ms, tg_scheduler_now(scheduler));
    bool retrying = watch->backoff.state == TG_BACKOFF_RETRYING;
    tg_watch_set_state(watch, retrying ? TG_SOURCE_RECONNECTING : TG_SOURCE_ERROR);
    tg_watch_schedule(watch, due);
    tg_warn("source", "poll_failed", tg_s("account", watch->account->id),
            tg_s("source", watch->upstream->name), tg_s("code", code), tg_s("message", message),
            tg_i("retry_in_ms", watch->backoff.wait_ms), tg_s("status", tg_watch_status(watch)));
    if (end == TG_POLL_UNKNOWN && !missed) {
        host->unknown(scheduler->options.ctx, watch);
        return;
    }
    if (retrying || watch->state != before)
        host->status(scheduler->options.ctx, watch, code, message, watch->backoff.wait_ms);
}

/* ---- good polls ---- */

/* Whether the records are of another MT5 login than the account has had so far: a terminal in which
 * somebody logged in elsewhere. Nobody may see that one's figures here. */
static bool is_stranger(const struct tg_watch *watch)
{
    const char *login = watch->account->now.login, *told = watch->poll.records.account.login;
    return watch->account->known && watch->poll.records.account_known && *login && *told &&
           strcmp(login, told) != 0;
}

/* How old the state is: by the source's clock, where it tells one, for an answer may be new and
 * what it says old. */
static void note_age(struct tg_watch *watch)
{
    int64_t told = watch->poll.records.source_time_ms;
    if (told && told == watch->source_ms) return;
    watch->source_ms = told;
    watch->fresh_ms = tg_scheduler_now(watch->scheduler);
}

/* Tells the state that the answer leaves the account in. */
static void be_good(struct tg_watch *watch)
{
    const struct tg_scheduler_options *options = &watch->scheduler->options;
    enum tg_trouble trouble = trouble_of(watch);
    enum tg_source_state before = watch->state;
    if (trouble) {
        be_stale(watch, trouble, -1);
        return;
    }
    watch->trouble = TG_TROUBLE_NONE;
    tg_watch_set_state(watch, TG_SOURCE_CONNECTED);
    if (before != TG_SOURCE_CONNECTED && before != TG_SOURCE_CONNECTING)
        tg_info("source", "live_again", tg_s("account", watch->account->id));
    if (before != TG_SOURCE_CONNECTED) options->host->status(options->ctx, watch, NULL, NULL, -1);
}

void tg_watch_good(struct tg_watch *watch)
{
    struct tg_scheduler *scheduler = watch->scheduler;
    const struct tg_scheduler_options *options = &scheduler->options;
    bool first = !watch->account->known;
    int64_t now = tg_scheduler_now(scheduler);
    if (is_stranger(watch)) {
        watch->upstream->counters.rejected++;
        tg_watch_failed(watch, TG_POLL_STALE, "WRONG_ACCOUNT",
                        "the source has another login there now", 0);
        return;
    }
    static const char malformed[] = "the answer is older than the one before, or has a position or "
                                    "an order twice or without an id";
    int rc = tg_account_apply(watch->account, &watch->poll.records, &watch->upstream->account, now,
                              tg_wall_ms(options->clock));
    if (rc) {
        watch->upstream->counters.rejected++;
        tg_watch_failed(watch, rc == -TG_EINVAL ? TG_POLL_STALE : TG_POLL_FAILED,
                        rc == -TG_EINVAL ? "BAD_DOCUMENT" : "NO_MEMORY",
                        rc == -TG_EINVAL ? malformed : tg_strerror(rc), 0);
        return;
    }
    if (options->host->applied) options->host->applied(options->ctx, watch);
    (void)tg_pace_ok(&watch->pace, now);
    if (tg_backoff_ok(&watch->backoff) || watch->state == TG_SOURCE_STALE)
        tg_watch_schedule(watch, tg_watch_next_beat(watch, now));
    tg_watch_set_unknown(watch, false);
    note_age(watch);
    be_good(watch);
    options->host->fresh(options->ctx, watch, first);
}
