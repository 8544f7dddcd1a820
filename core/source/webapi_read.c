/* Accounts, clients, groups, symbols and the server's time. */
#include "base/text.h"
#include "source/webapi_read_inner.h"

#include <stdio.h>
#include <string.h>

static const int8_t margin_modes[] = {TG_MARGIN_MODE_NETTING, TG_MARGIN_MODE_EXCHANGE,
                                      TG_MARGIN_MODE_HEDGING};

struct account_row {
    uint64_t login;
    int64_t digits, leverage;
    double balance, credit, margin, margin_free, margin_level, profit, storage, floating, equity;
};

#define ACCOUNT_COLUMNS(V, X)              \
    V(X, U64, "Login", login)              \
    V(X, I64, "CurrencyDigits", digits)    \
    V(X, F64, "Balance", balance)          \
    V(X, F64, "Credit", credit)            \
    V(X, F64, "Margin", margin)            \
    V(X, F64, "MarginFree", margin_free)   \
    V(X, F64, "MarginLevel", margin_level) \
    V(X, I64, "MarginLeverage", leverage)  \
    V(X, F64, "Profit", profit)            \
    V(X, F64, "Storage", storage)          \
    V(X, F64, "Floating", floating)        \
    V(X, F64, "Equity", equity)
enum { ACCOUNT_COLUMNS(COLUMN_AT, A_) };
static const struct tg_webapi_column account_columns[] = {
    ACCOUNT_COLUMNS(COLUMN_ROW, struct account_row){0}};

int tg_webapi_read_account(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                           uint64_t *login, struct tg_webapi_account *out)
{
    struct account_row row = {0};
    struct tg_webapi_given given;
    struct tgl_account *account = &out->account;
    int rc = read_row(rows, json, account_columns, &row, login, &given);
    if (rc) return rc;
    *login = has(given.good, A_login) ? row.login : 0;
    if (!all(&given, BIT(A_login) | BIT(A_balance) | BIT(A_equity)) || given.bad) return -TG_EINVAL;
    tg_account_blank(account);
    out->fields = TG_ACCOUNT_BIT(login) | TG_ACCOUNT_BIT(currency_digits);
    (void)snprintf(account->login, sizeof account->login, "%llu", (unsigned long long)row.login);
    account->currency_digits = decimals(has(given.good, A_digits), row.digits, 2);
    /* The profit of an account is what its positions float at, swap included. */
    bool floats = has(given.good, A_floating);
    const struct {
        bool given;
        double value, *into;
        uint64_t bit;
    } money[] = {
        {true, row.balance, &account->balance, TG_ACCOUNT_BIT(balance)},
        {true, row.equity, &account->equity, TG_ACCOUNT_BIT(equity)},
        {has(given.good, A_credit), row.credit, &account->credit, TG_ACCOUNT_BIT(credit)},
        {floats || has(given.good, A_profit), floats ? row.floating : row.profit + row.storage,
         &account->profit, TG_ACCOUNT_BIT(profit)},
        {has(given.good, A_margin), row.margin, &account->margin, TG_ACCOUNT_BIT(margin)},
        {has(given.good, A_margin_free), row.margin_free, &account->margin_free,
         TG_ACCOUNT_BIT(margin_free)},
        {has(given.good, A_margin_level), row.margin_level, &account->margin_level,
         TG_ACCOUNT_BIT(margin_level)},
    };
    for (int i = 0; i < COUNT(money); i++) {
        if (!money[i].given) continue;
        *money[i].into = money[i].value;
        out->fields |= money[i].bit;
    }
    if (has(given.good, A_leverage) && row.leverage > 0 && row.leverage <= INT32_MAX) {
        account->leverage = (int32_t)row.leverage;
        out->fields |= TG_ACCOUNT_BIT(leverage);
    }
    out->moving = row.profit != 0 || row.storage != 0;
    return 0;
}

struct user_row {
    uint64_t login, rights;
    int64_t leverage;
    double balance, credit;
    const struct tg_json_token *name, *group;
};

#define USER_COLUMNS(V, X)          \
    V(X, U64, "Login", login)       \
    V(X, STRING, "Group", group)    \
    V(X, U64, "Rights", rights)     \
    V(X, STRING, "Name", name)      \
    V(X, I64, "Leverage", leverage) \
    V(X, F64, "Balance", balance)   \
    V(X, F64, "Credit", credit)
enum { USER_COLUMNS(COLUMN_AT, U_) };
static const struct tg_webapi_column user_columns[] = {
    USER_COLUMNS(COLUMN_ROW, struct user_row){0}};

#define RIGHT_ENABLED 0x1
#define RIGHT_NO_TRADE 0x4

int tg_webapi_read_user(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                        uint64_t *login, struct tg_webapi_user *user)
{
    struct user_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, json, user_columns, &row, login, &given);
    if (rc) return rc;
    *login = has(given.good, U_login) ? row.login : 0;
    if (!*login) return -TG_EINVAL;
    *user = (struct tg_webapi_user){.trade_allowed = -1, .balance = NAN, .credit = NAN};
    if (row.name) (void)tg_webapi_rows_text(rows, row.name, user->name, sizeof user->name);
    if (row.group && !tg_webapi_rows_text(rows, row.group, user->group, sizeof user->group))
        *user->group = '\0'; /* cut off, it would be another group */
    if (has(given.good, U_leverage) && row.leverage > 0 && row.leverage <= INT32_MAX)
        user->leverage = (int32_t)row.leverage;
    if (has(given.good, U_rights))
        user->trade_allowed = (row.rights & RIGHT_ENABLED) && !(row.rights & RIGHT_NO_TRADE);
    if (has(given.good, U_balance)) user->balance = row.balance;
    if (has(given.good, U_credit)) user->credit = row.credit;
    return 0;
}

struct group_row {
    int64_t digits, margin_mode;
    const struct tg_json_token *currency, *company;
};

static const struct tg_webapi_column group_columns[] = {
    TG_WEBAPI_COLUMN(struct group_row, STRING, "Currency", currency),
    TG_WEBAPI_COLUMN(struct group_row, STRING, "Company", company),
    TG_WEBAPI_COLUMN(struct group_row, I64, "CurrencyDigits", digits),
    TG_WEBAPI_COLUMN(struct group_row, I64, "MarginMode", margin_mode),
    {0}};

int tg_webapi_read_group(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                         struct tg_webapi_group *group)
{
    struct group_row row = {.margin_mode = -1};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, json, group_columns, &row, &given);
    if (rc) return rc;
    *group = (struct tg_webapi_group){0};
    if (row.currency)
        (void)tg_webapi_rows_text(rows, row.currency, group->currency, sizeof group->currency);
    if (row.company)
        (void)tg_webapi_rows_text(rows, row.company, group->company, sizeof group->company);
    group->currency_digits = decimals(has(given.good, 2), row.digits, -1);
    group->margin_mode =
        named(margin_modes, COUNT(margin_modes), row.margin_mode, TG_MARGIN_MODE_UNKNOWN);
    return *group->currency ? 0 : -TG_EINVAL;
}

struct symbol_row {
    int64_t digits;
    const struct tg_json_token *symbol;
};

static const struct tg_webapi_column symbol_columns[] = {
    TG_WEBAPI_COLUMN(struct symbol_row, STRING, "Symbol", symbol),
    TG_WEBAPI_COLUMN(struct symbol_row, I64, "Digits", digits),
    {0}};

int tg_webapi_read_symbol(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                          char *symbol, size_t size, int32_t *digits)
{
    struct symbol_row row = {0};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, json, symbol_columns, &row, &given);
    if (rc) return rc;
    if (!all(&given, 3) || !tg_webapi_rows_text(rows, row.symbol, symbol, size)) return -TG_EINVAL;
    *digits = decimals(true, row.digits, 5);
    return 0;
}

struct zone_row {
    int64_t minutes, summer, saving;
};

static const struct tg_webapi_column zone_columns[] = {
    TG_WEBAPI_COLUMN(struct zone_row, I64, "TimeZone", minutes),
    TG_WEBAPI_COLUMN(struct zone_row, I64, "DaylightState", summer),
    TG_WEBAPI_COLUMN(struct zone_row, I64, "Daylight", saving),
    {0}};

int tg_webapi_read_zone(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                        int32_t *offset_s)
{
    struct zone_row row = {0};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, json, zone_columns, &row, &given);
    if (rc) return rc;
    if (!has(given.good, 0) || row.minutes < -14 * 60 || row.minutes > 14 * 60) return -TG_EINVAL;
    if (!has(given.good, 1) && row.saving) return -TG_EINVAL; /* it has summers; is it one? */
    *offset_s = (int32_t)row.minutes * 60 + (row.summer ? 3600 : 0);
    return 0;
}

/* MetaTrader's documentation writes "Time", servers send "time". */
struct time_row {
    const struct tg_json_token *time, *documented;
};

static const struct tg_webapi_column time_columns[] = {
    TG_WEBAPI_COLUMN(struct time_row, STRING, "time", time),
    TG_WEBAPI_COLUMN(struct time_row, STRING, "Time", documented),
    {0}};

int tg_webapi_read_time_text(const char *text, size_t len, int64_t *server_s)
{
    const char *blank = memchr(text, ' ', len);
    int64_t seconds;
    if (tg_read_i64(text, blank ? (size_t)(blank - text) : len, &seconds) || seconds <= 0)
        return -TG_EINVAL;
    *server_s = seconds;
    return 0;
}

int tg_webapi_read_time(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                        int64_t *server_s)
{
    struct time_row row = {0};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, json, time_columns, &row, &given);
    if (rc) return rc;
    const struct tg_json_token *time = row.time ? row.time : row.documented;
    return time ? tg_webapi_read_time_text(time->text, time->len, server_s) : -TG_EINVAL;
}
