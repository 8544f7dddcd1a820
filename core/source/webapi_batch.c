/* The order of the steps is what makes the polls right:
 *
 *     positions → orders → (history) → deals → accounts → (positions again) → …
 *
 * whatever is missing from the positions has its closing deal in the deals, which come later; and
 * an account that floats at a profit without a position in sight gets a second look. What follows
 * is about accounts that the answer left out. The server keeps no trade state of accounts that did
 * nothing since its last restart; those are known by their client's record, and have no positions.
 * But an answer can also be short, so nobody is called dormant before the server has said so when
 * asked for that account alone, and who had positions a moment ago only when it said so twice.
 *
 * Rows go straight to the records of the polls; nothing is applied before the batch is done. A
 * broken row spoils its own account, if it says whose it is, and the whole answer if it does not.
 */
#include "source/webapi_batch_inner.h"

#include <stdlib.h>
#include <string.h>

#define LATE_MS 120000       /* deals from before this, seen from the newest, are asked for apart */
#define TAKEN_MS 65000       /* owners ask for a minute more than they need */
#define CONFIRMED_MS 3600000 /* how long "no trade state" is believed without asking again */

void tg_webapi_batch_fini(struct tg_webapi_batch *batch)
{
    tg_webapi_rows_fini(&batch->rows);
    free(batch->jobs);
    free(batch->logins);
    free(batch->asked);
}

/* ---- begin and end ---- */

static int reserve(struct tg_webapi_batch *batch, uint32_t count)
{
    if (count <= batch->cap) return 0;
    struct tg_webapi_job **jobs = realloc(batch->jobs, count * sizeof(struct tg_webapi_job *));
    if (jobs) batch->jobs = jobs;
    uint64_t *logins = realloc(batch->logins, count * sizeof *logins);
    if (logins) batch->logins = logins;
    struct tg_webapi_client **asked = realloc(batch->asked, count * sizeof(*asked));
    if (asked) batch->asked = asked;
    if (!jobs || !logins || !asked) return -TG_ENOMEM;
    batch->cap = count;
    return 0;
}

/* Deals from the last poll that had them; what came before is known. From longer ago when the owner
 * has not taken those polls in. */
static int64_t since_of(const struct tg_webapi_job *job)
{
    int64_t wanted = job->poll->deals_since_ms, known = job->client->deals_ms;
    return known > wanted && wanted >= known - TAKEN_MS ? known : wanted;
}

int tg_webapi_batch_begin(struct tg_webapi_batch *batch, struct tg_webapi_job **jobs,
                          uint32_t count, int64_t now_ms, int64_t wall_ms)
{
    int64_t newest = INT64_MIN;
    int rc = reserve(batch, count);
    if (rc) return rc;
    memcpy(batch->jobs, jobs, count * sizeof(struct tg_webapi_job *));
    batch->count = count;
    batch->last = NULL;
    batch->by_group = batch->options->groups && count > (uint32_t)batch->options->logins;
    batch->step = TG_WEBAPI_POSITIONS;
    batch->cursor = 0;
    batch->singles = 0;
    batch->failed = false;
    batch->started_ms = now_ms;
    batch->started_wall_ms = wall_ms;
    for (uint32_t i = 0; i < count; i++) {
        jobs[i]->since_ms = since_of(jobs[i]);
        if (jobs[i]->since_ms > newest) newest = jobs[i]->since_ms;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct tg_webapi_job *job = jobs[i];
        tg_records_clear(&job->poll->records);
        job->client->job = job;
        job->client->seen_ms = now_ms;
        job->late = job->since_ms < newest - LATE_MS;
    }
    return 0;
}

void tg_webapi_batch_cancel(struct tg_webapi_job *job)
{
    job->poll = NULL;
    if (job->client && job->client->job == job) job->client->job = NULL;
}

void tg_webapi_batch_end(struct tg_webapi_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->jobs[i]->client->job == batch->jobs[i]) batch->jobs[i]->client->job = NULL;
    batch->count = 0;
}

void tg_webapi_batch_fail(struct tg_webapi_batch *batch, const struct tg_rest_verdict *verdict)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct tg_webapi_job *job = batch->jobs[i];
        if (!tg_webapi_job_alive(job)) continue;
        job->verdict = *verdict;
        job->failed = true;
    }
    batch->failed = true;
    batch->step = TG_WEBAPI_STEPS;
}

/* ---- between the steps ---- */

/* Records are read again one after the other, spread over a quarter of their time, not all of a
 * server's at once. */
static bool fresh(const struct tg_webapi_batch *batch, const struct tg_webapi_client *client,
                  int64_t read_ms, int64_t for_ms)
{
    int64_t early = (int64_t)(client->login * 40503 % 1024) * (for_ms / 4096);
    return read_ms && batch->started_ms - read_ms < for_ms - early;
}

/* An account that the answer left out. */
static void plan_missing(struct tg_webapi_batch *batch, struct tg_webapi_job *job)
{
    const struct tg_webapi_client *client = job->client;
    if (job->poll->records.positions_count) {
        tg_webapi_job_fail(
            job, TG_POLL_STALE, "PARTIAL_ANSWER",
            "the server told positions of the account and left the account itself out");
        return;
    }
    job->wants_state =
        !fresh(batch, client, client->dormant_ms, CONFIRMED_MS) || client->positions > 0;
    /* A record that was read while there was a state to go by says what the balance was before it.
     */
    job->wants_user = client->user_ms <= client->state_ms ||
                      !fresh(batch, client, client->user_ms, batch->options->dormant_ms);
}

/* After the accounts: who has to be looked at again, and how. */
static void plan(struct tg_webapi_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct tg_webapi_job *job = batch->jobs[i];
        if (!tg_webapi_job_alive(job)) continue;
        if (job->has_account) {
            job->wants_user =
                !fresh(batch, job->client, job->client->user_ms, batch->options->metadata_ms);
            job->client->dormant_ms = 0;
            job->client->state_ms = batch->started_ms;
        } else {
            plan_missing(batch, job);
        }
    }
}

/* Two looks at the positions and none, of an account that floats. */
static void judge_moving(struct tg_webapi_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (tg_webapi_job_alive(batch->jobs[i]) && batch->jobs[i]->moving &&
            !batch->jobs[i]->poll->records.positions_count)
            tg_webapi_job_fail(
                batch->jobs[i], TG_POLL_STALE, "INCONSISTENT",
                "the account has a floating profit and the server tells no positions");
}

/* Where something is unexplained, deals may have been listed late: then all that the owner asks
 * for. */
static void look_back(struct tg_webapi_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct tg_webapi_job *job = batch->jobs[i];
        if (!tg_webapi_job_alive(job) || job->since_ms <= job->poll->deals_since_ms) continue;
        const struct tg_poll_ops *ops = job->poll->ops;
        if (!ops->wants_deals || !ops->wants_deals(job->poll)) continue;
        job->since_ms = job->poll->deals_since_ms;
        job->late = true;
    }
}

/* Masks instead of logins, when more are to be asked for than one request names: all are told then.
 */
static bool wants_all_history(struct tg_webapi_batch *batch)
{
    int64_t wanted = 0;
    if (!batch->by_group) return false;
    for (uint32_t i = 0; i < batch->count; i++)
        wanted += tg_webapi_job_alive(batch->jobs[i]) &&
                  tg_webapi_job_plan_history(batch, batch->jobs[i]);
    if (wanted <= batch->options->logins) return false;
    for (uint32_t i = 0; i < batch->count; i++)
        batch->jobs[i]->asked_history = tg_webapi_job_alive(batch->jobs[i]);
    return true;
}

static void next_step(struct tg_webapi_batch *batch)
{
    if (batch->step == TG_WEBAPI_ACCOUNTS) plan(batch);
    if (batch->step == TG_WEBAPI_POSITIONS_AGAIN) judge_moving(batch);
    batch->step++;
    if (batch->step == TG_WEBAPI_ORDERS && !batch->options->orders) batch->step += 2;
    if (batch->step == TG_WEBAPI_HISTORY) batch->history_all = wants_all_history(batch);
    if (batch->step == TG_WEBAPI_DEALS) look_back(batch);
    batch->cursor = 0;
    batch->singles = 0;
}

bool tg_webapi_batch_next(struct tg_webapi_batch *batch, struct tg_webapi_request *request)
{
    while (batch->step < TG_WEBAPI_STEPS) {
        if (tg_webapi_batch_ask(batch, request)) return true;
        next_step(batch);
        if (batch->step < TG_WEBAPI_STEPS) continue;
        for (uint32_t i = 0; i < batch->count; i++)
            tg_webapi_batch_settle(batch, batch->jobs[i]);
    }
    return false;
}
