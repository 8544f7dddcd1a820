/* How a batch ends for each of its jobs: what was read of the account, its client, its group and
 * its symbols becomes one set of records, or a verdict. */
#include "source/webapi_batch_inner.h"

#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The state of an account that the server keeps none of: its record is all there is. */
static void settle_dormant(struct tg_webapi_batch *batch, struct tg_webapi_job *job)
{
    struct tg_webapi_client *client = job->client;
    const struct tg_webapi_user *user = &client->user;
    struct tgl_account *account = &job->account.account;
    if (job->user_gone) {
        tg_webapi_job_fail(job, TG_POLL_UNKNOWN, "NO_SUCH_ACCOUNT",
                           "the server has no such account");
    } else if (!client->dormant_ms || client->positions > 0) {
        tg_webapi_job_fail(job, TG_POLL_STALE, "MISSING_ACCOUNT",
                           "the server left the account out of its answer");
    } else if (!client->user_ms || isnan(user->balance) || isnan(user->credit)) {
        tg_webapi_job_fail(
            job, TG_POLL_STALE, "MISSING_ACCOUNT",
            "the server keeps no trade state of the account, and its record could not be read");
    }
    if (!tg_webapi_job_alive(job)) return;
    tg_account_blank(account);
    (void)snprintf(account->login, sizeof account->login, "%" PRIu64, client->login);
    account->balance = user->balance;
    account->credit = user->credit;
    account->equity = account->margin_free = user->balance + user->credit;
    account->profit = account->margin = account->margin_level = 0;
    job->account.fields = TG_ACCOUNT_BIT(login) | TG_ACCOUNT_BIT(balance) | TG_ACCOUNT_BIT(credit) |
                          TG_ACCOUNT_BIT(equity) | TG_ACCOUNT_BIT(margin_free) |
                          TG_ACCOUNT_BIT(profit) | TG_ACCOUNT_BIT(margin) |
                          TG_ACCOUNT_BIT(margin_level);
    job->has_account = true;
    (void)batch;
}

static void take_user(struct tgl_account *account, uint64_t *fields,
                      const struct tg_webapi_user *user)
{
    tg_copy(account->name, sizeof account->name, user->name, strlen(user->name));
    *fields |= TG_ACCOUNT_BIT(name);
    if (!(*fields & TG_ACCOUNT_BIT(leverage)) && user->leverage) {
        account->leverage = user->leverage;
        *fields |= TG_ACCOUNT_BIT(leverage);
    }
    if (user->trade_allowed < 0) return;
    account->trade_allowed = user->trade_allowed;
    *fields |= TG_ACCOUNT_BIT(trade_allowed);
}

static void take_group(struct tgl_account *account, uint64_t *fields,
                       const struct tg_webapi_group *group)
{
    tg_copy(account->currency, sizeof account->currency, group->currency, strlen(group->currency));
    *fields |= TG_ACCOUNT_BIT(currency);
    if (*group->company) {
        tg_copy(account->company, sizeof account->company, group->company, strlen(group->company));
        *fields |= TG_ACCOUNT_BIT(company);
    }
    if (group->margin_mode) {
        account->margin_mode = group->margin_mode;
        *fields |= TG_ACCOUNT_BIT(margin_mode);
    }
    if ((*fields & TG_ACCOUNT_BIT(currency_digits)) || group->currency_digits < 0) return;
    account->currency_digits = group->currency_digits;
    *fields |= TG_ACCOUNT_BIT(currency_digits);
}

static int32_t digits_of(const struct tg_webapi_batch *batch, const char *symbol, int32_t told)
{
    const struct tg_webapi_fact *fact =
        told < 0 ? tg_map_get(&batch->clients->symbols, symbol, strlen(symbol)) : NULL;
    if (told >= 0) return told;
    return fact && fact->digits >= 0 ? fact->digits : 5;
}

void tg_webapi_batch_settle(struct tg_webapi_batch *batch, struct tg_webapi_job *job)
{
    struct tg_webapi_client *client = job->client;
    if (!tg_webapi_job_alive(job)) return;
    if (!job->has_account) settle_dormant(batch, job);
    if (!tg_webapi_job_alive(job)) return;
    struct tg_records *records = &job->poll->records;
    uint64_t *fields = &job->account.fields;
    const struct tg_webapi_fact *group =
        client->user_ms
            ? tg_map_get(&batch->clients->groups, client->user.group, strlen(client->user.group))
            : NULL;
    if (client->user_ms) take_user(&job->account.account, fields, &client->user);
    if (group && group->read_ms) take_group(&job->account.account, fields, &group->group);
    tg_copy(job->account.account.id, sizeof job->account.account.id, job->poll->account_id,
            strlen(job->poll->account_id));
    for (uint32_t i = 0; i < records->positions_count; i++)
        records->positions[i].digits =
            digits_of(batch, records->positions[i].symbol, records->positions[i].digits);
    for (uint32_t i = 0; i < records->orders_count; i++)
        records->orders[i].digits =
            digits_of(batch, records->orders[i].symbol, records->orders[i].digits);
    for (uint32_t i = 0; i < records->history_count; i++)
        records->history[i].digits =
            digits_of(batch, records->history[i].symbol, records->history[i].digits);
    records->account = job->account.account;
    records->account_fields = *fields | TG_ACCOUNT_BIT(id);
    records->account_known = true;
    records->source_time_ms = batch->started_wall_ms;
    records->orders_known = records->orders_known && !job->orders_bad;
    records->history_known = records->history_known && !job->history_bad;
    records->deals_known = records->deals_known && !job->deals_bad;
    client->positions = (int32_t)records->positions_count;
    client->missed = 0;
    if (records->deals_known) client->deals_ms = batch->started_wall_ms;
    if (records->history_known) client->history_ms = batch->started_wall_ms;
}
