/* The gap: what moved the account's money and no deal explains. It is what tells a close from an
 * absence. */
#include "model/lifecycle_inner.h"

#include "base/decimal.h"

int tg_walk_weight(int polls, int repeats)
{
    return polls + repeats / TG_PATIENCE;
}

static double known(double value)
{
    return isnan(value) ? 0 : value;
}

double tg_deal_money(const struct tgl_deal *deal)
{
    return known(deal->profit) + known(deal->swap) + known(deal->commission) + known(deal->fee);
}

/* What moved the account's money and no deal explains, listed ones that wait included. Whether it
 * can be known. */
void tg_gap_find(struct tg_walk *walk)
{
    const struct tg_account *account = walk->account;
    const struct tg_records *records = walk->records;
    double before = account->now.balance + known(account->now.credit);
    double after = records->account.balance + known(records->account.credit);
    walk->gap = account->drift;
    if (records->account_known) walk->gap += after - before;
    for (uint32_t i = 0; records->deals_known && i < records->deals_count; i++)
        if (walk->marks[i] == TG_DEAL_FREE && tg_walk_is_news(account, records->deals[i].time))
            walk->gap -= tg_deal_money(&records->deals[i]);
    bool deals =
        records->deals_known || !account->deals_ever || !tg_account_wants_deals(account, records);
    walk->gap_known = records->account_known && deals && !isnan(walk->gap);
}

static double money_of(const struct tgl_account *account)
{
    return account->balance + known(account->credit);
}

/* What the account's money was before a position was missing. It is sure when two polls say the
 * same: deals are listed before and after the balance has them. Until then the next poll's is
 * taken. A deal that was made before it and is listed only now says nothing of the time since. */
void tg_gap_take(const struct tg_walk *walk, const struct tg_suspect *before,
                 struct tg_suspect *suspect)
{
    const struct tg_account *account = walk->account;
    const struct tg_records *records = walk->records;
    if (before && !isnan(before->gap)) {
        suspect->gap = before->gap;
        suspect->gap_ms = before->gap_ms;
        suspect->money = before->money;
    } else {
        bool sure = tg_same(account->gap, account->steady, account->now.currency_digits);
        suspect->gap = sure ? account->steady : NAN;
        suspect->gap_ms = account->steady_ms;
        suspect->money = money_of(&account->now);
    }
    for (uint32_t i = 0; records->deals_known && i < records->deals_count; i++) {
        const struct tgl_deal *deal = &records->deals[i];
        int64_t grain = deal->time % 1000 ? 0 : 999;
        if (walk->marks[i] != TG_DEAL_KNOWN && deal->time + grain < suspect->gap_ms &&
            tg_walk_is_news(account, deal->time) && !tg_waits_find(&account->waiting, deal))
            suspect->gap -= tg_deal_money(deal);
    }
}

/* How many polls a difference is held without a deal. A close moves the balance. While every move
 * of it is explained by other deals, an absence is most likely the source's: a terminal that logs
 * in again shows no positions for a while. Something unexplained speaks for a close only when it
 * stands for two polls, and came since the position is missing. */
int tg_gap_patience(const struct tg_walk *walk, const struct tg_plan *plan,
                    const struct tg_suspect *suspect)
{
    const struct tg_account *account = walk->account;
    int polls = walk->policy->suspect_polls, digits = account->now.currency_digits;
    if (plan->now || polls == 1 || isnan(account->now.balance)) return polls;
    if (!walk->gap_known || !suspect || isnan(suspect->gap)) return polls * TG_PATIENCE;
    struct tg_suspect since;
    tg_gap_take(walk, suspect, &since);
    bool moved = !tg_same(walk->gap, since.gap, digits) &&
                 tg_same(walk->gap, account->gap, digits) &&
                 (plan->repeats >= TG_PATIENCE || !tg_walk_is_repeat(account, walk->records)) &&
                 !tg_same(money_of(&walk->records->account), since.money, digits);
    return moved ? polls : polls * TG_PATIENCE;
}
