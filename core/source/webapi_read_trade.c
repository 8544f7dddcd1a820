/* Positions, orders and deals. A row is read into plain values and then judged: what a record
 * cannot do without makes the row bad, what it can is merely not known. The numbers of sides,
 * entries and reasons are those of the server's API; the terminal's API numbers reasons differently
 * and is read elsewhere. */
#include "source/webapi_read_inner.h"

#include <string.h>

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
/* Lots: in 1e-8 where the server is new enough, else in 1e-4. */
static double lots(bool ext, int64_t volume_ext, int64_t volume)
{
    return ext ? (double)volume_ext / 1e8 : (double)volume / 1e4;
}

/* Times in milliseconds where the server gives them, else in seconds. */
static int64_t utc(const struct tg_webapi_zone *zone, bool ms_given, int64_t ms, int64_t s)
{
    return tg_webapi_zone_utc(zone, ms_given && ms ? ms : s * 1000);
}

struct position_row {
    uint64_t login, position;
    int64_t action, digits, currency_digits, reason, create_s, update_s, create_ms, update_ms;
    int64_t volume, volume_ext, expert;
    double open, current, sl, tp, profit, storage;
    const struct tg_json_token *symbol, *comment, *external;
};

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

int tg_webapi_read_position(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                            const struct tg_webapi_row *json, uint64_t *login,
                            struct tgl_position *position)
{
    struct position_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, json, position_columns, &row, login, &given);
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

int tg_webapi_read_deal(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                        const struct tg_webapi_row *json, uint64_t *login, struct tgl_deal *deal)
{
    struct deal_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, json, deal_columns, &row, login, &given);
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

struct order_row {
    uint64_t login, order, position, position_by;
    int64_t state, reason, type, fill, good, digits, currency_digits;
    int64_t setup_s, expires_s, done_s, setup_ms, done_ms;
    int64_t initial, initial_ext, current, current_ext, expert;
    double price, trigger, now, sl, tp;
    const struct tg_json_token *symbol, *comment, *external;
};

#define ORDER_COLUMNS(V, X)                      \
    V(X, U64, "Order", order)                    \
    V(X, STRING, "ExternalID", external)         \
    V(X, U64, "Login", login)                    \
    V(X, STRING, "Symbol", symbol)               \
    V(X, I64, "Digits", digits)                  \
    V(X, I64, "DigitsCurrency", currency_digits) \
    V(X, I64, "State", state)                    \
    V(X, I64, "Reason", reason)                  \
    V(X, I64, "TimeSetup", setup_s)              \
    V(X, I64, "TimeExpiration", expires_s)       \
    V(X, I64, "TimeDone", done_s)                \
    V(X, I64, "TimeSetupMsc", setup_ms)          \
    V(X, I64, "TimeDoneMsc", done_ms)            \
    V(X, I64, "Type", type)                      \
    V(X, I64, "TypeFill", fill)                  \
    V(X, I64, "TypeTime", good)                  \
    V(X, F64, "PriceOrder", price)               \
    V(X, F64, "PriceTrigger", trigger)           \
    V(X, F64, "PriceCurrent", now)               \
    V(X, F64, "PriceSL", sl)                     \
    V(X, F64, "PriceTP", tp)                     \
    V(X, I64, "VolumeInitial", initial)          \
    V(X, I64, "VolumeInitialExt", initial_ext)   \
    V(X, I64, "VolumeCurrent", current)          \
    V(X, I64, "VolumeCurrentExt", current_ext)   \
    V(X, I64, "ExpertID", expert)                \
    V(X, U64, "PositionID", position)            \
    V(X, U64, "PositionByID", position_by)       \
    V(X, STRING, "Comment", comment)
enum { ORDER_COLUMNS(COLUMN_AT, O_) };
static const struct tg_webapi_column order_columns[] = {
    ORDER_COLUMNS(COLUMN_ROW, struct order_row){0}};

static const int8_t types[] = {TG_ORDER_TYPE_BUY,
                               TG_ORDER_TYPE_SELL,
                               TG_ORDER_TYPE_BUY_LIMIT,
                               TG_ORDER_TYPE_SELL_LIMIT,
                               TG_ORDER_TYPE_BUY_STOP,
                               TG_ORDER_TYPE_SELL_STOP,
                               TG_ORDER_TYPE_BUY_STOP_LIMIT,
                               TG_ORDER_TYPE_SELL_STOP_LIMIT,
                               TG_ORDER_TYPE_CLOSE_BY};
static const int8_t states[] = {TG_ORDER_STATE_STARTED,   TG_ORDER_STATE_PLACED,
                                TG_ORDER_STATE_CANCELLED, TG_ORDER_STATE_PARTIAL,
                                TG_ORDER_STATE_FILLED,    TG_ORDER_STATE_REJECTED,
                                TG_ORDER_STATE_EXPIRED,   TG_ORDER_STATE_REQUESTED,
                                TG_ORDER_STATE_REQUESTED, TG_ORDER_STATE_REQUESTED};
static const int8_t goods[] = {TG_ORDER_TIME_GTC, TG_ORDER_TIME_DAY, TG_ORDER_TIME_SPECIFIED,
                               TG_ORDER_TIME_SPECIFIED_DAY};
static const int8_t fills[] = {TG_ORDER_FILLING_FOK, TG_ORDER_FILLING_IOC, TG_ORDER_FILLING_RETURN};

/* PriceOrder is where the order triggers; of a stop limit, PriceTrigger is where the limit order is
 * then placed. */
static void read_prices(struct tgl_order *order, const struct order_row *row, uint64_t good)
{
    if (has(good, O_price)) order->price_open = row->price;
    if (has(good, O_now)) order->price_current = row->now;
    order->price_stoplimit = row->trigger;
    order->sl = row->sl;
    order->tp = row->tp;
}

int tg_webapi_read_order(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                         const struct tg_webapi_row *json, uint64_t *login, struct tgl_order *order)
{
    struct order_row row = {0};
    struct tg_webapi_given given;
    int rc = read_row(rows, json, order_columns, &row, login, &given);
    if (rc) return rc;
    uint64_t good = given.good;
    *login = has(good, O_login) ? row.login : 0;
    if (!all(&given, BIT(O_order) | BIT(O_login) | BIT(O_symbol) | BIT(O_type) | BIT(O_state)) ||
        !row.order || given.bad)
        return -TG_EINVAL;
    tg_order_blank(order);
    if (!tg_webapi_rows_text(rows, row.symbol, order->symbol, sizeof order->symbol))
        return -TG_EINVAL;
    if (row.comment)
        (void)tg_webapi_rows_text(rows, row.comment, order->comment, sizeof order->comment);
    if (row.external)
        (void)tg_webapi_rows_text(rows, row.external, order->external_id,
                                  sizeof order->external_id);
    order->type = named(types, COUNT(types), row.type, TG_ORDER_TYPE_UNKNOWN);
    order->state = named(states, COUNT(states), row.state, TG_ORDER_STATE_UNKNOWN);
    if (!order->type || !order->state) return -TG_EINVAL;
    order->ticket = row.order;
    order->position_id = row.position;
    order->position_by_id = row.position_by;
    order->magic = row.expert;
    order->time_setup = utc(zone, has(good, O_setup_ms), row.setup_ms, row.setup_s);
    order->time_done = utc(zone, has(good, O_done_ms), row.done_ms, row.done_s);
    order->time_expiration = tg_webapi_zone_utc(zone, row.expires_s * 1000);
    order->volume_initial = lots(has(good, O_initial_ext), row.initial_ext, row.initial);
    order->volume_current = lots(has(good, O_current_ext), row.current_ext, row.current);
    read_prices(order, &row, good);
    if (has(good, O_good))
        order->type_time = named(goods, COUNT(goods), row.good, TG_ORDER_TIME_UNKNOWN);
    if (has(good, O_fill))
        order->type_filling = named(fills, COUNT(fills), row.fill, TG_ORDER_FILLING_UNKNOWN);
    if (has(good, O_reason))
        order->reason = named(reasons, COUNT(reasons), row.reason, TG_REASON_UNKNOWN);
    order->digits = decimals(has(good, O_digits), row.digits, -1);
    order->currency_digits = decimals(has(good, O_currency_digits), row.currency_digits, 2);
    return 0;
}
