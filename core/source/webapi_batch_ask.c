/* The asking half of a batch: whom a step is about, and what is asked of them. */
#include "source/webapi_batch_inner.h"

#include <inttypes.h>
#include <stdio.h>

#define AHEAD_S 86400 /* deals are asked for up to tomorrow: clocks differ */

static const enum tg_webapi_command commands[TG_WEBAPI_STEPS] = {
    [TG_WEBAPI_POSITIONS] = TG_WEBAPI_POSITION_GET_BATCH,
    [TG_WEBAPI_ORDERS] = TG_WEBAPI_ORDER_GET_BATCH,
    [TG_WEBAPI_HISTORY] = TG_WEBAPI_HISTORY_GET_BATCH,
    [TG_WEBAPI_DEALS] = TG_WEBAPI_DEAL_GET_BATCH,
    [TG_WEBAPI_DEALS_LATE] = TG_WEBAPI_DEAL_GET_BATCH,
    [TG_WEBAPI_ACCOUNTS] = TG_WEBAPI_USER_ACCOUNT_GET_BATCH,
    [TG_WEBAPI_POSITIONS_AGAIN] = TG_WEBAPI_POSITION_GET_BATCH,
    [TG_WEBAPI_USERS] = TG_WEBAPI_USER_GET_BATCH,
    [TG_WEBAPI_USERS_SINGLE] = TG_WEBAPI_USER_GET,
    [TG_WEBAPI_STATES] = TG_WEBAPI_USER_ACCOUNT_GET,
    [TG_WEBAPI_GROUPS] = TG_WEBAPI_GROUP_GET,
    [TG_WEBAPI_SYMBOLS] = TG_WEBAPI_SYMBOL_GET,
};

/* Clients' records are refused to us: they are not asked for again at once. */
static bool closed(const struct tg_webapi_batch *batch)
{
    return batch->started_ms < batch->users_after_ms;
}

/* All that the owner asks for where something is to be explained; else, now and then, what came
 * since it was last read, because an order that was placed and ended between two polls leaves no
 * other trace. */
bool tg_webapi_job_plan_history(const struct tg_webapi_batch *batch, struct tg_webapi_job *job)
{
    const struct tg_poll *poll = job->poll;
    int64_t every = batch->options->history_ms, read = job->client->history_ms;
    bool wants = poll->ops->wants_deals && poll->ops->wants_deals(job->poll);
    bool due = every && batch->started_wall_ms - read >= every;
    job->history_since_ms = wants || read < poll->deals_since_ms ? poll->deals_since_ms : read;
    job->asked_history = wants || due;
    return job->asked_history;
}

/* Whether a step that goes by logins is about this job. */
static bool concerns(struct tg_webapi_batch *batch, struct tg_webapi_job *job)
{
    const struct tg_poll *poll = job->poll;
    if (!tg_webapi_job_alive(job)) return false;
    switch (batch->step) {
    case TG_WEBAPI_HISTORY: return tg_webapi_job_plan_history(batch, job);
    case TG_WEBAPI_DEALS: return !job->late;
    case TG_WEBAPI_DEALS_LATE: return job->late;
    case TG_WEBAPI_POSITIONS_AGAIN: return job->moving && !poll->records.positions_count;
    case TG_WEBAPI_USERS: return job->wants_user && !batch->user_singles && !closed(batch);
    case TG_WEBAPI_USERS_SINGLE: return job->wants_user && !job->user_told && !closed(batch);
    case TG_WEBAPI_STATES: return job->wants_state && !job->user_gone;
    default: return true;
    }
}

static bool asks_all(const struct tg_webapi_batch *batch)
{
    if (!batch->by_group) return false;
    return batch->step == TG_WEBAPI_POSITIONS || batch->step == TG_WEBAPI_ORDERS ||
           batch->step == TG_WEBAPI_DEALS || batch->step == TG_WEBAPI_ACCOUNTS ||
           (batch->step == TG_WEBAPI_HISTORY && batch->history_all);
}

static bool asks_singly(const struct tg_webapi_batch *batch)
{
    return batch->step == TG_WEBAPI_USERS_SINGLE || batch->step == TG_WEBAPI_STATES;
}

/* From when on this step needs a job's deals or orders; INT64_MAX when it is not about it. */
static int64_t needs_from(const struct tg_webapi_batch *batch, const struct tg_webapi_job *job)
{
    if (!job->poll) return INT64_MAX;
    if (batch->step == TG_WEBAPI_HISTORY)
        return job->asked_history ? job->history_since_ms : INT64_MAX;
    return job->late == (batch->step == TG_WEBAPI_DEALS_LATE) ? job->since_ms : INT64_MAX;
}

/* Deals and history: from the oldest moment that one of the jobs needs, in the server's time. */
static void add_period(struct tg_webapi_batch *batch, struct tg_webapi_request *request)
{
    int64_t since = batch->started_wall_ms;
    for (uint32_t i = batch->from; i < batch->to; i++) {
        int64_t from = needs_from(batch, batch->jobs[i]);
        if (from < since) since = from;
    }
    int64_t from = tg_webapi_zone_server_s(batch->zone, since - batch->options->deals_overlap_ms);
    int64_t to = tg_webapi_zone_server_s(batch->zone, batch->started_wall_ms) + AHEAD_S;
    (void)snprintf(batch->from_text, sizeof batch->from_text, "%" PRId64, from > 0 ? from : 0);
    (void)snprintf(batch->to_text, sizeof batch->to_text, "%" PRId64, to);
    tg_webapi_request_add(request, "from", batch->from_text);
    tg_webapi_request_add(request, "to", batch->to_text);
}

/* The next jobs of a step that goes by logins; false when there are none left. */
static bool gather(struct tg_webapi_batch *batch)
{
    uint32_t most = asks_singly(batch) ? 1 : (uint32_t)batch->options->logins;
    batch->logins_count = batch->near = 0;
    batch->from = batch->cursor;
    while (batch->cursor < batch->count && batch->logins_count < most) {
        struct tg_webapi_job *job = batch->jobs[batch->cursor++];
        if (!concerns(batch, job)) continue;
        batch->asked[batch->logins_count] = job->client;
        batch->logins[batch->logins_count++] = job->client->login;
    }
    batch->to = batch->cursor;
    return batch->logins_count > 0;
}

static bool ask_logins(struct tg_webapi_batch *batch, struct tg_webapi_request *request)
{
    if (asks_all(batch)) {
        if (batch->cursor) return false;
        batch->from = 0;
        batch->to = batch->cursor = batch->count;
        batch->logins_count = 0;
        tg_webapi_request_add(request, "group", batch->options->groups);
    } else if (asks_singly(batch)) {
        if (batch->singles == batch->options->single_max || !gather(batch)) return false;
        batch->singles++;
        (void)snprintf(batch->login_text, sizeof batch->login_text, "%" PRIu64, batch->logins[0]);
        tg_webapi_request_add(request, "login", batch->login_text);
    } else {
        if (!gather(batch)) return false;
        request->logins = batch->logins;
        request->logins_count = batch->logins_count;
    }
    if (batch->step == TG_WEBAPI_HISTORY || batch->step == TG_WEBAPI_DEALS ||
        batch->step == TG_WEBAPI_DEALS_LATE)
        add_period(batch, request);
    return true;
}

static bool outdated(const struct tg_webapi_batch *batch, const struct tg_webapi_fact *fact)
{
    return fact &&
           (!fact->asked_ms || batch->started_ms - fact->asked_ms >= batch->options->metadata_ms);
}

/* A group that a job's client is in, or a symbol of a position without decimals. */
static struct tg_webapi_fact *wanted_fact(struct tg_webapi_batch *batch, struct tg_webapi_job *job)
{
    if (!tg_webapi_job_alive(job)) return NULL;
    if (batch->step == TG_WEBAPI_GROUPS) {
        const char *group = job->client->user_ms ? job->client->user.group : "";
        struct tg_webapi_fact *fact =
            *group ? tg_webapi_fact_open(&batch->clients->groups, group) : NULL;
        return outdated(batch, fact) ? fact : NULL;
    }
    const struct tg_records *records = &job->poll->records;
    for (uint32_t i = 0; i < records->positions_count; i++) {
        if (records->positions[i].digits >= 0) continue;
        struct tg_webapi_fact *fact =
            tg_webapi_fact_open(&batch->clients->symbols, records->positions[i].symbol);
        if (outdated(batch, fact)) return fact;
    }
    return NULL;
}

static bool ask_fact(struct tg_webapi_batch *batch, struct tg_webapi_request *request)
{
    batch->fact = NULL;
    while (batch->cursor < batch->count && batch->singles < batch->options->single_max) {
        batch->fact = wanted_fact(batch, batch->jobs[batch->cursor]);
        if (batch->fact) break;
        batch->cursor++;
    }
    if (!batch->fact) return false;
    batch->singles++;
    batch->fact->asked_ms = batch->started_ms;
    tg_webapi_request_add(request, batch->step == TG_WEBAPI_GROUPS ? "group" : "symbol",
                          batch->fact->name);
    return true;
}

bool tg_webapi_batch_ask(struct tg_webapi_batch *batch, struct tg_webapi_request *request)
{
    bool fact = batch->step == TG_WEBAPI_GROUPS || batch->step == TG_WEBAPI_SYMBOLS;
    *request = (struct tg_webapi_request){.command = commands[batch->step]};
    batch->broken = false;
    return fact ? ask_fact(batch, request) : ask_logins(batch, request);
}
