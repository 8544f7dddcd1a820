/* A row is read into plain values and then judged: what a record cannot do without makes the row
 * bad, what it can is merely not known. The numbers of sides, entries and reasons are those of the
 * server's API; the terminal's API numbers reasons differently and is read elsewhere. */
#include "source/webapi_read.h"

#include "base/decimal.h"
#include "base/err.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

struct position_row {
    uint64_t login, position;
    int64_t action, digits, currency_digits, reason, create_s, update_s, create_ms, update_ms;
    int64_t volume, volume_ext, expert;
    double open, current, sl, tp, profit, storage;
    const struct tg_json_token *symbol, *comment, *external;
};

/* `enum { P_login, … }` and the table from one list, so that bits and rows agree. */
#define COLUMN_AT(prefix, kind, name, member) prefix##member,
#define COLUMN_ROW(type, kind, name, member) {name, TG_WEBAPI_##kind, offsetof(type, member)},

#define POSITION_COLUMNS(V, X)                   \
    V(X, U64, "Position", position)              \
    V(X, STRING, "ExternalID", external)         \
    V(X, U64, "Login", login)                    \
    V(X, STRING, "Symbol", symbol)               \
    V(X, I64, "Action", action)                  \
    V(X, I64, "Digits", digits)                  \
    V(X, I64, "DigitsCurrency", currency_digits) \
    V(X, I64, "Reason", reason)                  \
    V(X, I64, "TimeCreate", create_s)            \
    V(X, I64, "TimeUpdate", update_s)            \
    V(X, I64, "TimeCreateMsc", create_ms)        \
    V(X, I64, "TimeUpdateMsc", update_ms)        \
    V(X, F64, "PriceOpen", open)                 \
    V(X, F64, "PriceCurrent", current)           \
    V(X, F64, "PriceSL", sl)                     \
    V(X, F64, "PriceTP", tp)                     \
    V(X, I64, "Volume", volume)                  \
    V(X, I64, "VolumeExt", volume_ext)           \
    V(X, F64, "Profit", profit)                  \
    V(X, F64, "Storage", storage)                \
    V(X, I64, "ExpertID", expert)                \
    V(X, STRING, "Comment", comment)
enum { POSITION_COLUMNS(COLUMN_AT, P_) };
static const struct tg_webapi_column position_columns[] = {
    POSITION_COLUMNS(COLUMN_ROW, struct position_row){0}};

struct deal_row {
    uint64_t login, deal, order, position;
    int64_t action, entry, reason, digits, currency_digits, time_s, time_ms;
    int64_t volume, volume_ext, closed, closed_ext, expert;
    double price, sl, tp, profit, storage, commission, fee, price_position;
    const struct tg_json_token *symbol, *comment;
};

#define DEAL_COLUMNS(V, X)                       \
    V(X, U64, "Deal", deal)                      \
    V(X, U64, "Login", login)                    \
    V(X, U64, "Order", order)                    \
    V(X, I64, "Action", action)                  \
    V(X, I64, "Entry", entry)                    \
    V(X, I64, "Reason", reason)                  \
    V(X, I64, "Digits", digits)                  \
    V(X, I64, "DigitsCurrency", currency_digits) \
    V(X, I64, "Time", time_s)                    \
    V(X, I64, "TimeMsc", time_ms)                \
    V(X, STRING, "Symbol", symbol)               \
    V(X, F64, "Price", price)                    \
    V(X, F64, "PriceSL", sl)                     \
    V(X, F64, "PriceTP", tp)                     \
    V(X, I64, "Volume", volume)                  \
    V(X, I64, "VolumeExt", volume_ext)           \
    V(X, F64, "Profit", profit)                  \
    V(X, F64, "Storage", storage)                \
    V(X, F64, "Commission", commission)          \
    V(X, F64, "Fee", fee)                        \
    V(X, I64, "ExpertID", expert)                \
    V(X, U64, "PositionID", position)            \
    V(X, STRING, "Comment", comment)             \
    V(X, F64, "PricePosition", price_position)   \
    V(X, I64, "VolumeClosed", closed)            \
    V(X, I64, "VolumeClosedExt", closed_ext)
enum { DEAL_COLUMNS(COLUMN_AT, D_) };
static const struct tg_webapi_column deal_columns[] = {
    DEAL_COLUMNS(COLUMN_ROW, struct deal_row){0}};

static bool has(uint64_t bits, int column)
{
    return bits >> column & 1;
}

/* All of these columns are there and good. */
static bool all(const struct tg_webapi_given *given, uint64_t wanted)
{
    return (given->good & wanted) == wanted;
}

#define BIT(column) (UINT64_C(1) << (column))

/* Reads the row; one that is no JSON gives its login away all the same, if it can. */
static int read_row(struct tg_webapi_rows *rows, const char *text, size_t len,
                    const struct tg_webapi_column *columns, void *out, uint64_t *login,
                    struct tg_webapi_given *given)
{
    int rc = tg_webapi_rows_read(rows, text, len, columns, out, given);
    if (rc == -TG_EINVAL) *login = tg_webapi_rows_login(text, len);
    return rc;
}

static const int8_t reasons[] = {
    TG_REASON_MANUAL,   TG_REASON_EXPERT,   TG_REASON_DEALER, TG_REASON_SL,      TG_REASON_TP,
    TG_REASON_STOP_OUT, TG_REASON_ROLLOVER, TG_REASON_OTHER,  TG_REASON_VMARGIN, TG_REASON_OTHER,
    TG_REASON_OTHER,    TG_REASON_OTHER,    TG_REASON_OTHER,  TG_REASON_OTHER,   TG_REASON_OTHER,
    TG_REASON_OTHER,    TG_REASON_MOBILE,   TG_REASON_WEB,    TG_REASON_SPLIT};
static const int8_t actions[] = {
    TG_ACTION_BUY,        TG_ACTION_SELL,       TG_ACTION_BALANCE,    TG_ACTION_CREDIT,
    TG_ACTION_CHARGE,     TG_ACTION_CORRECTION, TG_ACTION_BONUS,      TG_ACTION_COMMISSION,
    TG_ACTION_COMMISSION, TG_ACTION_COMMISSION, TG_ACTION_COMMISSION, TG_ACTION_COMMISSION,
    TG_ACTION_INTEREST,   TG_ACTION_OTHER,      TG_ACTION_OTHER,      TG_ACTION_DIVIDEND,
    TG_ACTION_DIVIDEND,   TG_ACTION_TAX,        TG_ACTION_COMMISSION, TG_ACTION_OTHER};
static const int8_t entries[] = {TG_ENTRY_IN, TG_ENTRY_OUT, TG_ENTRY_INOUT, TG_ENTRY_OUT_BY};
static const int8_t margin_modes[] = {TG_MARGIN_MODE_NETTING, TG_MARGIN_MODE_EXCHANGE,
                                      TG_MARGIN_MODE_HEDGING};

static int32_t named(const int8_t *list, int count, int64_t number, int32_t otherwise)
{
    return number >= 0 && number < count ? list[number] : otherwise;
}

/* Lots: in 1e-8 where the server is new enough, else in 1e-4. */
static double lots(bool ext, int64_t volume_ext, int64_t volume)
{
    return ext ? (double)volume_ext / 1e8 : (double)volume / 1e4;
}

static int32_t decimals(bool given, int64_t digits, int32_t otherwise)
{
    if (!given || digits < 0) return otherwise;
    return digits > TG_DIGITS_MAX ? TG_DIGITS_MAX : (int32_t)digits;
}

/* Times in milliseconds where the server gives them, else in seconds. */
static int64_t utc(const struct tg_webapi_zone *zone, bool ms_given, int64_t ms, int64_t s)
{
    return tg_webapi_zone_utc(zone, ms_given && ms ? ms : s * 1000);
}

int tg_webapi_read_position(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                            const char *text, size_t len, uint64_t *login,
                            struct tgl_position *position)
{
    struct position_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, text, len, position_columns, &row, login, &given);
    if (rc) return rc;
    *login = has(given.good, P_login) ? row.login : 0;
    bool ext = has(given.good, P_volume_ext);
    double volume = lots(ext, row.volume_ext, row.volume);
    if (!all(&given, BIT(P_position) | BIT(P_login) | BIT(P_symbol) | BIT(P_action)) ||
        !(ext || has(given.good, P_volume)) || !row.position || volume <= 0 || row.action < 0 ||
        row.action > 1)
        return -TG_EINVAL;
    tg_position_blank(position);
    if (!tg_webapi_rows_text(rows, row.symbol, position->symbol, sizeof position->symbol) ||
        !*position->symbol)
        return -TG_EINVAL; /* cut off, it would be another symbol */
    if (row.comment)
        (void)tg_webapi_rows_text(rows, row.comment, position->comment, sizeof position->comment);
    if (row.external)
        (void)tg_webapi_rows_text(rows, row.external, position->external_id,
                                  sizeof position->external_id);
    position->ticket = position->position_id = row.position;
    position->side = row.action ? TG_SIDE_SELL : TG_SIDE_BUY;
    position->volume = volume;
    if (has(given.good, P_open)) position->price_open = row.open;
    if (has(given.good, P_current)) position->price_current = row.current;
    position->sl = row.sl;
    position->tp = row.tp;
    if (has(given.good, P_profit)) position->profit = row.profit;
    if (has(given.good, P_storage)) position->swap = row.storage;
    position->magic = row.expert;
    position->time_open = utc(zone, has(given.good, P_create_ms), row.create_ms, row.create_s);
    position->time_update = utc(zone, has(given.good, P_update_ms), row.update_ms, row.update_s);
    if (has(given.good, P_reason))
        position->reason = named(reasons, COUNT(reasons), row.reason, TG_REASON_UNKNOWN);
    position->digits = decimals(has(given.good, P_digits), row.digits, -1);
    position->currency_digits =
        decimals(has(given.good, P_currency_digits), row.currency_digits, 2);
    return (given.bad & (BIT(P_sl) | BIT(P_tp))) ? -TG_EINVAL : 0;
}

int tg_webapi_read_deal(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                        const char *text, size_t len, uint64_t *login, struct tgl_deal *deal)
{
    struct deal_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, text, len, deal_columns, &row, login, &given);
    if (rc) return rc;
    *login = has(given.good, D_login) ? row.login : 0;
    if (!all(&given, BIT(D_deal) | BIT(D_login) | BIT(D_action)) || !row.deal || given.bad)
        return -TG_EINVAL;
    tg_deal_blank(deal);
    deal->action = named(actions, COUNT(actions), row.action, TG_ACTION_OTHER);
    bool trade = deal->action == TG_ACTION_BUY || deal->action == TG_ACTION_SELL;
    if (trade && !has(given.good, D_entry)) return -TG_EINVAL;
    if (row.symbol && !tg_webapi_rows_text(rows, row.symbol, deal->symbol, sizeof deal->symbol))
        return -TG_EINVAL;
    if (row.comment)
        (void)tg_webapi_rows_text(rows, row.comment, deal->comment, sizeof deal->comment);
    deal->ticket = row.deal;
    deal->order = row.order;
    deal->position_id = row.position;
    deal->magic = row.expert;
    deal->time = utc(zone, has(given.good, D_time_ms), row.time_ms, row.time_s);
    deal->volume = lots(has(given.good, D_volume_ext), row.volume_ext, row.volume);
    deal->volume_closed = lots(has(given.good, D_closed_ext), row.closed_ext, row.closed);
    if (has(given.good, D_price)) deal->price = row.price;
    if (has(given.good, D_price_position) && row.price_position != 0)
        deal->price_position = row.price_position;
    deal->sl = row.sl;
    deal->tp = row.tp;
    if (has(given.good, D_profit)) deal->profit = row.profit;
    if (has(given.good, D_storage)) deal->swap = row.storage;
    if (has(given.good, D_commission)) deal->commission = row.commission;
    if (has(given.good, D_fee)) deal->fee = row.fee;
    if (trade) deal->entry = named(entries, COUNT(entries), row.entry, TG_ENTRY_UNKNOWN);
    if (has(given.good, D_reason))
        deal->reason = named(reasons, COUNT(reasons), row.reason, TG_REASON_UNKNOWN);
    deal->digits = decimals(has(given.good, D_digits), row.digits, 5);
    deal->currency_digits = decimals(has(given.good, D_currency_digits), row.currency_digits, 2);
    return 0;
}

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

int tg_webapi_read_account(struct tg_webapi_rows *rows, const char *text, size_t len,
                           uint64_t *login, struct tg_webapi_account *out)
{
    struct account_row row = {0};
    struct tg_webapi_given given;
    struct tgl_account *account = &out->account;
    int rc = read_row(rows, text, len, account_columns, &row, login, &given);
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

int tg_webapi_read_user(struct tg_webapi_rows *rows, const char *text, size_t len, uint64_t *login,
                        struct tg_webapi_user *user)
{
    struct user_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, text, len, user_columns, &row, login, &given);
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
    {"Currency", TG_WEBAPI_STRING, offsetof(struct group_row, currency)},
    {"Company", TG_WEBAPI_STRING, offsetof(struct group_row, company)},
    {"CurrencyDigits", TG_WEBAPI_I64, offsetof(struct group_row, digits)},
    {"MarginMode", TG_WEBAPI_I64, offsetof(struct group_row, margin_mode)},
    {0}};

int tg_webapi_read_group(struct tg_webapi_rows *rows, const char *text, size_t len,
                         struct tg_webapi_group *group)
{
    struct group_row row = {.margin_mode = -1};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, text, len, group_columns, &row, &given);
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
    {"Symbol", TG_WEBAPI_STRING, offsetof(struct symbol_row, symbol)},
    {"Digits", TG_WEBAPI_I64, offsetof(struct symbol_row, digits)},
    {0}};

int tg_webapi_read_symbol(struct tg_webapi_rows *rows, const char *text, size_t len, char *symbol,
                          size_t size, int32_t *digits)
{
    struct symbol_row row = {0};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, text, len, symbol_columns, &row, &given);
    if (rc) return rc;
    if (!all(&given, 3) || !tg_webapi_rows_text(rows, row.symbol, symbol, size)) return -TG_EINVAL;
    *digits = decimals(true, row.digits, 5);
    return 0;
}

struct zone_row {
    int64_t minutes, daylight;
};

static const struct tg_webapi_column zone_columns[] = {
    {"TimeZone", TG_WEBAPI_I64, offsetof(struct zone_row, minutes)},
    {"DaylightState", TG_WEBAPI_I64, offsetof(struct zone_row, daylight)},
    {0}};

int tg_webapi_read_zone(struct tg_webapi_rows *rows, const char *text, size_t len,
                        int32_t *offset_s)
{
    struct zone_row row = {0};
    struct tg_webapi_given given;
    int rc = tg_webapi_rows_read(rows, text, len, zone_columns, &row, &given);
    if (rc) return rc;
    if (!has(given.good, 0) || row.minutes < -14 * 60 || row.minutes > 14 * 60) return -TG_EINVAL;
    *offset_s = (int32_t)row.minutes * 60 + (row.daylight ? 3600 : 0);
    return 0;
}
