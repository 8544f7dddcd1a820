/* The receiving half of a batch: rows to the records they belong to, answers to what they decide.
 */
#include "source/webapi_batch_inner.h"

#include "base/log.h"
#include "source/webapi_retcode.h"

#include <string.h>

#define USERS_REFUSED_MS 10000
#define NEAR 16 /* logins looked at before the map is asked */

/* Servers tell accounts in the order in which they were asked for, mostly, and leave out those that
 * have no rows: the next one is near. NULL when it is not. */
static struct tg_webapi_client *near(struct tg_webapi_batch *batch, uint64_t login)
{
    uint32_t left = batch->logins_count - batch->near;
    const uint64_t *logins = batch->logins + batch->near;
    for (uint32_t i = 0; i < NEAR && i < left; i++) {
        if (logins[i] != login) continue;
        batch->near += i + 1;
        return batch->asked[batch->near - 1];
    }
    return NULL;
}

/* The job that a row of this login is for; NULL when nobody asked. Rows of one account stand
 * together, mostly. */
static struct tg_webapi_job *job_of(struct tg_webapi_batch *batch, uint64_t login)
{
    struct tg_webapi_client *client = batch->last;
    if (!client || client->login != login) client = near(batch, login);
    if (!client) client = tg_webapi_clients_find(batch->clients, login);
    batch->last = client;
    return client && client->job && tg_webapi_job_alive(client->job) ? client->job : NULL;
}

/* A row that could not be read: whose was it, and does it matter to them? */
static void bad_row(struct tg_webapi_batch *batch, uint64_t login, int rc, bool *flag,
                    const char *why)
{
    struct tg_webapi_job *job = login ? job_of(batch, login) : NULL;
    if (rc == -TG_ENOMEM || !login) {
        batch->broken = true;
        return;
    }
    if (!job) return;
    tg_warn("source", "bad_row", tg_s("account", job->poll->account_id), tg_s("what", why));
    if (flag)
        *flag = true;
    else
        tg_webapi_job_fail(job, TG_POLL_FAILED, "BAD_ROW", why);
}

static void position_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    struct tgl_position position;
    uint64_t login = 0;
    int rc = tg_webapi_read_position(&batch->rows, batch->zone, json, &login, &position);
    if (rc) {
        bad_row(batch, login, rc, NULL, "a position of the account cannot be read");
        return;
    }
    struct tg_webapi_job *job = job_of(batch, login);
    struct tgl_position *row = job ? tg_records_add_position(&job->poll->records) : NULL;
    if (row)
        *row = position;
    else if (job)
        batch->broken = true;
}

static void order_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    struct tgl_order order, *row;
    bool history = batch->step == TG_WEBAPI_HISTORY;
    uint64_t login = 0;
    int rc = tg_webapi_read_order(&batch->rows, batch->zone, json, &login, &order);
    struct tg_webapi_job *job = login ? job_of(batch, login) : NULL;
    if (rc) {
        bool none, *flag = job ? history ? &job->history_bad : &job->orders_bad : &none;
        bad_row(batch, login, rc, flag, "an order of the account cannot be read");
        return;
    }
    if (!job) return;
    row = history ? tg_records_add_history(&job->poll->records)
                  : tg_records_add_order(&job->poll->records);
    if (row)
        *row = order;
    else
        batch->broken = true;
}

static void deal_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    struct tgl_deal deal, *row;
    uint64_t login = 0;
    int rc = tg_webapi_read_deal(&batch->rows, batch->zone, json, &login, &deal);
    struct tg_webapi_job *job = login ? job_of(batch, login) : NULL;
    if (rc) {
        bool none, *flag = job ? &job->deals_bad : &none;
        bad_row(batch, login, rc, flag, "a deal of the account cannot be read");
        return;
    }
    if (!job || job->late != (batch->step == TG_WEBAPI_DEALS_LATE)) return;
    row = tg_records_add_deal(&job->poll->records);
    if (row)
        *row = deal;
    else
        batch->broken = true;
}

static void account_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    struct tg_webapi_account account;
    uint64_t login = 0;
    int rc = tg_webapi_read_account(&batch->rows, json, &login, &account);
    if (rc) {
        bad_row(batch, login, rc, NULL, "the account's trade state cannot be read");
        return;
    }
    struct tg_webapi_job *job = job_of(batch, login);
    if (!job) return;
    job->account = account;
    job->has_account = true;
    job->moving = account.moving;
}

static void user_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    struct tg_webapi_user user;
    uint64_t login = 0;
    int rc = tg_webapi_read_user(&batch->rows, json, &login, &user);
    struct tg_webapi_job *job = rc ? NULL : job_of(batch, login);
    if (!job) return; /* a record that cannot be read leaves the account without one */
    job->client->user = user;
    job->client->user_ms = batch->started_ms;
    job->user_told = true;
}

/* An account that was asked for by itself, because the answer before had left it out: it is there.
 * Masks that it does not match leave it out every time; from now on it goes by its login. */
static void state_row(struct tg_webapi_batch *batch)
{
    struct tg_webapi_job *job = batch->jobs[batch->to - 1];
    job->client->dormant_ms = 0;
    if (batch->by_group) job->client->by_login = true;
    tg_webapi_job_fail(
        job, TG_POLL_STALE, "PARTIAL_ANSWER",
        "the server left the account out of a list, and has it when asked for it alone");
}

static void fact_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    struct tg_webapi_fact *fact = batch->fact;
    struct tg_webapi_group group;
    char symbol[sizeof fact->name];
    int32_t digits;
    if (batch->step == TG_WEBAPI_GROUPS) {
        if (tg_webapi_read_group(&batch->rows, json, &group)) return;
        fact->group = group;
    } else {
        if (tg_webapi_read_symbol(&batch->rows, json, symbol, sizeof symbol, &digits)) return;
        if (strcmp(symbol, fact->name) != 0) return;
        fact->digits = digits;
    }
    fact->read_ms = batch->started_ms;
}

void tg_webapi_batch_row(struct tg_webapi_batch *batch, const struct tg_webapi_row *json)
{
    switch (batch->step) {
    case TG_WEBAPI_POSITIONS:
    case TG_WEBAPI_POSITIONS_AGAIN: position_row(batch, json); break;
    case TG_WEBAPI_ORDERS:
    case TG_WEBAPI_HISTORY: order_row(batch, json); break;
    case TG_WEBAPI_DEALS:
    case TG_WEBAPI_DEALS_LATE: deal_row(batch, json); break;
    case TG_WEBAPI_ACCOUNTS: account_row(batch, json); break;
    case TG_WEBAPI_USERS:
    case TG_WEBAPI_USERS_SINGLE: user_row(batch, json); break;
    case TG_WEBAPI_STATES: state_row(batch); break;
    default: fact_row(batch, json); break;
    }
}

/* ---- answers ---- */

/* Steps without which a poll is no poll. */
static bool vital(enum tg_webapi_step step)
{
    return step == TG_WEBAPI_POSITIONS || step == TG_WEBAPI_ACCOUNTS ||
           step == TG_WEBAPI_POSITIONS_AGAIN;
}

/* A part has been read for all jobs of the request: it is known, and may be known to be empty. */
static void mark_known(struct tg_webapi_batch *batch)
{
    for (uint32_t i = batch->from; i < batch->to; i++) {
        struct tg_webapi_job *job = batch->jobs[i];
        if (!job->poll) continue;
        struct tg_records *records = &job->poll->records;
        switch (batch->step) {
        case TG_WEBAPI_POSITIONS: records->positions_known = true; break;
        case TG_WEBAPI_ORDERS: records->orders_known = true; break;
        case TG_WEBAPI_HISTORY: records->history_known |= job->asked_history; break;
        case TG_WEBAPI_DEALS: records->deals_known |= !job->late; break;
        case TG_WEBAPI_DEALS_LATE: records->deals_known |= job->late; break;
        default: break;
        }
    }
}

/* A part that failed is not known, and takes its rows with it. */
static void drop_part(struct tg_webapi_batch *batch, const struct tg_rest_verdict *verdict)
{
    for (uint32_t i = batch->from; i < batch->to; i++) {
        struct tg_webapi_job *job = batch->jobs[i];
        if (!job->poll) continue;
        struct tg_records *records = &job->poll->records;
        if (batch->step == TG_WEBAPI_ORDERS) records->orders_count = 0;
        if (batch->step == TG_WEBAPI_HISTORY) records->history_count = 0;
        if (batch->step == TG_WEBAPI_DEALS && !job->late) records->deals_count = 0;
        if (batch->step == TG_WEBAPI_DEALS_LATE && job->late) records->deals_count = 0;
    }
    tg_warn("source", "part_failed", tg_s("code", verdict->code),
            tg_s("message", verdict->message));
}

/* "No such account" and "no trade state of it", as the server says them of one login. */
static void take_absence(struct tg_webapi_batch *batch, const struct tg_webapi_answer *answer)
{
    struct tg_webapi_job *job = batch->jobs[batch->to - 1];
    struct tg_webapi_client *client = job->client;
    bool absent = tg_webapi_classify(answer->retcode) == TG_WEBAPI_NO_DATA;
    if (!tg_webapi_job_alive(job) || !absent) return;
    if (batch->step == TG_WEBAPI_USERS_SINGLE) {
        job->user_gone = answer->retcode == 13;
        return;
    }
    if (client->positions > 0 && ++client->missed < 2) return;
    client->positions = 0;
    client->dormant_ms = batch->started_ms;
}

/* A batch of clients' records that the server does not know: they are read one by one. */
static bool unknown_command(const struct tg_webapi_answer *answer)
{
    return answer->retcode == 12000 || answer->retcode == 12002 || answer->retcode == 3 ||
           (answer->retcode < 0 && (answer->status == 404 || answer->status == 405));
}

/* Who may ask and is told no lacks a permission; that is asked again soon, because no account is
 * locked for it. */
static bool withheld(const struct tg_webapi_answer *answer)
{
    return tg_webapi_classify(answer->retcode) == TG_WEBAPI_REFUSED &&
           (answer->retcode < 1000 || answer->retcode >= 12000);
}

static bool is_list(enum tg_webapi_step step)
{
    return step <= TG_WEBAPI_USERS;
}

bool tg_webapi_batch_answer(struct tg_webapi_batch *batch, const struct tg_webapi_answer *answer,
                            struct tg_rest_verdict *verdict)
{
    const char *what = batch->step == TG_WEBAPI_ACCOUNTS ? "accounts"
                       : vital(batch->step)              ? "positions"
                                                         : "a batch";
    bool no_data = answer->retcode >= 0 && tg_webapi_classify(answer->retcode) == TG_WEBAPI_NO_DATA;
    *verdict = (struct tg_rest_verdict){0};
    bool failed = tg_webapi_judge(answer, what, verdict);
    if (failed && withheld(answer)) verdict->end = TG_POLL_DENIED;
    if (!failed && batch->broken)
        failed = tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT",
                              "%s: a row cannot be read, and does not say whose it is", what);
    /* A list that is not there is not an empty list, unless the server says that there is none. */
    if (!failed && is_list(batch->step) && !no_data && !answer->listed && !answer->single)
        failed = tg_rest_fail(verdict, TG_POLL_FAILED, "BAD_DOCUMENT", "%s: the answer has no list",
                              what);
    if (batch->step == TG_WEBAPI_USERS && unknown_command(answer)) {
        batch->user_singles = true;
        return false;
    }
    if (batch->step == TG_WEBAPI_USERS_SINGLE || batch->step == TG_WEBAPI_STATES)
        take_absence(batch, answer);
    if (!failed) {
        mark_known(batch);
        return false;
    }
    bool heavy = verdict->end == TG_POLL_BUSY ||
                 tg_webapi_classify(answer->retcode) == TG_WEBAPI_MOVE || answer->retcode == 15;
    if (vital(batch->step) || heavy) {
        tg_webapi_batch_fail(batch, verdict);
        return true;
    }
    if ((verdict->end == TG_POLL_REFUSED || verdict->end == TG_POLL_DENIED) &&
        (batch->step == TG_WEBAPI_USERS || batch->step == TG_WEBAPI_USERS_SINGLE))
        batch->users_after_ms = batch->started_ms + USERS_REFUSED_MS;
    drop_part(batch, verdict);
    return false;
}
